"""Responses that are kept: gone on from, referred to, told again and deleted, each by whoever asked for it."""

import json
import os
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from conversations.store import connect
from conversations.store.schema import StoredResponse
from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


def contents(loopback: Loopback) -> list[tuple[str, Any]]:
    """Who said what in the last request to the server."""
    return [(row["role"], row["content"]) for row in loopback.requests[-1]["messages"]]


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_goes_on_from_the_one_before(talk: Talk, loopback: Loopback, stream: bool) -> None:
    client, last = talk(LLM_BACKEND="openai"), None
    asked: list[tuple[str, Any]] = []
    for text in ("one", "two", "three"):
        made: Any = client.responses.create(
            model="default", input=text, previous_response_id=last, instructions=f"Be {text}.", stream=stream
        )
        if stream:
            *_, end = made
            made = end.response
        assert (made.previous_response_id, made.store) == (last, True)
        asked.append(("user", text))
        assert contents(loopback) == [("system", f"Be {text}."), *asked], "instructions are not carried over"
        asked.append(("assistant", made.output_text))
        last = made.id
        assert client.responses.retrieve(last).to_dict() == made.to_dict()


def test_a_local_model_answers_the_second_turn(talk: Talk) -> None:
    client = talk()
    first = client.responses.create(model="default", input="hi, how are you?", temperature=0)
    said: Any = [*HI, {"role": "assistant", "content": first.output_text}, {"role": "user", "content": "And you?"}]
    second = client.responses.create(
        model="default", input="And you?", previous_response_id=first.id, temperature=0, max_output_tokens=20
    )
    whole = client.responses.create(model="default", input=said, temperature=0, max_output_tokens=20)
    assert (second.output_text, second.usage) == (whole.output_text, whole.usage)


def test_items_are_referred_to(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    first = client.responses.create(model="default", input="one")
    said: Any = [
        {"role": "user", "content": "one"},
        {"type": "reasoning", "id": "rs_elsewhere", "summary": [], "encrypted_content": "x"},
        {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": [{"type": "input_text", "text": "two"}]},
    ]
    client.responses.create(model="default", input=said)
    told = [("user", "one"), ("assistant", first.output_text), ("user", "two")]
    assert contents(loopback) == told
    del said[2]["type"]
    again = client.responses.create(model="default", input=said, include=["reasoning.encrypted_content"])
    assert contents(loopback) == told
    kept = client.responses.input_items.list(again.id, order="asc").data
    assert [item.type for item in kept] == ["message", "reasoning", "message", "message"]
    assert kept[1].id == "rs_elsewhere"
    assert kept[2].to_dict() == first.output[0].to_dict()


def test_what_is_not_there_is_no_item(talk: Talk) -> None:
    client = talk()
    said: Any = [*HI, {"type": "item_reference", "id": "msg_elsewhere"}]
    with pytest.raises(NotFoundError, match="Item with id 'msg_elsewhere' not found") as refused:
        client.responses.create(model="default", input=said)
    assert refused.value.param == "input"
    with pytest.raises(BadRequestError, match="'resp_elsewhere' not found") as unknown:
        client.responses.create(model="default", input="hi", previous_response_id="resp_elsewhere")
    assert (unknown.value.code, unknown.value.param) == ("previous_response_not_found", "previous_response_id")
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(NotFoundError, match="Response with id 'resp_elsewhere' not found"):
            ask("resp_elsewhere")


@pytest.mark.parametrize("way", ["store", "setting"])
def test_what_is_not_to_be_kept_is_nowhere(talk: Talk, way: str) -> None:
    client = talk(**({"RESPONSE_RETENTION_DAYS": "0"} if way == "setting" else {}))
    store: Any = {"store": False} if way == "store" else {"store": True}
    made = client.responses.create(model="default", input="zebra", max_output_tokens=2, **store)
    events: Any = client.responses.create(model="default", input="zebra", max_output_tokens=2, stream=True, **store)
    *_, end = events
    for response in (made, end.response):
        assert response.to_dict()["store"] is False
        with pytest.raises(NotFoundError):
            client.responses.retrieve(response.id)
        with pytest.raises(BadRequestError) as refused:
            client.responses.create(model="default", input="hi", previous_response_id=response.id)
        assert refused.value.code == "previous_response_not_found"
        said: Any = [*HI, {"type": "item_reference", "id": response.output[0].id}]
        with pytest.raises(NotFoundError, match="store=true"):
            client.responses.create(model="default", input=said)
    database = connect(os.environ["DATABASE_URL"])
    with database.reading() as session:
        assert session.query(StoredResponse).count() == 0


def test_no_other_key_reaches_a_response(serve: Serve) -> None:
    url = f"{serve(API_KEYS='sk-one,sk-two').base_url}/v1"
    one, two = (OpenAI(base_url=url, api_key=key, max_retries=0) for key in ("sk-one", "sk-two"))
    made = one.responses.create(model="default", input="zebra", max_output_tokens=2)
    said: Any = [{"type": "item_reference", "id": made.output[0].id}, *HI]
    for ask in (two.responses.retrieve, two.responses.delete, two.responses.input_items.list):
        with pytest.raises(NotFoundError):
            ask(made.id)
    with pytest.raises(BadRequestError):
        two.responses.create(model="default", input="hi", previous_response_id=made.id)
    with pytest.raises(NotFoundError):
        two.responses.create(model="default", input=said)
    assert one.responses.retrieve(made.id).output_text == made.output_text


def test_a_response_is_deleted(talk: Talk) -> None:
    client = talk()
    first = client.responses.create(model="default", input="hi", max_output_tokens=2)
    second = client.responses.create(model="default", input="hi", max_output_tokens=2, previous_response_id=first.id)
    raw = client.responses.with_raw_response.delete(first.id)
    assert json.loads(raw.text) == {"id": first.id, "object": "response", "deleted": True}
    with pytest.raises(NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(NotFoundError):
        client.responses.delete(first.id)
    with pytest.raises(BadRequestError, match=first.id):
        client.responses.create(model="default", input="hi", previous_response_id=second.id)
    assert client.responses.retrieve(second.id).output_text == second.output_text


def test_the_items_of_an_input_come_page_by_page(talk: Talk) -> None:
    client = talk()
    said: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "id": "msg_mine", "type": "message"},
        {"role": "user", "content": "three"},
    ]
    made = client.responses.create(model="default", input=said, max_output_tokens=2)
    newest: Any = [item.to_dict() for item in client.responses.input_items.list(made.id, limit=3)]
    assert [item["role"] for item in newest] == ["user", "assistant", "user", "developer"]
    assert newest[2]["content"] == said[1]["content"]
    assert (newest[1]["id"], newest[1]["content"][0]["text"]) == ("msg_mine", "No.")
    assert len({item["id"] for item in newest}) == 4
    page = client.responses.input_items.list(made.id, limit=2, order="asc")
    assert (page.has_more, [item.to_dict() for item in page.data]) == (True, newest[:1:-1])


def long_talk(client: OpenAI, **options: Any) -> Any:
    turns = [{"role": role, "content": "word " * 80} for _ in range(10) for role in ("user", "assistant")]
    said: Any = [*turns, *HI]
    return client.responses.create(model="default", input=said, instructions="Be kind.", **options)


@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_fit_is_cut_where_that_is_asked_for(talk: Talk, stream: bool) -> None:
    client = talk()
    made = long_talk(client, truncation="auto", stream=stream)
    if stream:
        *_, end = made
        made = end.response
    assert (made.truncation, made.status) == ("auto", "completed")
    assert made.output_text
    assert 300 < made.usage.input_tokens <= 1024 - 256, "about half goes at once"
    for options in ({"truncation": "disabled"}, {}):
        with pytest.raises(BadRequestError) as refused:
            long_talk(client, stream=stream, **options)
        assert refused.value.code == "context_length_exceeded"
    with pytest.raises(BadRequestError) as hopeless:
        client.responses.create(model="default", input="word " * 1100, truncation="auto")
    assert hopeless.value.code == "context_length_exceeded"


def test_a_kept_talk_may_outgrow_the_window(talk: Talk) -> None:
    client = talk()
    first = client.responses.create(model="default", input="word " * 900, max_output_tokens=2)
    asked: Any = {"model": "default", "input": "word " * 300, "previous_response_id": first.id, "max_output_tokens": 2}
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(**asked)
    assert refused.value.code == "context_length_exceeded"
    assert client.responses.create(**asked, truncation="auto").output_text


INCLUDED = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "something.of.tomorrow",
]


def test_more_of_items_that_are_never_made_may_be_asked_for(serve: Serve) -> None:
    client = serve()
    answer = client.post("/v1/responses", json={"input": "hi", "max_output_tokens": 1, "include": INCLUDED})
    assert (answer.status_code, "x-ignored-fields" in answer.headers) == (200, False)
    refused = client.post("/v1/responses", json={"input": "hi", "include": ["message.output_text.logprobs"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "include")


def test_a_reply_that_failed_is_not_kept(serve: Serve, loopback: Loopback) -> None:
    loopback.script.append("cut")
    client = serve(LLM_BACKEND="openai")
    lines = client.post("/v1/responses", json={"input": "hi", "stream": True}).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert events[-1]["type"] == "response.failed"
    assert client.get(f"/v1/responses/{events[-1]['response']['id']}").status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_both_databases_keep_what_was_said(database_url: str, serve: Serve) -> None:
    client: httpx.Client = serve()
    text = 'a "b" \u0000 é 😀'
    made = client.post("/v1/responses", json={"input": text, "max_output_tokens": 2}).json()
    [item] = client.get(f"/v1/responses/{made['id']}/input_items").json()["data"]
    assert item["content"] == [{"type": "input_text", "text": text}]
    assert client.get(f"/v1/responses/{made['id']}").json() == made
    assert client.get(f"/v1/responses/{made['id']}?stream=true").status_code == 400


def test_vercels_ai_goes_on_by_itself(serve: Serve, loopback: Loopback) -> None:
    told = run_node("openai/vercel.mjs", serve(LLM_BACKEND="openai"))
    assert told["texts"] == ["It is a fine day . "] * 3
    assert told["references"] == 3, "one in the second turn, two in the third"
    assert [role for role, _ in contents(loopback)] == ["user", "assistant", "user", "assistant", "user"]
