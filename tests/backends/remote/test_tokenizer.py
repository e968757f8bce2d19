"""Prompts counted by the server's own tokenizer: each software's way, when it is asked, and what fits by that."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from starlette.responses import JSONResponse

from backends.remote.chat import OpenAIChat
from chains.window import count
from tests.backends.remote.conftest import Serve, ask, client
from tests.scripted import chat, models

DIGITS = "1234567890" * 10  # a token each, which no estimate would guess


def in_messages(messages: list[dict[str, Any]]) -> int:
    """As a tokenizer that makes a token of each character counts, with three around a message."""
    return sum(len(message["content"]) + 3 for message in messages)


def joined(messages: list[dict[str, Any]]) -> str:
    return "".join(f"<|{message['role']}|>{message['content']}" for message in messages)


def vllm(sent: Any) -> Any:
    return {"count": in_messages(sent["messages"]), "max_model_len": 1000, "tokens": []}


def llama_tokenize(sent: Any) -> Any:
    return {"tokens": list(range(len(sent.get("content", ""))))}


def render(sent: Any) -> Any:
    return {"prompt": joined(sent["messages"])}


def tgi(sent: Any) -> Any:
    text = joined(sent["messages"])
    return {"tokenize_response": [{"id": 1, "text": letter} for letter in text], "templated_text": text}


SERVERS: dict[str, tuple[dict[str, Any], Callable[[list[dict[str, Any]]], int]]] = {
    "vLLM": ({"/tokenize": vllm}, in_messages),
    "llama-server": (
        {"/tokenize": llama_tokenize, "/apply-template": render},
        lambda messages: len(joined(messages)) + 1,
    ),
    "llama-server without /apply-template": (
        {"/tokenize": llama_tokenize},
        lambda messages: len("\n".join(message["content"] for message in messages)) + 4 * len(messages),
    ),
    "TGI": ({"/chat_tokenize": tgi}, lambda messages: len(joined(messages))),
    "llama-cpp-python": (
        {"/extras/tokenize/count": lambda sent: {"count": len(sent["input"])}},
        lambda messages: len("\n".join(message["content"] for message in messages)) + 4 * len(messages),
    ),
    "KoboldCpp": (
        {"/api/extra/tokencount": lambda sent: {"value": len(sent["prompt"])}},
        lambda messages: len("\n".join(message["content"] for message in messages)) + 4 * len(messages),
    ),
}


def history(turns: int) -> list[BaseMessage]:
    return [message for _ in range(turns) for message in (HumanMessage(DIGITS), AIMessage(DIGITS))]


@pytest.mark.parametrize(("answers", "counted"), SERVERS.values(), ids=SERVERS)
async def test_what_fits_is_what_the_server_counts(
    serve: Serve, answers: dict[str, Any], counted: Callable[[list[dict[str, Any]]], int]
) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=1000), **answers}, OPENAI_MODEL="m-1")
    _, report = await ask(history=history(7), max_tokens=100)  # of which four have to go, and a cut is there for long
    sent = server.sent()[0]["messages"]
    assert counted(sent) <= 900 < counted([*sent[:1], *sent[1:3], *sent[1:]]), "one turn more would be too much"
    assert report.prompt_tokens == counted(sent)


async def test_a_prompt_that_surely_fits_is_not_counted(serve: Serve) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=8192), "/tokenize": vllm}, OPENAI_MODEL="m-1")
    await ask(history=history(2))
    assert server.count("/tokenize") == 0


async def test_the_same_prompt_is_counted_once_and_few_are(serve: Serve) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=1000), "/tokenize": vllm}, OPENAI_MODEL="m-1")
    await ask(history=history(200), max_tokens=100)
    first = server.count("/tokenize")
    assert 1 <= first <= 8, "of 200 turns only those around the window"
    await ask(history=history(200), max_tokens=100)
    assert server.count("/tokenize") == first


async def test_without_a_tokenizer_it_is_an_estimate_and_nobody_is_asked_again(serve: Serve) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=300)}, OPENAI_MODEL="m-1")
    await ask(history=history(6), max_tokens=10)
    asked = server.count("/tokenize")
    assert asked
    await ask(history=history(5), max_tokens=10)
    assert server.count("/tokenize") == asked


@pytest.mark.parametrize("answer", [{"tokens": "many"}, {"count": True}, [], None, {"count": -1}])
async def test_nonsense_is_no_count(serve: Serve, answer: Any) -> None:
    serve({"/v1/models": models("m-1", max_model_len=300), "/tokenize": answer}, OPENAI_MODEL="m-1")
    text, report = await ask(history=history(6), max_tokens=10)
    assert text == "Fine"
    assert report.dropped_turns > 0


async def test_pictures_are_not_sent_to_be_counted(serve: Serve) -> None:
    server = serve(
        {"/v1/models": models("m-1", max_model_len=3000), "/extras/tokenize/count": {"count": 7}}, OPENAI_MODEL="m-1"
    )
    await ask()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 500}}
    message = HumanMessage([{"type": "text", "text": "what is this? " * 20}, picture])
    model = client()
    assert isinstance(model, OpenAIChat)
    assert count(model, [message]) == 7 + 4 + 1600, "a picture whose size nobody knows"
    assert "base64" not in str(server.sent("/extras/tokenize/count"))


async def test_letters_of_others_weigh_more_in_an_estimate(serve: Serve) -> None:
    serve({"/v1/models": models("m-1", max_model_len=300)}, OPENAI_MODEL="m-1")
    await ask()
    assert count(client(), [HumanMessage("今天天气很好" * 100)]) >= 400


async def test_without_one_the_estimate_is_as_the_replies_show(serve: Serve) -> None:
    """Groq and others: digits are four times as many tokens as an estimate has, and the next prompt would not fit."""

    def answer(sent: Any) -> Any:
        read = in_messages(sent["messages"])
        too_long = {"error": {"message": "Please reduce the length of the messages", "code": "context_length_exceeded"}}
        return chat("Fine", usage=(read, 1))(sent) if read <= 2000 else JSONResponse(too_long, 400)

    server = serve({"/v1/models": models("m-1", context_window=2000), "/v1/chat/completions": answer})
    for turns in range(3, 40, 3):
        assert (await ask(history=history(turns), max_tokens=100))[0] == "Fine"
    last = server.sent()[-1]["messages"]
    assert 1200 < in_messages(last) <= 1900


async def test_a_real_server_counts_as_it_reads(openai_server: str, serve: Serve, monkeypatch: Any) -> None:
    """llama-cpp-python's: it counts a text, and what a template adds is guessed."""
    serve(OPENAI_N_CTX="1024")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server)
    _, report = await ask(history=[HumanMessage("hello there " * 60), AIMessage("fine " * 60)], max_tokens=5)
    server = client()
    messages = report.messages
    assert report.prompt_tokens is not None
    assert abs(count(server, messages) - report.prompt_tokens) <= 4 * len(messages)
    assert count(server, messages) != server.get_num_tokens_from_messages(list(messages))


def test_usage_says_nothing_of_it(serve: Serve) -> None:
    """The count for an answer of the API is the estimate: nothing waits for a request there."""
    server = serve({"/v1/models": models("m-1", max_model_len=10), "/v1/chat/completions": chat("Fine")})
    assert client().get_num_tokens_from_messages([HumanMessage("a" * 400)]) == 104
    assert server.requests == []
