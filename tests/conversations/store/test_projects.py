"""Projects: folders of an owner's conversations with what holds in each of them, on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

from conversations import exchange
from conversations.library import files
from conversations.replies import turn
from conversations.store import NO_PERSONA, MessageError, NotFoundError, projects, resolve
from conversations.store.database import Database
from conversations.store.inheritance import Effective
from conversations.store.project_table import Project
from conversations.store.store import Store, deletion_listeners
from tests.conversations.store.test_search import hits, keep
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback

both = pytest.mark.usefixtures("database_url")
KEEPER = {"slug": "keeper", "name": "Keeper", "description": "keeps bees", "sentences": ["I keep bees."]}
FERRY = b"The ferry leaves at nine. It costs four crowns."


def said(loopback: Loopback) -> list[str]:
    """The texts of the last request."""
    return [str(message["content"]) for message in loopback.requests[-1]["messages"]]


def say(store: Store, identity: str | None, text: str, **new: Any) -> str:
    return over(store, turn.send(store, identity, text, ask("openai"), new)).conversation_id


@pytest.mark.parametrize(
    ("own", "holds"),
    [
        ({}, Effective("Prune.", None, "openai", "m-1", ("calculator",), speaks_project=True)),
        ({"system": "Mow."}, Effective("Mow.", None, "openai", "m-1", ("calculator",))),
        ({"system": ""}, Effective("", None, "openai", "m-1", ("calculator",))),
        ({"persona": KEEPER}, Effective(None, KEEPER, "openai", "m-1", ("calculator",))),
        ({"backend": "gpt2"}, Effective("Prune.", None, "gpt2", None, ("calculator",), speaks_project=True)),
        ({"tools": []}, Effective("Prune.", None, "openai", "m-1", (), speaks_project=True)),
        ({"tools": ["date_time"]}, Effective("Prune.", None, "openai", "m-1", ("date_time",), speaks_project=True)),
    ],
)
def test_what_a_conversation_says_goes_before_its_project(own: dict[str, Any], holds: Effective) -> None:
    project = Project(system="Prune.", backend="openai", model="m-1", tools=["calculator"])
    assert resolve(own, project) == holds


def test_a_persona_of_a_project_can_be_had_out_of_a_conversation() -> None:
    project = Project(system="Prune.", persona=KEEPER)
    assert resolve({}, project).system_prompt == "I keep bees."
    assert resolve({"persona": NO_PERSONA}, project).system_prompt == "Prune."
    assert resolve({"system": "Mow."}, project).system_prompt == "Mow."
    assert resolve({"persona": NO_PERSONA}, None) == Effective()


@both
def test_replies_in_a_project_are_made_with_its_prompt_and_its_documents(loopback: Loopback) -> None:
    store = mine()
    project = projects.create(store, " The  garden ", system="Speak of gardens.")
    files.add(store, "ferry.txt", FERRY, project_id=project.id)
    inside = say(store, None, "When does the ferry leave?", project_id=project.id)
    assert said(loopback)[0].startswith("Speak of gardens.")
    assert "leaves at nine" in "".join(said(loopback))
    assert [source.file for source in store.sources(store.thread(inside).messages[-1].id)] == ["ferry.txt"]
    outside = say(store, None, "When does the ferry leave?")
    assert "leaves at nine" not in "".join(said(loopback))
    projects.move(store, outside, project.id)
    files.add(store, "own.txt", b"The ferry is blue.", outside)
    say(store, outside, "Which colour has the ferry, and when does it leave?")
    assert {"leaves at nine" in "".join(said(loopback)), "is blue" in "".join(said(loopback))} == {True}
    assert [row.name for row in files.listing(store, outside)] == ["own.txt"]
    assert [row.name for row in files.project_listing(store, project.id)] == ["ferry.txt"]
    assert files.listing(store) == []
    projects.move(store, outside, None)
    say(store, outside, "When does the ferry leave?")
    assert "leaves at nine" not in "".join(said(loopback))
    assert "gardens" not in said(loopback)[0]


@both
def test_a_project_is_listed_renamed_and_filled() -> None:
    store = mine()
    garden, boats = projects.create(store, "garden"), projects.create(store, "Boats")
    assert [row.name for row in projects.listing(store)] == ["Boats", "garden"]
    inside = [keep(store, "an oak", project_id=garden.id) for _ in range(3)]
    outside = keep(store, "an oak in a field")
    store.update(inside[0], pinned=True)
    assert [row.id for row in projects.conversations(store, garden.id)] == [inside[0], inside[2], inside[1]]
    assert [row.id for row in projects.conversations(store, None)] == [outside]
    assert [row.id for row in projects.conversations(store, garden.id, limit=1, offset=1)] == [inside[2]]
    assert (projects.count(store, garden.id), projects.count(store, boats.id)) == (3, 0)
    assert (projects.counts(store), projects.counts(mine("other"))) == ({garden.id: 3}, {})
    assert projects.update(store, boats.id, name="Ships").name == "Ships"
    with pytest.raises(MessageError, match="needs a name"):
        projects.update(store, boats.id, name=" ")
    with pytest.raises(MessageError, match="101 characters"):
        projects.create(store, "x" * 101)
    assert [row.name for row in projects.listing(store)] == ["garden", "Ships"]


@both
def test_a_search_within_a_project_finds_nothing_else(loopback: Loopback) -> None:
    store = mine()
    project = projects.create(store, "garden")
    inside, outside = keep(store, "an oak 木", project_id=project.id), keep(store, "an oak 木", "and an elm")
    titled = keep(store, "a beech", title="Oak", project_id=project.id)
    assert hits("oak") == [titled, outside, inside]
    assert hits("oak", project_id=project.id) == [titled, inside]
    assert hits("木", project_id=project.id) == [inside]
    assert hits("elm", project_id=project.id) == []
    projects.move(store, outside, project.id)
    assert hits("elm", project_id=project.id) == [outside]


@both
@pytest.mark.parametrize("with_conversations", [True, False])
def test_a_project_goes_with_its_conversations_or_without(with_conversations: bool) -> None:
    store, told = mine(), list[str]()
    project = projects.create(store, "garden")
    document = files.add(store, "ferry.txt", FERRY, project_id=project.id)
    inside = keep(store, "an oak", project_id=project.id)

    def listener(_: Database, identity: str) -> None:
        told.append(identity)

    deletion_listeners.append(listener)
    try:
        projects.delete(store, project.id, with_conversations)
    finally:
        deletion_listeners.remove(listener)
    assert told == [inside]
    assert projects.listing(store) == []
    assert hits("oak") == ([] if with_conversations else [inside])
    if not with_conversations:
        assert store.get(inside).project_id is None
        store.update(inside, title="still here")
    with pytest.raises(NotFoundError):
        files.get(store, document.id)


@both
def test_nobody_else_finds_a_project() -> None:
    project = projects.create(mine(), "garden", system="A secret.")
    other = mine("other")
    theirs = keep(other, "an elm")
    attempts: list[Callable[[], object]] = [
        lambda: projects.get(other, project.id),
        lambda: projects.update(other, project.id, name="mine"),
        lambda: projects.delete(other, project.id, True),
        lambda: projects.move(other, theirs, project.id),
        lambda: projects.move(mine(), theirs, project.id),
        lambda: keep(other, "hi", project_id=project.id),
        lambda: files.add(other, "ferry.txt", FERRY, project_id=project.id),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            attempt()
    assert projects.listing(other) == []
    assert projects.conversations(other, project.id) == []
    assert files.project_listing(other, project.id) == []
    assert hits("elm", other) == [theirs]


@both
def test_undo_brings_a_conversation_back_into_its_project_if_that_is_there() -> None:
    store = mine()
    project = projects.create(store, "garden", persona=KEEPER)
    first = keep(store, "an oak", project_id=project.id)
    store.update(first, persona=NO_PERSONA)
    again = store.get(exchange.restore(store, exchange.remove(store, first)))
    assert (again.project_id, again.persona) == (project.id, NO_PERSONA)
    removed = exchange.remove(store, first)
    projects.delete(store, project.id, with_conversations=False)
    assert store.get(exchange.restore(store, removed)).project_id is None
