"""Pictures of messages: out of one owner's chats and into another's, and out of what ChatGPT and Open WebUI export."""

import json
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conversations.exchange import (
    ExchangeError,
    export_conversation,
    import_all,
    json_chunks,
    parse,
    parse_file,
    remove,
    render_markdown,
    restore,
)
from conversations.exchange.html import render_html
from conversations.replies import turn
from conversations.store.store import Store
from documents.pictures.prepare import prepare
from tests.conversations.exchange.chatgpt.test_beside import attachment, pictured, zipped
from tests.conversations.exchange.made import chatgpt
from tests.conversations.exchange.test_html import Parts
from tests.conversations.exchange.test_markdown import tokens
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback
from tests.pictures import drawn

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("database_url")]  # a process of its own unpacks pictures


def said(store: Store) -> str:
    """A conversation with a photograph and a drawing; its id."""
    photograph, drawing = prepare("a ![b](c).jpg", drawn("red", kind="JPEG")), prepare("line.png", drawn("blue"))
    row = over(store, turn.send(store, None, "Which?", ask("openai"), None, [photograph, drawing]))
    return row.conversation_id


def pictures(store: Store, identity: str) -> list[Any]:
    """The pictures of its first message, with their bytes."""
    thread = store.thread(identity)
    return [(each.name, store.picture(each.digest).data) for each in thread.pictures.get(thread.messages[0].id, ())]


def colour(data: bytes) -> Any:
    with Image.open(BytesIO(data)) as image:
        return image.format, image.size, image.convert("RGB").getpixel((5, 5))


def test_ours_go_out_and_come_in_once(loopback: Loopback) -> None:
    store, other = mine(), mine("somebody else")
    identity = said(store)
    form = export_conversation(store, identity)
    kept = pictures(store, identity)
    assert [(each["name"], b64decode(each["data"])) for each in form["messages"][0]["pictures"]] == kept
    file = "".join(json_chunks([form])).encode()
    assert import_all(store, parse(file, "ours.json")).skipped == [identity]
    [copy] = import_all(other, parse(file, "ours.json")).added
    assert [(name, colour(data)[:2]) for name, data in pictures(other, copy)] == [
        (name, colour(data)[:2]) for name, data in kept
    ]
    assert import_all(other, parse(file, "ours.json")).skipped == [copy]
    assert other.thread(copy).messages[0].imported


def test_what_is_deleted_comes_back_with_its_pictures(loopback: Loopback) -> None:
    store = mine()
    identity = said(store)
    kept = pictures(store, identity)
    assert restore(store, remove(store, identity)) == identity
    assert pictures(store, identity) == kept


def test_markdown_and_html_have_them_in_themselves(loopback: Loopback) -> None:
    store = mine()
    form = export_conversation(store, said(store))
    form["messages"][0]["text"] = "[picture-0-1]: http://127.0.0.1/x.png\n\n![picture-0-2]"
    sources = [token.attrGet("src") for token in tokens(render_markdown(form)) if token.type == "image"]
    held = form["messages"][0]["pictures"]
    assert sources == [f"data:{each['mime_type']};base64,{each['data']}" for each in held]
    shown = Parts(render_html(form)).all("img")
    assert [each["src"] for each in shown] == sources
    assert [each["alt"] for each in shown] == ["Picture: a ![b](c).jpg", "Picture: line.png"]


@pytest.mark.parametrize("data", ["###", "", b64encode(b"<svg/>").decode(), b64encode(drawn("red")[:300]).decode()])
def test_one_that_cannot_be_taken_is_named_and_the_words_come_in(loopback: Loopback, data: str) -> None:
    store = mine()
    form = export_conversation(store, said(store)) | {"id": "broken", "title": "Two"}
    form["messages"][0]["pictures"][0]["data"] = data
    report = import_all(store, [form])
    assert [name for name, _ in pictures(store, report.added[0])] == ["line.png"]
    assert [note.startswith("conversation 'Two': a ![b](c).jpg") for note in report.notes] == [True], report.notes
    assert store.thread(report.added[0]).messages[0].text == "Which?"


def test_a_picture_of_ours_has_a_name_and_data_and_nothing_that_is_not_known(loopback: Loopback) -> None:
    store = mine()
    form = export_conversation(store, said(store))
    form["messages"][0]["pictures"][0]["url"] = "http://127.0.0.1/x.png"
    with pytest.raises(ExchangeError, match="url"):
        import_all(store, [form])


def test_chatgpt_brings_those_of_its_zip(tmp_path: Path) -> None:
    data, names = drawn("green", kind="WEBP"), {"file_0001.dat": "lamp.webp"}
    file = zipped(pictured(), conversation_asset_file_names=names, files={"file_0001.dat": data})
    (tmp_path / "conversations.json").write_bytes(pictured())
    (tmp_path / "file_0001-lamp.webp").write_bytes(data)
    for parsed in (parse(file, "chatgpt.zip"), parse_file(tmp_path / "conversations.json")):
        store = mine(str(len(parsed.notes)) + str(id(parsed)))
        [identity] = import_all(store, parsed).added
        [(name, taken)] = pictures(store, identity)
        assert (name, colour(taken)[:2]) == ("lamp.webp", ("JPEG", (640, 480)))
        message = store.thread(identity).messages[0]
        assert (message.text, (message.extra or {}).get("attachments")) == ("", None)


def test_what_the_zip_does_not_hold_stays_a_name() -> None:
    for file in (zipped(pictured()), zipped(pictured(), files={"file_0001.dat": b"no picture"})):
        [conversation] = parse(file, "chatgpt.zip")
        assert "pictures" not in conversation["messages"][0] or not conversation["messages"][0]["pictures"]
        assert conversation["messages"][0]["extra"]["attachments"] == [attachment("file_0001")]


def test_open_webui_brings_those_that_stand_in_it_and_fetches_none() -> None:
    held = f"data:image/png;base64,{b64encode(drawn('blue')).decode()}"
    parts = [
        {"type": "text", "text": "Which?"},
        {"type": "image_url", "image_url": {"url": held}},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}},
    ]
    said_so = {"role": "user", "content": parts, "files": [{"type": "image", "url": held}], "timestamp": 5}
    file = json.dumps([{"id": "one", "chat": {"history": {"messages": {"a": said_so}, "currentId": "a"}}}])
    store = mine()
    [identity] = import_all(store, parse(file.encode(), "webui.json")).added
    [(name, data)] = pictures(store, identity)
    assert (name, colour(data)) == ("picture", ("PNG", (640, 480), (30, 60, 220)))
    [message] = store.thread(identity).messages
    assert (message.text, (message.extra or {})["attachments"]) == ("Which?", [{"kind": "image", "name": "x.png"}])


def test_a_drawing_stands_with_its_prompt() -> None:
    pointer = {
        "content_type": "image_asset_pointer",
        "asset_pointer": "file-service://file-abcd1234",
        "metadata": {"dalle": {"prompt": "A lamp"}},
    }
    message = {"author": {"role": "tool"}, "content": {"content_type": "multimodal_text", "parts": [pointer]}}
    conversations = chatgpt({"a": {"message": message, "parent": None}}, id="one")
    file = zipped(conversations, files={"dalle-generations/file-abcd1234-lamp.webp": drawn("red", kind="WEBP")})
    [conversation] = parse(file, "chatgpt.zip")
    [made] = conversation["messages"]
    assert [each["name"] for each in made["pictures"]] == ["lamp.webp"]
    assert made["extra"]["attachments"][0]["prompt"] == "A lamp"
