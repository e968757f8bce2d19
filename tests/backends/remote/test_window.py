"""The window of a server's model, told by each software in its own API; what is asked, how often, and of whom."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from starlette.responses import JSONResponse, RedirectResponse, Response

import backends
from backends.remote import probe
from chains.window import size
from settings import Settings
from tests.backends.remote.conftest import Serve, ask, client
from tests.loopback import KEY
from tests.scripted import Scripted, chat, models, serving

PROPS = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 1}
LOADED = {"name": "m-1", "model": "m-1", "context_length": 8192}
SHOWN = {"model_info": {"general.architecture": "llama", "llama.context_length": 131072}, "parameters": 'stop "x"'}
LM_STUDIO = {"id": "m-1", "type": "llm", "state": "loaded", "max_context_length": 131072, "loaded_context_length": 6144}
INSTANCE = {"id": "m-1", "config": {"context_length": 5120}}

# What a server answers beside the chat, and the window that it has by that.
TOLD: dict[str, tuple[dict[str, Any], int | None]] = {
    "vLLM": ({"/v1/models": models("m-1", owned_by="vllm", max_model_len=4096)}, 4096),
    "SGLang": ({"/v1/models": models("m-1", owned_by="sglang", max_model_len=32768)}, 32768),
    "SGLang, old": ({"/get_server_info": {"context_length": None, "max_req_input_len": 4090}}, 4090),
    "llama-server": ({"/v1/models": models("m-1", owned_by="llamacpp", meta={"n_ctx": 512, "n_ctx_train": 8192})}, 512),
    "llama-server, old": (
        {"/v1/models": models("m-1", owned_by="llamacpp", meta={"n_ctx_train": 8192}), "/props": PROPS}, 2048
    ),
    "llamafile": ({"/props": PROPS}, 2048),
    "Ollama, loaded": ({"/v1/models": models("m-1", owned_by="library"), "/api/ps": {"models": [LOADED]},
                        "/api/show": SHOWN}, 8192),
    "Ollama, loaded with a tag": ({"/api/ps": {"models": [{**LOADED, "name": "m-1:latest", "model": "m-1:latest"}]}},
                                  8192),
    "Ollama, another one loaded": ({"/api/ps": {"models": [{**LOADED, "name": "m-2", "model": "m-2"}]},
                                    "/api/show": {**SHOWN, "parameters": "temperature 1\nnum_ctx   16384"}}, 16384),
    "Ollama, not loaded": ({"/api/ps": {"models": []}, "/api/show": SHOWN}, 4096),
    "Ollama, not loaded, a small model": (
        {"/api/ps": {"models": []}, "/api/show": {"model_info": {"gpt2.context_length": 1024}}}, 1024
    ),
    "Ollama's cloud": ({"/api/ps": {"models": []}, "/api/show": {**SHOWN, "remote_host": "https://host"}}, 131072),
    "LM Studio": ({"/v1/models": models("m-1", owned_by="organization_owner"), "/api/v0/models": {"data": [LM_STUDIO]}},
                  6144),
    "LM Studio, not loaded": (
        {"/api/v0/models": {"data": [{"id": "m-1", "state": "not-loaded", "max_context_length": 131072}]}}, 4096
    ),
    "LM Studio 0.4": (
        {"/api/v1/models": {"models": [{"key": "m-1", "max_context_length": 131072, "loaded_instances": [INSTANCE]}]}},
        5120,
    ),
    "llama-server with many models": (
        {"/props": lambda _: {**PROPS, "role": "router", "default_generation_settings": {"n_ctx": 0}}}, None
    ),
    "llama-swap": (
        {"/running": {"running": [{"model": "m-1", "state": "ready"}]}, "/upstream/m-1/props": PROPS}, 2048
    ),
    "llama-swap, not running": ({"/running": {"running": []}}, None),
    "TGI": ({"/info": {"model_id": "m-1", "max_input_tokens": 1024, "max_total_tokens": 2048}}, 2048),
    "KoboldCpp": ({"/api/extra/true_max_context_length": {"value": 4096}, "/props": PROPS}, 4096),
    "TabbyAPI": ({"/v1/model": {"id": "m-1", "parameters": {"max_seq_len": 4096}}}, 4096),
    "LiteLLM": ({"/model/info": {"data": [{"model_name": "m-1", "model_info": {"max_input_tokens": 128000}}]}}, 128000),
    "OpenRouter": ({"/v1/models": models("m-1", context_length=200000)}, 200000),
    "Groq": ({"/v1/models": models("m-1", context_window=131072)}, 131072),
    "Mistral": ({"/v1/models": models("m-1", max_context_length=32768)}, 32768),
    "nothing": ({}, None),
    "web pages": (
        {path: Response("<title>hi</title>", media_type="text/html") for path in ("/props", "/info", "/api/ps")}, None
    ),
    "wrong shapes": ({"/props": {"default_generation_settings": []}, "/api/ps": [1], "/info": "x", "/model/info": {},
                      "/api/v0/models": {"data": [None, 3]}}, None),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "window"), TOLD.values(), ids=TOLD)
@pytest.mark.parametrize("named", [True, False], ids=["named", "discovered"])
async def test_each_software_tells_its_window(
    serve: Serve, answers: dict[str, Any], window: int | None, named: bool
) -> None:
    server = serve(answers, **({"OPENAI_MODEL": "m-1"} if named else {}))
    _, report = await ask()
    assert report.window == window
    assert size(client()) == window
    assert server.count("/v1/models") == 1, "one list is enough for the model and its window"


def test_nothing_is_asked_before_the_first_message(serve: Serve) -> None:
    server = serve({"/props": PROPS})
    assert size(client()) is None
    assert server.requests == []


async def test_the_server_is_asked_once_for_a_model(serve: Serve) -> None:
    server = serve({"/props": PROPS}, OPENAI_MODEL="m-1")
    for _ in range(3):
        await ask()
    assert server.count("/props") == server.count("/v1/models") == 1
    await ask(model="m-2")
    await ask(model="m-2")
    assert server.count("/props") == server.count("/v1/models") == 2


async def test_many_at_once_ask_once(serve: Serve) -> None:
    server = serve({"/props": PROPS}, OPENAI_MODEL="m-1")
    reports = await asyncio.gather(*(ask() for _ in range(5)))
    assert [report.window for _, report in reports] == [2048] * 5
    assert server.count("/props") == 1


async def test_a_window_that_is_set_is_not_asked_for(serve: Serve) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=4096)}, OPENAI_MODEL="m-1", OPENAI_N_CTX="1000")
    _, report = await ask()
    assert report.window == 1000
    assert {path for _, path, _ in server.requests} == {"/v1/chat/completions"}


async def test_each_model_has_its_own_window(serve: Serve) -> None:
    rows = [{"id": "m-1", "max_model_len": 1000}, {"id": "m-2", "max_model_len": 300}]
    serve({"/v1/models": {"data": rows}})
    assert [(await ask(model=name))[1].window for name in (None, "m-2", "m-1", None)] == [1000, 300, 1000, 1000]
    assert size(client()) == 1000


def history(turns: int, words: int = 40) -> list[BaseMessage]:
    return [message for _ in range(turns) for message in (HumanMessage("word " * words), AIMessage("word " * words))]


async def test_a_long_conversation_is_cut_to_it(serve: Serve) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=2048)}, OPENAI_MODEL="m-1")
    _, report = await ask(history=history(40))
    assert report.dropped_turns > 10
    assert len(server.sent()[0]["messages"]) == 2 + 2 * (40 - report.dropped_turns)
    _, report = await ask(history=history(5))
    assert report.dropped_turns == 0


async def test_ollama_is_asked_again_once_the_model_is_loaded(serve: Serve) -> None:
    running: list[Any] = []
    server = serve({"/api/ps": lambda _: {"models": running}, "/api/show": SHOWN}, OPENAI_MODEL="m-1")
    assert (await ask())[1].window == 4096
    running.append(LOADED)
    assert [(await ask())[1].window for _ in range(3)] == [8192] * 3
    assert server.count("/api/ps") == 2
    running.clear()  # after some minutes without a message
    client()._probe.forget()
    assert (await ask())[1].window == 8192, "it comes back as it was"


async def test_a_refusal_that_names_the_window_is_learned_from(serve: Serve) -> None:
    too_long = {"error": {"message": "Requested tokens (1200) exceed context window of 1024", "type": "x"}}
    server = serve({"/v1/chat/completions": JSONResponse(too_long, 400)}, OPENAI_MODEL="m-1")
    with pytest.raises(ContextOverflowError):
        await ask(history=history(40))
    server.answers["/v1/chat/completions"] = chat("Fine")
    _, report = await ask(history=history(40))
    assert report.window == 1024
    assert report.dropped_turns > 20


async def test_what_a_refusal_named_outlasts_a_server_that_tells_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_long = {"error": {"message": "Requested tokens (1200) exceed context window of 1024", "type": "x"}}
    server = serve({"/v1/chat/completions": JSONResponse(too_long, 400)}, OPENAI_MODEL="m-1")
    with pytest.raises(ContextOverflowError):
        await ask()
    server.answers["/v1/chat/completions"] = chat("Fine")
    monkeypatch.setattr(probe, "FRESH", 0.0)
    assert [(await ask())[1].window for _ in range(2)] == [1024, 1024]


async def test_another_model_behind_the_same_name_is_asked_anew(serve: Serve) -> None:
    window, name = [4096], ["a.gguf"]
    server = serve(
        {
            "/v1/models": lambda _: models("m-1", max_model_len=window[0]),
            "/v1/chat/completions": lambda sent: chat("Fine", model=name[0])(sent),
        },
        OPENAI_MODEL="m-1",
    )
    assert [(await ask())[1].window for _ in range(2)] == [4096, 4096]
    window[0], name[0] = 1024, "b.gguf"
    assert [(await ask())[1].window for _ in range(3)] == [4096, 1024, 1024], "the reply tells of the change"
    assert server.count("/v1/models") == 2


async def test_a_server_that_was_away_is_asked_when_it_is_back(serve: Serve) -> None:
    window = [4096]
    busy = JSONResponse({"error": {"message": "Loading model"}}, 503)
    server = serve({"/v1/models": lambda _: models("m-1", max_model_len=window[0])}, OPENAI_MODEL="m-1")
    assert (await ask())[1].window == 4096
    server.answers |= {"/v1/models": busy, "/v1/chat/completions": busy}
    with pytest.raises(ModelError):
        await ask()
    server.answers |= {"/v1/models": models("m-1", max_model_len=512), "/v1/chat/completions": chat("Fine")}
    assert (await ask())[1].window == 512


async def test_what_was_told_is_asked_again_after_a_while(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    window = [4096]
    serve({"/v1/models": lambda _: models("m-1", max_model_len=window[0])}, OPENAI_MODEL="m-1")
    monkeypatch.setattr(probe, "FRESH", 0.0)
    await ask()
    window[0] = 2048
    assert (await ask())[1].window == 2048


async def test_a_server_that_answers_chats_alone_is_not_asked_each_time(serve: Serve) -> None:
    server = serve({"/v1/models": JSONResponse({}, 504)}, OPENAI_MODEL="m-1")
    for _ in range(5):
        assert (await ask())[0] == "Fine"
    assert server.count("/v1/models") == probe.TRIES
    assert server.count("/props") == 0, "nothing else is tried there"


async def test_nor_one_whose_model_never_counts_as_loaded(serve: Serve) -> None:
    server = serve({"/api/ps": {"models": []}, "/api/show": SHOWN}, OPENAI_MODEL="m-1")
    assert [(await ask())[1].window for _ in range(6)] == [4096] * 6
    assert server.count("/api/ps") <= 1 + probe.TRIES


@pytest.fixture
def elsewhere() -> Iterator[Scripted]:
    """A server that nobody named."""
    with serving({"/props": PROPS}) as server:
        yield server


async def test_no_other_host_is_asked_and_none_gets_the_key(serve: Serve, elsewhere: Scripted) -> None:
    server = serve({"/props": RedirectResponse(f"{elsewhere.origin}/props", 302)}, OPENAI_MODEL="m-1")
    _, report = await ask()
    assert report.window is None
    assert elsewhere.requests == []
    assert {headers.get("authorization") for headers in server.headers} == {f"Bearer {KEY}"}


async def test_openai_itself_is_not_asked(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = backends.load("openai", Settings.read())
    assert await backends.measured(model) is model


async def test_a_server_behind_a_path_is_asked_below_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/llm/v1/models": models("m-1"), "/llm/v1/chat/completions": chat("Fine"), "/llm/props": PROPS}
    server = serve(answers)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.origin}/llm/v1")
    backends.unload()
    assert (await ask())[1].window == 2048


async def test_several_servers_have_the_smallest_window_from_the_first_message_on(
    serve: Serve, elsewhere: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=4096)})
    elsewhere.answers |= {"/v1/models": models("m-1"), "/v1/chat/completions": chat("Fine")}
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url},{elsewhere.url}")
    backends.unload()
    _, report = await ask(history=history(40))
    assert report.window == 2048
    assert report.dropped_turns > 10
    assert (await ask(model="m-1"))[1].window == 2048


async def test_of_several_servers_one_that_is_dead_does_not_matter(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve({"/v1/models": models("m-1", max_model_len=4096)}, OPENAI_MODEL="m-1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:9/v1,{server.url}")
    backends.unload()
    text, report = await ask()
    assert (text, report.window) == ("Fine", 4096)


async def test_a_real_server_that_tells_none_is_learned_from(
    openai_server: str, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """llama-cpp-python's: its refusal is all that names the window, and in a stream it is no word."""
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server)
    assert (await ask(max_tokens=3))[1].window is None
    with pytest.raises(ContextOverflowError, match="1024"):
        await ask(history=history(40), max_tokens=3)
    text, report = await ask(history=history(40), max_tokens=3)
    assert report.window == 1024
    assert report.dropped_turns > 20
    assert text
