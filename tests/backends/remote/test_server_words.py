"""What a server says went wrong reaches the person, on one line, in whatever form it is said."""

import json
from typing import Any

import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from backends.remote.error_body import find_error, find_words, one_line
from tests.byte_server import (
    CONTINUED,
    EVERY,
    STOP,
    STREAMED,
    TEXT,
    WHOLE,
    ByteServer,
    Row,
    ask_chain,
    chunk,
    head,
    reply,
    stream,
    words,
)
from tests.loopback import KEY

MEMORY = "GPU is out of memory"
REFUSAL = "top_k is not supported"
PAGE = "<!DOCTYPE html>\n<html><head><title>502 Bad\nGateway &amp; more</title></head><body>" + "<p>x</p>" * 200

ROWS: dict[str, Row] = {
    "an object": {"error": {"message": MEMORY, "type": "server_error", "code": 500}},
    "a text": {"error": MEMORY},
    "a flat one": {"object": "error", "message": MEMORY, "type": "InternalServerError", "param": None, "code": 500},
    "a detail": {"detail": MEMORY},
    "an event of text": f"event: error\ndata: {MEMORY}\n\n",
    "an event of a JSON text": f'event: error\ndata: "{MEMORY}"\n\n',
    "an event of JSON": f'event: error\ndata: {{"message": "{MEMORY}"}}\n\n',
    "beside a choice": chunk({"delta": {}, "finish_reason": "error"}, error={"code": 502, "message": MEMORY}),
    "without data": f'{{"error": {{"message": "{MEMORY}", "code": 500}}}}\n\n',
    "on several lines": '{\n  "error": {\n    "message": "' + MEMORY + '"\n  }\n}\n',
    "of Anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": MEMORY}},
    "of MiniMax": {"base_resp": {"status_code": 1000, "status_msg": MEMORY}, "choices": None},
    "of Zhipu": {"code": 500, "msg": MEMORY, "success": False},
    "of Baidu": {"error_code": 336100, "error_msg": MEMORY},
    "a message alone": {"message": MEMORY},
    "a list of errors": {"errors": [{"message": MEMORY}]},
    "a page": f"event: error\ndata: <html><head><title>{MEMORY}</title></head></html>\n\n",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_words_in_a_stream(byte_server: ByteServer, row: Row) -> None:
    for ask in EVERY:
        byte_server.answer(stream(*words(), row, done=False))
        with pytest.raises(ModelAPIError, match=MEMORY) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"openai ({byte_server.url}): ")


@pytest.mark.parametrize("row", [row for row in ROWS.values() if isinstance(row, dict)])
def test_words_in_json_with_status_200(byte_server: ByteServer, row: Row) -> None:
    for ask in EVERY:
        byte_server.answer(reply(row))
        with pytest.raises(ModelAPIError, match=MEMORY) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_an_end_that_is_a_failure(byte_server: ByteServer) -> None:
    for reason in ("error", "network_error", "insufficient_system_resource", "abort"):
        byte_server.answer(stream(*words(), chunk({"delta": {}, "finish_reason": reason})))
        for ask in EVERY:
            with pytest.raises(ModelAPIError, match=f'the server ended the reply with "{reason}"'):
                ask()


BODIES: dict[str, Any] = {
    "of OpenAI": {"error": {"message": REFUSAL, "type": "invalid_request_error", "param": "top_k", "code": None}},
    "a detail": {"detail": REFUSAL},
    "a field of FastAPI": {"detail": [{"loc": ["body", "top_k"], "msg": REFUSAL, "input": "a secret"}]},
    "an error": {"error": REFUSAL},
    "a message": {"object": "error", "message": REFUSAL, "type": "BadRequestError", "code": 400},
    "msg": {"code": 400, "msg": REFUSAL},
    "a list of errors": {"errors": [{"message": REFUSAL, "code": 7}]},
    "a list of texts": {"errors": [REFUSAL]},
    "a list": [{"error": {"code": 400, "message": REFUSAL, "status": "INVALID_ARGUMENT"}}],
    "a message in a message": {"error": {"message": {"detail": REFUSAL}}},
    "JSON in a message": {"error": {"message": json.dumps({"detail": REFUSAL})}},
    "true": {"error": True, "message": REFUSAL},
    "of Spring": {"status": 400, "error": "Bad Request", "message": REFUSAL, "path": "/v1"},
    "a problem": {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": REFUSAL},
    "of AWS": {"Message": REFUSAL},
    "text": REFUSAL,
    "XML": f"<?xml version='1.0'?>\n<Error><Message>{REFUSAL}</Message></Error>",
    "an event": f'event: error\ndata: {{"error": "{REFUSAL}"}}\n\n',
}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_words_with_a_status(byte_server: ByteServer, body: Any, status: int) -> None:
    for ask in EVERY:
        byte_server.answer(reply(body, status))
        with pytest.raises(ModelInvalidRequestError, match=REFUSAL) as caught:
            ask()
        assert str(caught.value).endswith(f"{REFUSAL}. Unset the knob that the server names.")
        assert "secret" not in str(caught.value)


def test_fastapi_names_the_field(byte_server: ByteServer) -> None:
    byte_server.answer(reply(BODIES["a field of FastAPI"], 422))
    with pytest.raises(ModelInvalidRequestError, match=f"body.top_k: {REFUSAL}"):
        ask_chain()


def test_a_page_is_its_title_and_status(byte_server: ByteServer) -> None:
    for ask in EVERY:
        byte_server.answer(reply(PAGE, 502, "text/html"))
        with pytest.raises(ModelAPIError) as caught:
            ask()
        said = 'a web page, "502 Bad Gateway & more" (status 502). The server failed; try again.'
        assert str(caught.value) == f"openai ({byte_server.url}): {said}"


def test_a_page_in_the_place_of_a_reply(byte_server: ByteServer) -> None:
    for ask in EVERY:
        byte_server.answer(reply(PAGE, 200, "text/html"))
        with pytest.raises(ModelError, match='no reply came, but a web page, "502 Bad Gateway & more"') as caught:
            ask()
        assert "\n" not in str(caught.value)


EMPTY: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "status 503 Service Unavailable"),
    "an object": ({}, "status 503 Service Unavailable"),
    "no words": ({"error": {"message": None}}, "status 503 Service Unavailable"),
    "a figure": ({"error": 7}, "status 503 Service Unavailable"),
    "a page without a title": ("<html><body></body></html>", r"a web page without a title \(status 503\)"),
    "a page with a heading": ("<html><h1>Away <b>now</b></h1></html>", r'a web page, "Away now" \(status 503\)'),
}


@pytest.mark.parametrize(("body", "said"), EMPTY.values(), ids=EMPTY)
def test_a_status_without_words(byte_server: ByteServer, body: Any, said: str) -> None:
    byte_server.answer(reply(body, 503))
    with pytest.raises(ModelAPIError, match=said):
        STREAMED[0]()


@pytest.mark.parametrize("status", [200, 500])
def test_many_words_are_one_line_of_300_letters(byte_server: ByteServer, status: int) -> None:
    for ask in EVERY:
        byte_server.answer(reply({"error": {"message": "a\nb\x1b[31m\t" + "x" * 100_000}}, status))
        with pytest.raises(ModelAPIError) as caught:
            ask()
        text = str(caught.value).removeprefix(f"openai ({byte_server.url}): ")
        assert text.startswith("a b [31m xxx")
        assert len(text.split("… ")[0]) < 300
        assert text.isprintable()


KINDS: list[tuple[dict[str, Any], type[ModelError]]] = [
    ({"code": 400}, ModelInvalidRequestError),
    ({"code": "400"}, ModelInvalidRequestError),
    ({"type": "invalid_request_error"}, ModelInvalidRequestError),
    ({"status": "INVALID_ARGUMENT", "code": 400}, ModelInvalidRequestError),
    ({"code": 401}, ModelAuthenticationError),
    ({"type": "authentication_error"}, ModelAuthenticationError),
    ({"code": "model_not_found"}, ModelNotFoundError),
    ({"code": 429}, ModelRateLimitError),
    ({"type": "rate_limit_error"}, ModelRateLimitError),
    ({"code": 503}, ModelAPIError),
    ({"code": 1305}, ModelAPIError),
    ({"code": "context_length_exceeded"}, ContextOverflowError),
]


@pytest.mark.parametrize(("fields", "kind"), KINDS, ids=str)
def test_a_failure_in_a_stream_has_the_kind_of_its_status(
    byte_server: ByteServer, fields: dict[str, Any], kind: type[ModelError]
) -> None:
    message = "maximum context length is 4096" if kind is ContextOverflowError else REFUSAL
    byte_server.answer(
        stream({"error": {"message": message, **fields}}), reply({"error": {"message": message, **fields}})
    )
    for ask in (STREAMED[1], WHOLE[1]):
        with pytest.raises(kind, match=message):
            ask()


def test_an_overflow_told_in_a_stream_is_asked_once(byte_server: ByteServer) -> None:
    message = "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"
    error = {"message": message, "type": "exceed_context_size_error", "code": 400, "n_prompt_tokens": 9000}
    byte_server.answer(stream({"error": error}))
    with pytest.raises(ContextOverflowError, match="9000 tokens"):
        ask_chain()
    assert len(byte_server.requests) == 1


def test_openrouter_keeps_the_words_of_the_provider(byte_server: ByteServer) -> None:
    raw = json.dumps({"error": {"message": "acme/one is busy upstream"}})
    error = {"message": "Provider returned error", "code": 429, "metadata": {"raw": raw, "provider_name": "Acme"}}
    byte_server.answer(stream({"error": error}))
    with pytest.raises(ModelRateLimitError, match="Provider returned error: acme/one is busy upstream"):
        STREAMED[0]()


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_that_is_said_back_is_hidden(byte_server: ByteServer, status: int) -> None:
    for ask in EVERY:
        byte_server.answer(reply({"error": {"message": f"Wrong key: {KEY}!", "code": 401}}, status))
        with pytest.raises(ModelAuthenticationError, match=r"Wrong key: \(hidden\)!") as caught:
            ask()
        assert KEY not in str(caught.value)


def test_a_key_beside_the_rows_is_hidden(byte_server: ByteServer) -> None:
    for answer in (stream(*words(), f"Wrong key: {KEY}", done=False), stream(f"data: Wrong key: {KEY}\n\n")):
        byte_server.answer(answer)
        for ask in EVERY:
            with pytest.raises(ModelError, match=r"Wrong key: \(hidden\)"):
                ask()


def test_words_beside_the_rows_say_why_it_broke_off(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words(), "Internal Server Error", done=False))
    for ask in (*STREAMED, *CONTINUED):
        with pytest.raises(ModelConnectionError, match=r"before its end: Internal Server Error\. Try again"):
            ask()
    byte_server.answer(stream(*words(), PAGE, done=False))
    with pytest.raises(ModelConnectionError, match='broke off before its end: a web page, "502 Bad Gateway & more"'):
        ask_chain()


NOTHING: dict[str, tuple[list[bytes], str]] = {
    "nothing": (reply(b"", 200, "text/event-stream"), "nothing came"),
    "words": (reply("Model is loading", 200, "text/plain"), "no reply came, but Model is loading"),
    "another object": (reply({"status": "ok"}), "no reply came, but an object without choices"),
    "no choice": (reply(chunk()), "no reply came, but an object without choices"),
    "null": (reply(b"null"), "no reply came, but null"),
}


@pytest.mark.parametrize(("answer", "said"), NOTHING.values(), ids=NOTHING)
def test_an_answer_that_is_no_reply(byte_server: ByteServer, answer: list[bytes], said: str) -> None:
    byte_server.answer(answer)
    for ask in (*STREAMED, *CONTINUED):
        with pytest.raises(ModelConnectionError, match=f"{said}. Does OPENAI_BASE_URL end in /v1"):
            ask()
    for ask in WHOLE:
        with pytest.raises(ModelAPIError, match=said):
            ask()


def test_a_redirection_to_a_page_is_named(byte_server: ByteServer) -> None:
    byte_server.answer(reply("", 302, "text/html", "Location: /login?token=abc"))
    for ask in EVERY:
        with pytest.raises(ModelNotFoundError, match=r"sends the request on to /login \(status 302\)") as caught:
            ask()
        assert "OPENAI_BASE_URL" in str(caught.value)
        assert "abc" not in str(caught.value)
    assert len(byte_server.requests) == len(EVERY)


def test_a_redirection_that_keeps_the_request_is_followed(byte_server: ByteServer) -> None:
    moved = reply("", 307, "text/plain", "Location: /elsewhere/v1/chat/completions")
    for ask in (*STREAMED, *WHOLE):
        byte_server.requests.clear()
        byte_server.paths.clear()
        byte_server.answer(moved, stream(*words(), chunk(STOP)))
        assert ask().text == TEXT
        assert byte_server.paths == ["/v1/chat/completions", "/elsewhere/v1/chat/completions"]
        assert byte_server.requests[0] == byte_server.requests[1]


@pytest.mark.parametrize(
    ("status", "kind"), [(405, ModelNotFoundError), (408, ModelTimeoutError), (425, ModelAPIError)]
)
def test_a_status_that_the_sdk_has_no_class_for(byte_server: ByteServer, status: int, kind: type[ModelError]) -> None:
    byte_server.answer([head("text/plain", status), b"No."])
    with pytest.raises(kind, match=r"No\. "):
        STREAMED[0]()


def test_what_is_no_failure() -> None:
    rows: list[dict[str, Any]] = [chunk("hi", error=None), chunk("hi", error={}), chunk("hi", error={"code": 0}),
        {"type": "ping"}, {"object": "x"}, {"title": "A chat"}, {"type": "status", "message": "Loading"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}}, {"detail": None}, {"code": 200}, {}]  # fmt: skip
    assert [find_error(row) for row in rows] == [None] * len(rows)


def test_words_of_anything() -> None:
    nothing: list[Any] = [None, 7, True, [], {}, "", " \n", [[[[[[["deep"]]]]]]]]
    assert [find_words(value) for value in nothing] == [None] * len(nothing)
    assert find_words(["a", "b", "c", "d"]) == "a; b; c"
    assert one_line("x" * 400) == "x" * 299 + "…"
