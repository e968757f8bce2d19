"""A conversation as a file over the API."""

import json
from typing import Any

import httpx
import pypdfium2  # type: ignore[import-untyped]

from api.http.auth import hash_key
from api.http.state import create_state
from conversations import exchange
from conversations.exchange.schema import validate_conversation
from conversations.store import Store
from tests.api.conftest import Serve
from tests.conversations.exchange.made import chain, message

KEYS = {"API_KEYS": "sk-one,sk-two"}


def talk(messages: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A conversation of these messages."""
    return validate_conversation(chain(0) | {"title": "Bees", "messages": messages} | fields)


def owner_of(client: httpx.Client, key: str = "sk-one") -> Store:
    """The store of whoever holds a key."""
    state = create_state()
    return Store(state.database, f"key:{state.pseudonyms.of('key', hash_key(key))}")


def test_each_format_is_a_file_of_its_kind(serve: Serve) -> None:
    client = serve(**KEYS)
    client.headers["Authorization"] = "Bearer sk-one"
    said = talk([message(0), message(1, 0, "assistant", text="Bees **buzz**.", state="done")])
    identity = exchange.import_conversation(owner_of(client), said)

    def get(name: str, **headers: str) -> httpx.Response:
        return client.get(f"/conversations/{identity}/export", params={"format": name}, headers=headers)

    assert [each["id"] for each in get("json").json()["conversations"]] == [identity]
    assert "> Bees **buzz**." in get("markdown").text
    assert "Bees <strong>buzz</strong>." in get("html").text
    assert json.loads(get("jsonl").text)["messages"][1] == {"role": "assistant", "content": "Bees **buzz**."}
    assert get("jsonl-liked").text == ""
    with pypdfium2.PdfDocument(get("pdf").content) as document:
        assert "Bees buzz." in document[0].get_textpage().get_text_range()
    for name, form in exchange.FORMATS.items():
        answer = get(name)
        assert answer.headers["content-type"].partition(";")[0] == form.media_type
        assert answer.headers["content-disposition"] == f'attachment; filename="{identity}{exchange.ending(name)}"'
    assert get("json", Authorization="Bearer sk-two").status_code == 404
    assert get("docx").status_code == 400
    assert httpx.get(f"{client.base_url}/conversations/{identity}/export", timeout=300).status_code == 401


def test_every_format_can_be_asked_for() -> None:
    from api.exchange.exports import FormatName

    assert set(FormatName.__args__) == set(exchange.FORMATS)  # type: ignore[attr-defined]
