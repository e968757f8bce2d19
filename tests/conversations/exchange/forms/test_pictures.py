"""Pictures come along where an export holds their bytes: in a message, or in the zip beside it."""

import io
import json
import zipfile
from base64 import b64decode, b64encode
from typing import Any

import pytest

from conversations.exchange import export_conversation, import_all, parse
from tests.conversations.exchange.forms.test_beside import picture
from tests.conversations.exchange.made import FIXTURES
from tests.conversations.talk import mine

PNG = picture()
DATA = b64encode(PNG).decode()
ADDRESS = f"data:image/png;base64,{DATA}"
ASKED = {"role": "user", "content": [{"type": "text", "text": "What is it?"}]}


def with_part(part: dict[str, Any]) -> list[Any]:
    """A list of messages, the first of which has this part."""
    return [{**ASKED, "content": [*ASKED["content"], part]}, {"role": "assistant", "content": "A dot."}]


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return packed.getvalue()


def fixture(name: str, old: str, new: str) -> bytes:
    text = (FIXTURES / name).read_text()
    assert old in text
    return text.replace(old, new).encode()


SAVED = {
    "runSettings": {},
    "chunkedPrompt": {"chunks": [{"inlineImage": {"mimeType": "image/png", "data": DATA}, "role": "user"}]},
}
LINE = {"name": "Ines", "is_user": True, "send_date": 1774768080000, "mes": "Look.", "extra": {"image": ADDRESS}}
CASES = {
    "OpenAI": json.dumps(with_part({"type": "image_url", "image_url": {"url": ADDRESS}})).encode(),
    "Anthropic": json.dumps(
        with_part({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}})
    ).encode(),
    "Google": json.dumps(with_part({"inlineData": {"mimeType": "image/png", "data": DATA}})).encode(),
    "llama.cpp": fixture("llamacpp.json", "data:image/png;base64," + "A" * 200, ADDRESS),
    "TypingMind": fixture("typingmind.json", "data:image/png;base64," + "A" * 200, ADDRESS),
    "AI Studio": json.dumps(SAVED).encode(),
    "SillyTavern": "\n".join(map(json.dumps, [{"user_name": "Ines", "chat_metadata": {}}, LINE])).encode(),
    "LibreChat": fixture(
        "librechat-tree.json", '"filename": "tower.jpg"', f'"filename": "tower.jpg", "url": "{ADDRESS}"'
    ),
    "Claude": zipped(conversations_dot_json=(FIXTURES / "claude.json").read_bytes(), files__f1__tower_dot_png=PNG),
    "chat-ui": zipped(
        conversations_dot_json=fixture("chatui.json", "file-66aa-0011.png", "gull.png"), gull_dot_png=PNG
    ),
    "Gemini": zipped(
        conversation_1_dot_txt=(FIXTURES / "gemini.json").read_bytes(), conversation_1_turn_1_images_0_dot_png=PNG
    ),
}


@pytest.mark.parametrize("program", CASES)
def test_a_picture_comes_along(program: str) -> None:
    found = parse(CASES[program], "x")
    held = [each for message in found[0]["messages"] for each in message.get("pictures", [])]
    assert [b64decode(each["data"]) for each in held] == [PNG]
    assert not any("files" in line for line in found.notes)


@pytest.mark.server  # a process of its own unpacks pictures
@pytest.mark.usefixtures("database_url")
def test_it_is_kept_as_any_other_is() -> None:
    store, found = mine(), parse(CASES["OpenAI"], "x")
    report = import_all(store, found)
    assert report.notes == []
    [kept] = export_conversation(store, report.added[0])["messages"][0]["pictures"]
    assert (kept["width"], kept["height"], kept["position"]) == (1, 1, len("What is it?"))


@pytest.mark.server  # a process of its own unpacks pictures
def test_one_that_is_broken_is_named_and_the_words_stay() -> None:
    store, found = mine(), parse(CASES["OpenAI"].replace(DATA.encode(), DATA[:60].encode()), "x")
    report = import_all(store, found)
    assert [m["text"] for m in export_conversation(store, report.added[0])["messages"]] == ["What is it?", "A dot."]
    assert len(report.notes) == 1
