"""A reply that goes on with what it has said: which servers are told how, and that nothing is said twice."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from starlette.responses import Response

import backends
from backends.remote.continuation import CONTINUE_PROMPT
from tests.backends.remote.conftest import Serve, ask, client
from tests.scripted import chat, chunk, models, sse

SAID = "Once upon a time, "
REST = "there was a fox. It ran."
LLAMA_SERVER = {"/v1/models": models("m-1", owned_by="llamacpp", meta={"n_ctx": 4096})}
PROPS = {"/props": {"default_generation_settings": {"n_ctx": 4096}}}
UNNAMED = {"/v1/models": models("m-1", meta={"n_ctx_train": 4096, "n_ctx": 2048})}
VLLM = {"/v1/models": models("m-1", owned_by="vllm", max_model_len=4096)}
SGLANG = {"/v1/models": models("m-1", owned_by="sglang", max_model_len=4096)}
OLLAMA = {"/v1/models": models("m-1", owned_by="library"), "/api/ps": {"models": []}}


def echo(rest: str) -> Callable[[Any], Response]:
    """llama-server: its answer begins with the whole text that it was given."""
    return lambda sent: chat(str(sent["messages"][-1]["content"]) + rest)(sent)


@pytest.mark.parametrize("named", [True, False])
async def test_llama_server_repeats_what_was_said_and_it_is_cut(serve: Serve, named: bool) -> None:
    environment = {"OPENAI_MODEL": "m-1"} if named else {}
    server = serve({**LLAMA_SERVER, "/v1/chat/completions": echo(REST)}, **environment)
    assert (await ask("tell me a story", partial=SAID))[0] == REST
    sent = server.sent()[0]
    assert sent["messages"][-1] == {"role": "assistant", "content": SAID}, "no instruction of ours"
    assert sent["stream"]
    whole = await client().ainvoke([HumanMessage("tell me a story"), AIMessage(SAID)])
    assert whole.text == REST
    assert client().invoke([HumanMessage("tell me a story"), AIMessage(SAID)]).text == REST
    assert "".join(str(part.text) for part in client().stream([HumanMessage("hi"), AIMessage(SAID)])) == REST


@pytest.mark.parametrize("answers", [PROPS, UNNAMED], ids=["props", "meta"])
async def test_llama_server_is_known_by_more_than_its_name(serve: Serve, answers: dict[str, Any]) -> None:
    server = serve({**answers, "/v1/chat/completions": echo(REST)}, OPENAI_MODEL="m-1", OPENAI_N_CTX="1000")
    assert (await ask("tell me a story", partial=SAID))[0] == REST
    assert server.sent()[0]["messages"][-1]["content"] == SAID


async def test_one_that_does_not_repeat_it_loses_nothing(serve: Serve) -> None:
    serve({**LLAMA_SERVER, "/v1/chat/completions": chat(REST)})
    assert (await ask("tell me a story", partial=SAID))[0] == REST


@pytest.mark.parametrize(
    ("said", "answered", "text"),
    [
        ("Once upon a time", "Once upon a time there was", " there was"),
        ("Once upon a time", "Once upon a tide", "Once upon a tide"),  # held back to the last letter
        ("Once upon a time", "Once upon", "Once upon"),  # ended while it still may be a repetition
        ("Once upon a time", "Once upon a time", ""),  # nothing beyond it
        ("Once upon a time \n", "Once upon a time\nthere", "\nthere"),  # stripped by the template
        ("Hello, 你好", "Hello, 你好！", "！"),
        (" ", " there", " there"),
        ("a\ud800b", "a?b c", "a?b c"),
    ],
)
async def test_only_a_repetition_of_all_of_it_is_cut(serve: Serve, said: str, answered: str, text: str) -> None:
    letters = [chunk({"content": letter}) for letter in answered]
    serve({**LLAMA_SERVER, "/v1/chat/completions": lambda _: sse([*letters, chunk({}, finish="stop")])})
    parts = [part async for part in client().astream([HumanMessage("hi"), AIMessage(said)])]
    assert "".join(str(part.text) for part in parts) == text
    assert any(part.response_metadata.get("finish_reason") == "stop" for part in parts)


@pytest.mark.parametrize("answers", [VLLM, SGLANG], ids=["vllm", "sglang"])
async def test_some_are_told_by_their_own_fields(serve: Serve, answers: dict[str, Any]) -> None:
    server = serve({**answers, "/v1/chat/completions": chat(REST)}, OPENAI_MODEL="m-1", TOP_K="7")
    assert (await ask("tell me a story", partial=SAID))[0] == REST
    sent = server.sent()[0]
    assert sent["messages"][-1] == {"role": "assistant", "content": SAID}
    assert (sent["continue_final_message"], sent["add_generation_prompt"], sent["top_k"]) == (True, False, 7)
    await ask()
    assert "continue_final_message" not in server.sent()[1], "only where there is something to go on with"


@pytest.mark.parametrize("answers", [OLLAMA, {}], ids=["ollama", "unknown"])
async def test_others_are_asked_to_go_on(serve: Serve, answers: dict[str, Any]) -> None:
    server = serve({**answers, "/v1/chat/completions": chat(REST)})
    assert (await ask("tell me a story", partial=SAID))[0] == REST
    assert [message["content"] for message in server.sent()[0]["messages"][-2:]] == [SAID, CONTINUE_PROMPT]


async def test_of_one_that_was_asked_nothing_is_cut(serve: Serve) -> None:
    """It begins a message, which may begin as the one before."""
    serve({"/v1/chat/completions": chat("word " + REST)})
    assert (await ask("tell me a story", partial="word "))[0] == "word " + REST


async def test_several_servers_are_each_told_their_way(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve({**LLAMA_SERVER, "/v1/chat/completions": echo(REST)}, OPENAI_MODEL="m-1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:9/v1,{server.url}")
    backends.unload()
    assert (await ask("tell me a story", partial=SAID))[0] == REST
    assert server.sent()[0]["messages"][-1]["content"] == SAID
