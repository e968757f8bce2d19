"""How a reply ends: said by a reason, by [DONE], by both or by neither; and what stands beside it, once."""

from typing import Any

import pytest
from langchain_core.exceptions import ModelConnectionError

from conversations.replies import turn
from conversations.store.schema import State
from tests.byte_server import (
    CONTINUED,
    DONE,
    EVERY,
    STOP,
    STREAMED,
    TEXT,
    WORDS,
    ByteServer,
    Row,
    ask_chain,
    chunk,
    head,
    row_bytes,
    stream,
    words,
)
from tests.conversations.talk import ask as asked_with
from tests.conversations.talk import mine, over

LAST = chunk(usage={"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8})


def without_reason(word: str) -> dict[str, Any]:
    row = chunk(word)
    del row["choices"][0]["finish_reason"]
    return row


def with_reason(reason: Any) -> list[Row]:
    return [chunk({"delta": {"content": word}, "finish_reason": reason}) for word in WORDS]


DONE_WITHOUT_REASON: dict[str, list[Row]] = {
    "null": [*words()],
    "absent": [without_reason(word) for word in WORDS],
    "empty": with_reason(""),
    "the word null": with_reason("null"),
    "false": with_reason(False),
    "usage": [*words(), LAST],
}
ENDED: dict[str, list[bytes]] = {
    **{name: stream(*rows) for name, rows in DONE_WITHOUT_REASON.items()},
    "a reason, no DONE": stream(*words(), chunk(STOP), done=False),
    "a reason in a chunk without delta": stream(*words(), chunk({"finish_reason": "stop"}), done=False),
    "a reason in a chunk with delta null": stream(
        *words(), chunk({"delta": None, "finish_reason": "stop"}), done=False
    ),
    "a reason in a chunk with PHP's delta": stream(*words(), chunk({"delta": [], "finish_reason": "stop"}), done=False),
    "a reason with the last word": stream(
        *words()[:-1], chunk({"delta": {"content": " five"}, "finish_reason": "stop"}), done=False
    ),
    "a reason with each word": stream(*with_reason("stop"), done=False),
    "a reason before the last word": stream(
        *words()[:-1], chunk(STOP), chunk(" five"), done=False
    ),
    "a number": stream(*words(), chunk({"delta": {}, "finish_reason": 1}), done=False),
    "an object": stream(*words(), chunk({"delta": {}, "finish_reason": {"type": "stop"}}), done=False),
    "DONE without a space": stream(*words(), "data:[DONE]\n\n", done=False),
    "DONE without a line end": stream(*words(), "data: [DONE]", done=False),
    "DONE as JSON": stream(*words(), 'data: "[DONE]"\n\n', done=False),
    "done": stream(*words(), "data: [done]\n\n", done=False),
    "DONE without data": stream(*words(), "[DONE]\n", done=False),
    "DONE twice": stream(*words(), chunk(STOP), DONE),
    "more after DONE": stream(*words(), DONE, {"error": {"message": "too late"}}, "data: {no JSON\n\n"),
    "a wrong shape after the end": stream(*words(), chunk(STOP), chunk() | {"choices": 1}, "data: [1]\n\n", done=False),
    "no JSON after the end": stream(*words(), chunk(STOP), 'data: {"usage": \n\n', "data: words\n\n", done=False),
    "no empty line at the end": stream(*words(), row_bytes(chunk(STOP)).strip(), done=False),
}  # fmt: skip


@pytest.mark.parametrize("answer", ENDED.values(), ids=ENDED)
def test_a_reply_that_ended(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in EVERY:
        byte_server.answer(answer)
        message = ask()
        assert (message.text, message.response_metadata["finish_reason"]) == (TEXT, "stop")
        assert len(byte_server.requests) == 1


BROKEN: dict[str, list[bytes]] = {
    "closed": stream(*words(), done=False),
    "closed after usage": stream(*words(), LAST, done=False),
    "closed in a row": stream(*words(), row_bytes(chunk(STOP))[:40], done=False),
    "reset": [head("text/event-stream", 200, "Content-Length: 9999"), *(row_bytes(row) for row in words())],
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_reply_that_broke_off(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in STREAMED:
        byte_server.answer(answer)
        with pytest.raises(ModelConnectionError, match="broke off") as caught:
            ask()
        assert byte_server.url in str(caught.value)
        assert "Try again" in str(caught.value)


def test_a_connection_that_breaks_after_the_end_takes_nothing(byte_server: ByteServer) -> None:
    rows = [row_bytes(row) for row in (*words(), chunk(STOP))]
    byte_server.answer([head("text/event-stream", 200, "Content-Length: 9999"), *rows])
    assert [ask().text for ask in (*STREAMED, *CONTINUED)] == [TEXT] * 4


def test_the_next_turn_holds_a_reply_that_named_no_end(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words()))
    store = mine()
    first = over(store, turn.send(store, None, "one", asked_with("openai")))
    assert (first.state, first.text, first.stop_reason, first.error) == (State.DONE, TEXT, "stop", None)
    over(store, turn.send(store, first.conversation_id, "two", asked_with("openai")))
    said = [message["content"] for message in byte_server.requests[-1]["messages"][1:]]
    assert said == ["one", TEXT, "two"]


REASONS = {
    "length": "length", "content_filter": "content_filter", "end_turn": "stop", "eos_token": "stop", "STOP": "stop",
    "MAX_TOKENS": "length", "max_tokens": "length", "SAFETY": "content_filter", "tool_use": "tool_calls",
}  # fmt: skip


@pytest.mark.parametrize(("sent", "meant"), REASONS.items())
def test_reasons_are_told_in_openai_words(byte_server: ByteServer, sent: str, meant: str) -> None:
    byte_server.answer(stream(*words(), chunk({"delta": {}, "finish_reason": sent})))
    assert [ask().response_metadata["finish_reason"] for ask in EVERY] == [meant] * 6


def test_nothing_is_joined_and_the_last_value_holds(byte_server: ByteServer) -> None:
    for ask in EVERY:
        rows = [chunk(word, system_fingerprint="fp", service_tier="default") for word in WORDS]
        ends = [chunk(STOP, system_fingerprint="fp", service_tier="default", id="c2", model="m-2")] * 2
        byte_server.answer(stream(*rows, *ends))
        metadata = ask().response_metadata
        assert (metadata["finish_reason"], metadata["model_name"]) == ("stop", "m-2")
        assert metadata.get("model_provider", "openai") == "openai"
        assert metadata.get("system_fingerprint", "fp") == "fp"
        assert metadata.get("service_tier", "default") == "default"


def test_a_text_that_goes_on_names_its_model_once(byte_server: ByteServer) -> None:
    rows = [{**chunk(), "choices": [{"index": 0, "text": word, "finish_reason": None}]} for word in WORDS[:4]]
    byte_server.answer(stream(*rows, {**chunk(), "choices": [{"index": 0, "text": "", "finish_reason": "length"}]}))
    for ask in CONTINUED:
        message = ask()
        assert message.text == "One two three four"
        assert message.response_metadata == {"model_name": "m-1", "finish_reason": "length"}


@pytest.mark.parametrize("wrong", [None, "", 7, ["m"], {"name": "m"}])
def test_where_the_server_names_no_model_it_is_the_one_that_was_asked(byte_server: ByteServer, wrong: Any) -> None:
    byte_server.answer(stream(*words(model=wrong, id=wrong, system_fingerprint=wrong), chunk(STOP, model=wrong)))
    text, report = ask_chain()
    assert (text, report.model) == (TEXT, "m-1")
    assert {ask().response_metadata["model_name"] for ask in EVERY} == {"m-1"}
