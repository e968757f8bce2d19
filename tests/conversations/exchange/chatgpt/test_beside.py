"""What lies beside the conversations in the zip, and beside the messages of a conversation."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conversations.exchange import ExchangeError, export_conversation, import_all, parse, parse_file
from conversations.store import projects
from tests.conversations.exchange.made import chatgpt, node
from tests.conversations.talk import mine

PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_0001"}


def zipped(
    conversations: bytes, names: tuple[str, ...] = (), files: Mapping[str, bytes] | None = None, **beside: Any
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", conversations)
        for name in names:
            archive.writestr(name, "picture")
        for name, data in (files or {}).items():
            archive.writestr(name, data)
        for name, value in beside.items():
            archive.writestr(f"{name}.json", value if isinstance(value, str) else json.dumps(value))
    return packed.getvalue()


def pictured(**fields: Any) -> bytes:
    said = {"author": {"role": "user"}, "content": {"content_type": "multimodal_text", "parts": [PICTURE]}}
    return chatgpt({"a": {"message": said, "parent": None}}, id="one", **fields)


def attachment(name: str) -> dict[str, str]:
    """A picture; its id is kept where it has another name."""
    return {"kind": "image", "name": name} | ({} if name == "file_0001" else {"id": "file_0001"})


def test_an_export_that_was_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_bytes(pictured())
    (tmp_path / "conversation_asset_file_names.json").write_text(json.dumps({"file_0001.dat": "lamp.png"}))
    (tmp_path / "message_feedback.json").write_text("[broken")
    found = parse_file(path)
    assert found[0]["messages"][0]["extra"]["attachments"] == [attachment("lamp.png")]
    assert [note.partition(":")[0] for note in found.notes] == ["message_feedback.json beside it is left out"]
    assert parse(path.read_bytes(), str(path))[0]["messages"][0]["extra"]["attachments"] == [attachment("file_0001")]
    other = path.rename(tmp_path / "chats.json")
    assert parse_file(other).notes == []


@pytest.mark.parametrize(
    ("beside", "names", "name"),
    [
        ({"conversation_asset_file_names": {"file_0001.dat": "lamp.png"}}, (), "lamp.png"),
        ({"conversation_asset_file_names": {"x/file_0001-sanitized.png": "lamp.png"}}, (), "lamp.png"),
        ({"library_files": [{"file_id": "file_0001", "file_name": "lamp.png"}]}, (), "lamp.png"),
        ({"library_files": {"files": [{"file_id": "file_0001", "file_name": "lamp.png"}]}}, (), "lamp.png"),
        ({}, ("file_0001-lamp.png",), "lamp.png"),
        ({}, ("user-1/file_0001-lamp.png",), "lamp.png"),
        ({"conversation_asset_file_names": ["wrong"], "library_files": 7}, (), "file_0001"),
        ({"library_files": [{"file_id": 7, "file_name": "lamp.png"}, None]}, (), "file_0001"),
    ],
)
def test_files_have_their_names(beside: dict[str, Any], names: tuple[str, ...], name: str) -> None:
    [found] = parse(zipped(pictured(), names, **beside), "x.zip")
    assert found["messages"][0]["extra"]["attachments"] == [attachment(name)]


@pytest.mark.parametrize(
    ("thumb", "value", "comment"),
    [
        ({"message_id": "b", "rating": "thumbs_up", "content": "{}"}, 1, ""),
        ({"message_id": "b", "rating": "thumbs_down", "content": '{"text": "too long"}'}, -1, "too long"),
        ({"id": "b", "rating": "thumbsUp", "content": '{"tags": ["accurate"]}'}, 1, "accurate"),
        ({"id": "message-b", "rating": "thumbsDown", "content": None}, -1, ""),
        ({"message_id": "b", "rating": 1, "content": "good"}, 1, "good"),
        ({"message_id": "b", "rating": "thumbs_up", "create_time": "2026-05-28T00:00:00Z"}, 1, ""),
    ],
)
def test_thumbs(thumb: dict[str, Any], value: int, comment: str) -> None:
    reply = node("a", "yes", "assistant")
    reply["message"]["id"] = "message-b"
    data = chatgpt({"a": node(None), "b": reply}, conversation_id="one")
    [found] = parse(zipped(data, message_feedback=[{"conversation_id": "one", **thumb}]), "x.zip")
    feedback = found["messages"][1]["feedback"]
    assert (feedback["value"], feedback["comment"]) == (value, comment)
    assert feedback["created"] == (1779926400.0 if "create_time" in thumb else 0.0)


@pytest.mark.parametrize("rating", ["meh", None, {"a": 1}, 5, ""])
def test_a_rating_that_nobody_knows_is_none(rating: Any) -> None:
    thumbs = [{"conversation_id": "one", "message_id": "a", "rating": rating}, None, "x"]
    [found] = parse(zipped(chatgpt({"a": node(None)}, id="one"), message_feedback=thumbs), "x.zip")
    assert found["messages"][0]["feedback"] is None


def test_what_stands_beside_a_conversation(tmp_path: Path) -> None:
    fields = {
        "is_archived": True,
        "pinned_time": 1780000050.0,
        "gizmo_id": "g-p-1",
        "default_model_slug": "gpt-5",
        "a_field_of_tomorrow": [1],
        "safe_urls": [],
    }
    path = tmp_path / "export.zip"
    path.write_bytes(zipped(pictured(**fields), projects=[{"id": "g-p-1", "name": "Lighthouses"}]))
    found = parse_file(path)
    assert found[0]["pinned"]
    kept = {name: value for name, value in fields.items() if value}
    assert found[0]["extra"] == {"source": "chatgpt", "project": "Lighthouses", **kept}
    assert import_all(mine(), found, folders=found.folders).projects == ["Lighthouses"]
    [project] = projects.listing(mine())
    assert [row.id for row in projects.conversations(mine(), project.id)] == ["one"]
    assert export_conversation(mine(), "one") == found[0]


def test_a_wrong_file_beside_is_noted_and_keeps_nothing_out() -> None:
    data = zipped(pictured(), message_feedback="{broken", group_chats={"chats": [{"id": 1}]}, library_files="")
    found = parse(data, "x.zip")
    assert len(found) == 1
    assert found.left_out == []
    assert found.notes == [
        "message_feedback.json beside it is left out: it is not JSON: Expecting property name enclosed in double "
        "quotes in line 1, column 2",
        "group_chats.json beside it has 1 of several people, which are not read",
    ]


def test_pictures_do_not_count_and_are_not_read(tmp_path: Path) -> None:
    """A zip of gigabytes: here a member only says that it has so many."""
    data = bytearray(zipped(pictured(), ("video.mp4",)))
    at = data.rindex(b"video.mp4") - 46 + 24  # its unpacked size in the directory
    data[at : at + 4] = (4_000_000_000).to_bytes(4, "little")
    path = tmp_path / "large.zip"
    path.write_bytes(data)
    assert len(parse_file(path)) == 1


def test_only_a_page_to_read_is_said_as_such() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x/chat.html", "<html>")
    with pytest.raises(ExchangeError, match=r"^x\.zip: it is a zip without conversations\.json: its chat\.html is for"):
        parse(packed.getvalue(), "x.zip")


def test_custom_instructions_are_the_system_prompt_and_hidden_words_are_not() -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    told = {"content_type": "user_editable_context", "user_profile": "I am Ada.", "user_instructions": "Be brief."}
    secret = {"author": {"role": "system"}, "content": "secret", "metadata": hidden}
    mapping = {
        "a": {"message": {"author": {"role": "user"}, "content": told, "metadata": hidden}},
        "b": {"message": secret, "parent": "a"},
        "c": node("b", "hello"),
    }
    [found] = parse(chatgpt(mapping), "x")
    assert found["system"] == "I am Ada.\n\nBe brief."
    assert [(m["text"], m["extra"]) for m in found["messages"]] == [("secret", {"hidden": True}), ("hello", None)]
