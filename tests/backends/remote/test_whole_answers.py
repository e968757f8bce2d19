"""A whole answer where a stream was asked for, and a stream where a whole answer was: one request, and its reply."""

import gzip
import json
import zlib
from typing import Any

import pytest

from tests.byte_server import (
    CONTINUED,
    EVERY,
    STOP,
    STREAMED,
    TEXT,
    WHOLE,
    WORDS,
    ByteServer,
    ask_chain,
    chunk,
    head,
    reply,
    row_bytes,
    stream,
    whole,
    words,
)

FULL = whole(content=TEXT)
EVENTS = b"".join(row_bytes(row) for row in (*words(), chunk(STOP))) + b"data: [DONE]\n\n"


def packed(data: bytes, coding: str) -> list[bytes]:
    return [head("text/event-stream", 200, f"Content-Encoding: {coding}"), data]


def in_chunks(data: bytes, size: int) -> list[bytes]:
    """Chunks of HTTP that end anywhere."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    coded = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    return [head("text/event-stream", 200, "Transfer-Encoding: chunked"), *coded, b"0\r\n\r\n"]


TOLD: dict[str, list[bytes]] = {
    "JSON": reply(FULL),
    "JSON said to be a stream": reply(FULL, 200, "text/event-stream"),
    "JSON said to be text": reply(FULL, 200, "text/plain"),
    "JSON on many lines": reply(json.dumps(FULL, indent=2)),
    "JSON on many lines of Windows": reply(json.dumps(FULL, indent=2).replace("\n", "\r\n"), 200, "text/event-stream"),
    "JSON with a byte order mark": reply("\ufeff" + json.dumps(FULL)),
    "JSON in parts": reply(whole(content=[{"type": "text", "text": word} for word in WORDS])),
    "JSON of a refusal": reply(whole(content=None, refusal=TEXT)),
    "one event": stream(FULL),
    "one event, no DONE": stream(FULL, done=False),
    "packed JSON": [head("application/json", 200, "Content-Encoding: gzip"), gzip.compress(json.dumps(FULL).encode())],
}  # fmt: skip


@pytest.mark.parametrize("answer", TOLD.values(), ids=TOLD)
def test_a_whole_answer_is_the_reply(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in EVERY:
        byte_server.answer(answer)
        message = ask()
        assert message.text == TEXT
        assert message.response_metadata["finish_reason"] == "stop"
        assert message.response_metadata["model_name"] == "m-1"
        assert message.usage_metadata is not None
        assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (1965, 5)
        assert len(byte_server.requests) == 1


@pytest.mark.parametrize("answer", TOLD.values(), ids=TOLD)
def test_the_chain_asks_once(byte_server: ByteServer, answer: list[bytes]) -> None:
    byte_server.answer(answer)
    text, report = ask_chain()
    assert (text, report.prompt_tokens, report.completion_tokens, report.counted) == (TEXT, 1965, 5, True)
    assert (len(byte_server.requests), report.retries) == (1, [])


BARE: dict[str, dict[str, Any]] = {
    "no kind and no end": {"choices": [{"message": {"content": TEXT}}]},
    "an end that is null": {"choices": [{"index": 0, "message": {"content": TEXT}, "finish_reason": None}]},
    "a text": {"object": "text_completion", "choices": [{"index": 0, "text": TEXT}]},
}


@pytest.mark.parametrize("body", BARE.values(), ids=BARE)
def test_json_is_whole_by_itself(byte_server: ByteServer, body: dict[str, Any]) -> None:
    for ask in EVERY:
        byte_server.answer(reply(body))
        message = ask()
        assert (message.text, message.response_metadata["finish_reason"]) == (TEXT, "stop")


def test_a_whole_answer_with_thinking_and_a_tool(byte_server: ByteServer) -> None:
    for ask in (*STREAMED, *WHOLE):
        call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}
        byte_server.answer(reply(whole(content=None, reasoning_content="Hm", tool_calls=[call])))
        message = ask()
        assert (message.text, message.additional_kwargs["reasoning_content"]) == ("", "Hm")
        assert [(call["name"], call["args"], call["id"]) for call in message.tool_calls] == [
            ("search", {"q": 1}, "call_1")
        ]


CODED: dict[str, list[bytes]] = {
    "gzip": packed(gzip.compress(EVENTS), "gzip"),
    "deflate": packed(zlib.compress(EVENTS), "deflate"),
    "gzip and deflate": packed(gzip.compress(zlib.compress(EVENTS)), "deflate, gzip"),
    "chunks of one": in_chunks(EVENTS, 1),
    "chunks of seven": in_chunks(EVENTS, 7),
    "no kind": [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", EVENTS],
    "kind of JSON": [head("application/json"), EVENTS],
    "kind of text": [head("text/plain"), EVENTS],
    "HTTP 1.0": [b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", EVENTS],
}


@pytest.mark.parametrize("answer", CODED.values(), ids=CODED)
def test_a_stream_is_read_however_it_is_packed(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in EVERY:
        byte_server.answer(answer)
        assert ask().text == TEXT


def test_the_charset_of_the_header_counts_where_it_is_no_utf_8(byte_server: ByteServer) -> None:
    rows = "".join(f"data: {json.dumps(row, ensure_ascii=False)}\n\n" for row in (chunk("é ñ"), chunk(STOP)))
    for charset, data in (("iso-8859-1", rows.encode()), ("iso-8859-1", rows.encode("latin-1")), ("x", rows.encode())):
        byte_server.answer([head(f"text/event-stream; charset={charset}"), data])
        assert [ask().text for ask in (*STREAMED, *CONTINUED)] == ["é ñ"] * 4
