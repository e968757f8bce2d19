"""What lies beside conversations: projects and memories of Claude, characters as personas, and cards in pictures."""

import base64
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from conversations.exchange import (
    ExchangeError,
    ImportReport,
    ParsedFile,
    export_project,
    import_all,
    import_files,
    parse,
    parse_file,
)
from conversations.library import files
from conversations.store import Store, personas, projects
from tests.conversations.exchange.made import FIXTURES
from tests.conversations.talk import mine

CARD = json.loads((FIXTURES / "card-v2.json").read_text())


def zipped(conversations: str, **beside: Any) -> bytes:
    """An export: the name of a fixture, or its text, and what lies beside it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        is_text = conversations.startswith("[")
        written = conversations if is_text else (FIXTURES / conversations).read_text()
        archive.writestr("export/conversations.json", written)
        for name, value in beside.items():
            archive.writestr(f"export/{name.replace('__', '/')}.json", json.dumps(value))
    return packed.getvalue()


PROJECT = {"uuid": "p-1", "name": "Lights", "description": "", "prompt_template": "Speak of lights.", "creator": {}}
DOCUMENT = {"uuid": "d", "filename": "plan.md", "content": "35 metres", "created_at": "2026-03-01T00:00:00Z"}
MEMORY = {"conversations_memory": "Likes lighthouses.", "project_memories": {"p-1": "Plans a visit."}}


def take_in(store: Store, found: ParsedFile) -> ImportReport:
    return import_files(store, found)


def within(place: str, **project: Any) -> ParsedFile:
    """Claude's export with a project, of which the conversation is, and what Claude remembers."""
    talk = {**json.loads((FIXTURES / "claude.json").read_text())[0], "project_uuid": "p-1"}
    made = {**PROJECT, "docs": [DOCUMENT, {**DOCUMENT, "content": "36 metres"}], **project}
    beside = {place: [made] if place == "projects" else made, "memories": [MEMORY], "users": [{"uuid": "acc"}]}
    return parse(zipped(json.dumps([talk]), **beside), "x.zip")


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("name", ["projects", "projects__p-1"])
def test_projects_and_memories_of_claude_are_projects_here(name: str) -> None:
    store, found = mine(), within(name, description="For visits.")
    assert [talk["extra"]["project"] for talk in found] == ["Lights"]
    report = take_in(store, found)
    assert (report.projects, len(report.added)) == (["Lights", "What Claude remembers"], 1)
    lights, memory = (projects.get(store, each.id) for each in projects.listing(store))
    assert (lights.system, lights.imported) == ("For visits.\n\nSpeak of lights.", True), "strangers' words"
    assert [row.id for row in projects.conversations(store, lights.id)] == report.added
    kept = json.loads("".join(export_project(store, lights.id)))["project"]["documents"]
    assert {row["name"]: row["pages"][0] for row in kept} == {
        "plan.md": "35 metres",
        "2 plan.md": "36 metres",
        "memory.md": "Plans a visit.",
    }
    assert files.search(store, report.added[0], "How many metres?")
    assert (memory.name, memory.system) == ("What Claude remembers", "Likes lighthouses.")
    assert take_in(store, within(name, description="For visits.")).projects == []
    more = within(name, description="For visits.", docs=[DOCUMENT, {**DOCUMENT, "filename": "new.md"}])
    assert take_in(store, more).projects == ["Lights"], "a later export adds what is new"
    assert len(projects.listing(store)) == 2
    assert "new.md" in {row.name for row in files.project_listing(store, lights.id)}


@pytest.mark.usefixtures("database_url")
def test_of_a_project_what_is_too_much_is_named_and_all_else_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_MAX_FILES", "1")
    monkeypatch.setenv("DOCUMENTS_MAX_CHARACTERS", "20000")
    docs = [DOCUMENT, {**DOCUMENT, "filename": "long.md", "content": "x" * 30_000}, {"filename": "none.md"}]
    found = within("projects", docs=docs, prompt_template="Speak. " * 3_000, name="", color="red")
    store = mine()
    report = take_in(store, found)
    assert (report.projects, len(report.added)) == (["unnamed", "What Claude remembers"], 1)
    [row] = [each for each in projects.listing(store) if each.name == "unnamed"]
    assert len(projects.get(store, row.id).system or "") == 20_000
    told = [*found.notes, *report.notes]
    assert any("instructions of projects beyond 20,000 characters" in note for note in told)
    assert any("fields of projects: color" in note for note in told)
    assert any("documents of projects that hold no words" in note for note in told)
    assert any("'instructions.md' has 20,999 characters" in note for note in told)
    assert any("'long.md' has 30,000 characters" in note for note in told)
    assert any("documents of the project unnamed (1): at most 1 are kept" in note for note in told)
    assert [each.name for each in files.project_listing(store, row.id)] == ["plan.md"]


def test_what_lies_beside_an_unpacked_file(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_bytes((FIXTURES / "claude.json").read_bytes())
    (tmp_path / "memories.json").write_text(json.dumps([MEMORY]))
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects" / "p-1.json").write_text(json.dumps(PROJECT))
    found = parse_file(path)
    assert [folder.project["name"] for folder in found.folders] == ["Lights", "What Claude remembers"]
    assert [each["title"] for each in found] == ["The lamp at Skerry"], "and none of them is a conversation"


def test_assistants_of_chat_ui_become_personas() -> None:
    assistant = {"_id": "a", "name": "Ole", "preprompt": "You are Ole.\nYou bake.", "description": "bakes"}
    store, found = mine(), parse(zipped("chatui.json", assistants=[assistant, {"name": "Nobody"}]), "x.zip")
    assert import_all(store, found, found.personas).personas == ["Ole"]
    [saved] = personas.listing(store)
    assert (saved.slug, saved.description, saved.sentences) == ("ole", "bakes", ("You are Ole.", "You bake."))


@pytest.mark.usefixtures("database_url")
def test_a_persona_of_one_s_own_is_never_replaced() -> None:
    store, found = mine(), parse(json.dumps(CARD).encode(), "x.json")
    personas.save(store, personas.parse("Keeper", "mine", "I keep bees."))
    assert import_all(store, found, found.personas).personas == ["Keeper"]
    assert import_all(store, found, found.personas).personas == []
    assert [(p.slug, p.description) for p in personas.listing(store)] == [
        ("keeper", "mine"),
        ("keeper-2", "For quiet evenings."),
    ]


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def picture(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one pixel with some more chunks."""
    header = chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0")
    parts = [header, *(chunk(kind, data) for kind, data in chunks), chunk(b"IDAT", zlib.compress(b"\0\0"))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def text_of(card: Any) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


V3 = {**CARD, "spec": "chara_card_v3", "data": {**CARD["data"], "nickname": "Old Keeper", "first_mes": "Evening."}}


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"tEXt", b"chara\0" + text_of(CARD))],
        [(b"tEXt", b"Software\0x"), (b"zTXt", b"chara\0\0" + zlib.compress(text_of(CARD)))],
        [(b"iTXt", b"Chara\0\0\0en\0\0" + text_of(CARD))],
        [(b"tEXt", b"chara\0" + text_of({**CARD["data"], "name": "Keeper"}))],  # V1: nothing around it
    ],
)
def test_a_card_in_a_picture(chunks: list[tuple[bytes, bytes]]) -> None:
    found = parse(picture(*chunks), "keeper.png")
    assert [persona.name for persona in found.personas] == ["Keeper"]
    assert found[0]["messages"][0]["text"] == "Good evening, the user."


def test_of_two_versions_the_newer_one() -> None:
    found = parse(picture((b"tEXt", b"chara\0" + text_of(CARD)), (b"tEXt", b"ccv3\0" + text_of(V3))), "x.png")
    [persona] = found.personas
    assert persona.name == "Old Keeper"
    assert persona.sentences[:3] == (
        "You are Old Keeper.",
        "Old Keeper keeps a lighthouse.",
        "He speaks with the user.",
    )
    assert found[0]["persona"]["name"] == "Old Keeper"
    assert found[0]["messages"][0]["text"] == "Evening."


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (picture(), "it is a picture, and no character's card is in it"),
        (picture((b"tEXt", b"chara\0" + text_of(CARD)))[:200], "it is a picture that ends in the middle"),
        (picture((b"tEXt", b"chara\0" + b"@@@")), "character's card cannot be read"),
        (picture((b"tEXt", b"chara\0" + text_of({"spec": "chara_card_v2", "data": {}}))), "the card has no name"),
        (picture((b"zTXt", b"chara\0\0rubbish")), "character's card cannot be read"),
    ],
)
def test_a_picture_that_is_no_card(data: bytes, why: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        parse(data, "x.png")
    assert why in str(caught.value)
