"""A project as one file: out of the store, and in again, elsewhere or beside itself, whole or not at all."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from conversations import exchange
from conversations.exchange.errors import ExchangeError
from conversations.library import files
from conversations.replies import held_here
from conversations.store import projects
from conversations.store.store import Store
from tests.conversations.store.test_projects import FERRY, KEEPER
from tests.conversations.store.test_search import hits, keep
from tests.conversations.talk import mine, texts

both = pytest.mark.usefixtures("database_url")


def exported(store: Store) -> dict[str, Any]:
    """A project with a document and two conversations as its file has it."""
    row = projects.create(store, "Garden", system="Prune.", persona=KEEPER, backend="gpt2", tools=["calculator"])
    files.add(store, "ferry.txt", FERRY, project_id=row.id)
    own = keep(store, "an oak", "a reply", project_id=row.id)
    files.add(store, "own.txt", FERRY, own)
    keep(store, "an elm", project_id=row.id)
    keep(store, "a birch outside")
    return dict(json.loads("".join(exchange.export_project(store, row.id))))


def import_(store: Store, form: Any) -> Any:
    parsed = exchange.parse(json.dumps(form).encode(), "garden.json")
    return exchange.import_files(store, parsed, hold=held_here)


@both
def test_a_project_comes_back_with_all_that_is_in_it() -> None:
    form, other = exported(mine()), mine("other")
    assert [each["title"] or len(each["messages"]) for each in form["conversations"]] == [2, 1]
    report = import_(other, form)
    assert (report.projects, len(report.added)) == (["Garden"], 2)
    (listed,) = projects.listing(other)
    row = projects.get(other, listed.id)
    assert (row.system, row.persona, row.backend, row.tools, row.imported) == (
        "Prune.",
        KEEPER,
        "gpt2",
        ["calculator"],
        True,
    )
    assert report.notes == ["its project answers with gpt2", "its project's tools that are on: calculator"]
    assert [document.name for document in files.project_listing(other, row.id)] == ["ferry.txt"]
    inside = projects.conversations(other, row.id)
    assert {tuple(texts(other, each.id)) for each in inside} == {("an oak", "a reply"), ("an elm",)}
    assert hits("birch", other) == []
    own = next(each for each in inside if len(texts(other, each.id)) == 2)
    found = files.search(other, own.id, "When does the ferry leave?")
    assert {each.metadata["file"] for each in found} == {"ferry.txt", "own.txt"}
    again = json.loads("".join(exchange.export_project(other, row.id)))
    assert {**again["project"], "created": 0} == {**form["project"], "created": 0}


@both
def test_the_same_file_twice_makes_nothing_twice() -> None:
    store = mine()
    form = exported(store)
    report = import_(store, form)
    assert (report.projects, report.added, len(report.skipped)) == ([], [], 2)
    assert len(projects.listing(store)) == 1
    changed = {**form, "conversations": [{**form["conversations"][0], "title": "Oaks"}]}
    assert import_(store, changed).projects == ["Garden"]
    assert len(projects.listing(store)) == 2


def test_a_backend_and_tools_that_are_not_here_are_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    form, other = exported(mine()), mine("other")
    form["project"] |= {"backend": "parrot", "model": "p-1", "tools": ["mail", "calculator", "mail"]}
    report = import_(other, form)
    row = projects.get(other, projects.listing(other)[0].id)
    assert (row.backend, row.model, row.tools) == (None, None, ["calculator"])
    assert "there is no backend 'parrot' here" in report.notes[0]
    assert report.notes[1:] == [
        "its project's tools that are on: calculator",
        "its project's tool 'mail' is left out: there is none of this name here",
    ]
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    form["project"] |= {"name": "Orchard", "backend": "openai", "tools": []}
    report = import_(mine("third"), form)
    row = projects.get(mine("third"), projects.listing(mine("third"))[0].id)
    assert (row.backend, row.tools, "OPENAI_API_KEY" in report.notes[0]) == (None, [], True)


def test_an_empty_project_comes_back() -> None:
    store = mine()
    row = projects.create(store, "Garden")
    form = json.loads("".join(exchange.export_project(store, row.id)))
    assert import_(mine("other"), form).projects == ["Garden"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda project: project.update(name=" "), "its project: A project needs a name"),
        (lambda project: project.update(name="x" * 101), "its project: name"),
        (lambda project: project.update(tools="mail"), "its project: tools"),
        (lambda project: project.update(persona={"slug": "x"}), "its project: persona"),
        (lambda project: project["documents"][0].update(kind="exe"), "its project: documents"),
        (lambda project: project.pop("created"), "its project: created"),
    ],
)
def test_a_spoilt_project_brings_nothing(spoil: Callable[[dict[str, Any]], None], said: str) -> None:
    form, other = exported(mine()), mine("other")
    spoil(form["project"])
    with pytest.raises(ExchangeError, match=f"garden.json: {said}"):
        import_(other, form)
    assert (other.listing(), projects.listing(other)) == ([], [])
