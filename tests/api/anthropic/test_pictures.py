"""Pictures in messages, by Anthropic's own client, on a server whose backend is a scripted one that sees."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from documents.pictures.picture import Picture
from tests.api.anthropic.conftest import Talk
from tests.pictures import plain
from tests.scripted import Scripted, chat, models, serving

pytestmark = pytest.mark.server  # pictures are unpacked by a process of their own
RED, BLUE = plain(), plain("blue.png", "blue")
TOOL: Any = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
CALL: Any = {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Iterator[Scripted]:
    """One that says that its model sees."""
    rows = models("m-1", max_model_len=4096, architecture={"input_modalities": ["text", "image"]})
    with serving({"/v1/models": rows, "/v1/chat/completions": chat("It is red.", (20, 3))}) as scripted:
        monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
        yield scripted


def block(picture: Picture) -> Any:
    """The picture as Anthropic's clients send it."""
    data = b64encode(picture.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": picture.mime_type, "data": data}}


def wire(picture: Picture) -> Any:
    """The picture as a server gets it."""
    return {"type": "image_url", "image_url": {"url": picture.data_url}}


def test_pictures_of_a_person_and_of_a_tool_are_shown(talk: Talk, server: Scripted) -> None:
    client = talk(LLM_BACKEND="openai")
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "A"}, block(BLUE)]}
    messages: Any = [
        {"role": "user", "content": [block(RED), {"type": "text", "text": "What is this?"}]},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [result, {"type": "text", "text": "And that?"}]},
    ]
    told: Any = client.messages.create(model="default", max_tokens=9, messages=messages, tools=[TOOL])
    assert told.content[0].text == "It is red."
    rows = server.sent()[-1]["messages"]
    assert rows[0]["content"] == [wire(RED), {"type": "text", "text": "What is this?"}]
    assert (rows[2]["role"], rows[2]["content"]) == ("tool", "A")
    assert rows[3]["content"] == [wire(BLUE), {"type": "text", "text": "And that?"}]


def test_an_address_that_nobody_allows_is_named(talk: Talk, server: Scripted) -> None:
    far: Any = [{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]
    with pytest.raises(anthropic.BadRequestError, match="IMAGE_URLS"):
        talk(LLM_BACKEND="openai").messages.create(
            model="default", max_tokens=9, messages=[{"role": "user", "content": far}]
        )
