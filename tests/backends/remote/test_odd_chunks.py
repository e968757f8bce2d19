"""Chunks as servers really send them: read where they can be, else one line that names the server."""

import json
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.exceptions import ModelAPIError, ModelError

from chains.fallback import NoAnswerError
from tests.byte_server import (
    EVERY,
    STOP,
    STREAMED,
    TEXT,
    WHOLE,
    WORDS,
    ByteServer,
    ask_chain,
    chunk,
    delta,
    head,
    load,
    row_bytes,
    stream,
    words,
)

END = chunk(STOP)


def messages(content: str = "") -> list[dict[str, Any]]:
    """Chunks with a message in the place of a delta."""
    return [chunk({"message": {"role": "assistant", "content": word}}) for word in WORDS]


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def data(*rows: dict[str, Any], begin: str = "data: ", end: str = "\n\n") -> list[str]:
    return [begin + row_bytes(row).decode().removeprefix("data: ").strip() + end for row in rows]


READ: dict[str, list[bytes]] = {
    "a role alone": stream(delta(role="assistant"), *words(), END),
    "a role that is another": stream(*(delta(role=role, content=word) for role, word in zip(
        ["model", "bot", "", "user", "system"], WORDS, strict=True)), END),
    "a role that is null": stream(*(delta(role=None, content=word) for word in WORDS), END),
    "a delta that is null": stream(chunk("One"), chunk({"delta": None}), *words()[1:], END),
    "no choices": stream(without(chunk(), "choices"), *words(), END, chunk(), {**chunk(), "choices": None}),
    "no id, kind, time, model": stream(*(without(row, "id", "object", "created", "model") for row in [*words(), END])),
    "no index": stream(*(chunk({"delta": {"content": word}, "index": None}) for word in WORDS), END),
    "another index": stream(*(chunk({"delta": {"content": word}, "index": 1}) for word in WORDS), END),
    "a choice beside it": stream(*(chunk() | {"choices": [{"index": 1, "delta": {"content": "other"}},
                                                          {"index": 0, "delta": {"content": word}}]}
                                   for word in WORDS), END),
    "calls of no tool": stream(*(delta(content=word, tool_calls=[], function_call=None) for word in WORDS), END),
    "calls that are none": stream(delta(tool_calls=[None, "x", 7]), *words(), END),
    "a message": stream(*messages(), END),
    "a message beside the delta": stream(*(chunk({"delta": {"content": word}, "message": {"content": "".join(WORDS)}})
                                           for word in WORDS), END),
    "a message after all": stream(*words(), chunk({"message": {"content": TEXT}, "finish_reason": "stop"})),
    "a message beside an empty delta": stream(chunk({"delta": {}, "message": {"content": TEXT}}), END),
    "a text": stream(*(chunk({"text": word}) for word in WORDS), END),
    "parts of text": stream(*(delta(content=[{"type": "text", "text": word}]) for word in WORDS), END),
    "parts that are texts": stream(*(delta(content=[word]) for word in WORDS), END),
    "one part": stream(*(delta(content={"type": "text", "text": word}) for word in WORDS), END),
    "parts of another kind": stream(delta(content=[{"type": "image_url", "image_url": {}}]), *words(), END),
    "notices": stream({"type": "ping"}, {"object": "x"}, {"type": "status", "message": "Loading"}, *words(), END,
                      {"timings": {"x": 1}}),
    "comments": stream(": OPENROUTER PROCESSING\n\n", *words(), ": ping\r\n\r\n", ":\n\n", END),
    "names of events": stream("event: message\n", *words(), "id: 3\nretry: 10\nevent: ping\ndata: {}\n\n", END),
    "empty data": stream("data:\n\n", "event: ping\ndata: \n\n", "data: null\n\n", *words(), END),
    "errors that are none": stream(*words(error=None), {**END, "error": {}}, chunk(error=False), chunk(error="")),
    "a byte order mark": [head(), "\ufeff".encode(), *stream(*words(), END)[1:]],
    "a byte order mark each": stream(*data(*words(), END, begin="\ufeffdata: ")),
    "line ends of Windows": stream(*words(), END, end="\r\n\r\n"),
    "line ends of old": stream(*words(), END, end="\r\r"),
    "line ends alone": stream(*data(*words(), END, end="\n")),
    "no space": stream(*data(*words(), END, begin="data:")),
    "data twice": stream(*data(*words(), END, begin="data: data: ")),
    "data forgotten": stream(*data(*words(), END, begin="")),
    "lines of JSON": stream(*data(*words(), END, begin="", end="\n"), done=False),
    "several lines of data": stream("".join(f"data: {line}\n" for line in ["{", '"choices": [', '{"delta":',
                                    '{"content": "One"}}', "]}"]) + "\n", *words()[1:], END),
    "logprobs": stream(*(chunk({"delta": {"content": word}, "logprobs": {"content": None}}) for word in WORDS), END),
}  # fmt: skip


@pytest.mark.parametrize("answer", READ.values(), ids=READ)
def test_odd_chunks_are_read(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in EVERY:
        byte_server.answer(answer)
        message = ask()
        assert (message.text, message.type.lower().removesuffix("messagechunk")) == (TEXT, "ai")
        assert message.response_metadata["finish_reason"] == "stop"
        assert len(byte_server.requests) == 1


def test_values_without_quotes_are_text(byte_server: ByteServer) -> None:
    for ask in EVERY:
        byte_server.answer(stream(delta(content=1), delta(content=2), delta(content=None), delta(content=0.5), END))
        assert ask().text == "120.5"


HALVES = {
    "two chunks": ["a\ud83d", "\ude00!"],
    "a chunk between": ["a\ud83d", "", "\ude00!"],
    "whole": ["a\U0001f600!"],
}


@pytest.mark.parametrize("pieces", HALVES.values(), ids=HALVES)
def test_halves_of_a_character_are_joined(byte_server: ByteServer, pieces: list[str]) -> None:
    for ask in EVERY:
        byte_server.answer(stream(*(chunk(piece) for piece in pieces), END))
        assert ask().text == "a\U0001f600!"


def test_a_half_alone_is_shown_as_such(byte_server: ByteServer) -> None:
    for pieces in (["a", "\ud83d"], ["a\ud83d"]):
        byte_server.answer(stream(*(chunk(piece) for piece in pieces), END))
        assert [ask().text for ask in EVERY] == ["a\ufffd"] * 6


def test_bytes_of_a_character_come_in_any_packet(byte_server: ByteServer) -> None:
    text = "é 你好 👨‍👩‍👧 \u2028\u2029\x85"
    rows = [f"data: {json.dumps(row, ensure_ascii=False)}\n\n" for row in (chunk(text), END)]
    sent = b"".join(stream(*rows))
    assert text.encode() in sent
    byte_server.answer([sent[at : at + 1] for at in range(len(sent))])
    assert [ask().text for ask in STREAMED] == [text] * 2


WRONG: dict[str, tuple[Any, str]] = {
    "choices is an object": (chunk() | {"choices": {"index": 0, "delta": {"content": "One"}}}, "choices is an object"),
    "choices is a text": (chunk() | {"choices": "One"}, "choices is a text"),
    "a choice is null": (chunk() | {"choices": [None]}, "a choice is null"),
    "a choice is a text": (chunk() | {"choices": ["One"]}, "a choice is a text"),
    "delta is a text": (chunk({"delta": "One"}), "delta is a text"),
    "delta is a list": (chunk({"delta": ["One"]}), "delta is a list"),
    "message is a number": (chunk({"message": 7}), "message is a number"),
    "a row is a list": ('data: [{"choices": []}]\n\n', "a row is a list"),
    "a row is a text": ('data: "One"\n\n', "a row is a text"),
    "a row is a number": ("data: 1\n\n", "a row is a number"),
    "a row is no JSON": ('data: {"choices": [{\n\n', "a row is no JSON"),
    "a row is words": ("data: out of memory\n\n", 'a row is no JSON: "out of memory"'),
    "a row without end": (f"data: {'[' * 9000}\n\n", "a row is no JSON"),
    "a content without end": (chunk("@") | {}, "nested without end"),
}


def wrong_row(row: Any) -> Any:
    """The row; one marked with @ has lists in lists in its place."""
    return row_bytes(row).replace(b'"@"', b"[" * 900 + b"]" * 900) if isinstance(row, dict) else row


@pytest.mark.parametrize(("row", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_shape_is_one_line_that_names_the_server(byte_server: ByteServer, row: Any, said: str) -> None:
    for ask in EVERY:
        byte_server.answer(stream(wrong_row(row), END))
        with pytest.raises(ModelAPIError) as caught:
            ask()
        text = str(caught.value)
        assert text.startswith(f"openai ({byte_server.url}): its answer has not the shape of OpenAI's: ")
        assert said in text
        assert "\n" not in text
        assert len(text) < 300


def test_a_wrong_shape_is_tried_again_and_another_backend_answers(
    byte_server: ByteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = stream(chunk() | {"choices": [None]}, END)
    byte_server.answer(wrong, stream(*words(), END))
    text, report = ask_chain()
    assert (text, len(report.retries), len(byte_server.requests)) == (TEXT, 1, 2)
    byte_server.answer(wrong)
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    text, report = ask_chain(max_tokens=5)
    assert text
    assert (report.backend, len(report.retries)) == ("llamacpp", 3)


def test_a_wrong_shape_keeps_the_words_before_it(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words(), chunk() | {"choices": [None]}))
    read = ""
    with suppress(ModelError):
        for piece in load().stream("hi"):
            read += piece.text
        pytest.fail("it was taken for a reply")
    assert read == TEXT


REFUSED: dict[str, list[bytes]] = {
    "in pieces": stream(delta(role="assistant", content=None, refusal=None), delta(refusal="I cannot help"),
                        delta(refusal=" with that."), END),
    "as a part": stream(delta(content=[{"type": "refusal", "refusal": "I cannot help with that."}]), END),
}  # fmt: skip


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_the_reply(byte_server: ByteServer, answer: list[bytes]) -> None:
    for ask in (*STREAMED, *WHOLE):
        byte_server.answer(answer)
        assert ask().text == "I cannot help with that."
        assert ask_chain()[0] == "I cannot help with that."
        assert len(byte_server.requests) == 2


THOUGHTS: dict[str, list[dict[str, Any]]] = {
    "reasoning_content": [delta(content=None, reasoning_content=word) for word in ("Hm", ", ok")],
    "reasoning": [delta(content="", reasoning=word) for word in ("Hm", ", ok")],
    "thinking": [delta(content="", thinking=word) for word in ("Hm", ", ok")],
    "both names": [delta(content="", reasoning=word, reasoning_content=word) for word in ("Hm", ", ok")],
    "parts": [delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": word}]}])
              for word in ("Hm", ", ok", "")],
    "parts of text": [delta(content=[{"type": "reasoning", "text": word}]) for word in ("Hm", ", ok")],
}  # fmt: skip


@pytest.mark.parametrize("rows", THOUGHTS.values(), ids=THOUGHTS)
def test_thinking_stands_beside_the_text(byte_server: ByteServer, rows: list[dict[str, Any]]) -> None:
    for ask in (*STREAMED, *WHOLE):
        byte_server.answer(stream(*rows, *words(), END))
        message = ask()
        assert message.text == TEXT
        assert message.additional_kwargs["reasoning_content"] == "Hm, ok"


SEARCH = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "search", "arguments": ""}}
TOOLS: dict[str, list[dict[str, Any]]] = {
    "in pieces": [delta(content=None, tool_calls=[SEARCH]),
                  delta(tool_calls=[{"index": 0, "function": {"arguments": '{"q": '}}]),
                  delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}])],
    "named each time": [delta(tool_calls=[SEARCH | {"function": {"name": "search", "arguments": piece}}])
                        for piece in ('{"q": ', "1}")],
    "without a place": [delta(tool_calls=[{"id": "call_1", "function": {"name": "search", "arguments": {"q": 1}}}])],
    "the old way": [delta(function_call={"name": "search", "arguments": '{"q": '}),
                    delta(function_call={"arguments": "1}"})],
}  # fmt: skip


@pytest.mark.parametrize("rows", TOOLS.values(), ids=TOOLS)
def test_a_call_of_a_tool_is_read_once(byte_server: ByteServer, rows: list[dict[str, Any]]) -> None:
    for ask in (*STREAMED, *WHOLE):
        byte_server.answer(stream(*rows, chunk({"delta": {}, "finish_reason": "tool_calls"})))
        message = ask()
        assert [(call["name"], call["args"]) for call in message.tool_calls] == [("search", {"q": 1})]
        with pytest.raises(NoAnswerError, match=r"openai asked for a tool \(search\)"):
            ask_chain()
        assert len(byte_server.requests) == 2


def spent(reason: str = "length", **usage: Any) -> dict[str, Any]:
    told = {"prompt_tokens": 9, "completion_tokens": 1256, "total_tokens": 1265, **usage}
    return chunk({"delta": {}, "finish_reason": reason}, usage=told)


UNANSWERED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "thinking until length": (
        [delta(reasoning_content="Hm"), spent()],
        "used all of its 1,256 tokens for thinking before an answer: raise MAX_TOKENS",
    ),
    "hidden thinking": (
        [chunk(""), spent(completion_tokens_details={"reasoning_tokens": 1256})],
        "used all of its 1,256 tokens for thinking before an answer: raise MAX_TOKENS",
    ),
    "nothing until length": ([spent()], "used all of its 1,256 tokens before the first word of an answer"),
    "no figure": (
        [delta(reasoning="Hm"), chunk({"delta": {}, "finish_reason": "length"})],
        "used all of its tokens for thinking before an answer: raise MAX_TOKENS",
    ),
    "thinking alone": ([delta(reasoning="Hm"), END], "only thought and gave no answer"),
    "a filter": ([spent("content_filter")], "held its reply back: a content filter stopped it"),
    "a tool": ([delta(tool_calls=[SEARCH]), spent("tool_calls")], r"asked for a tool \(search\)"),
}


@pytest.mark.parametrize(("rows", "cause"), UNANSWERED.values(), ids=UNANSWERED)
def test_no_answer_is_one_request_and_its_cause(
    byte_server: ByteServer, rows: list[dict[str, Any]], cause: str
) -> None:
    byte_server.answer(stream(*rows))
    with pytest.raises(NoAnswerError, match=f"openai {cause}") as caught:
        ask_chain()
    assert len(byte_server.requests) == 1
    assert "\n" not in str(caught.value)


def test_another_backend_answers_where_one_only_thinks(
    byte_server: ByteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    byte_server.answer(stream(delta(reasoning="Hm"), spent()))
    text, report = ask_chain(max_tokens=5)
    assert text
    assert (report.backend, len(byte_server.requests)) == ("llamacpp", 1)
