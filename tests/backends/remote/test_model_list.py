"""Which model is taken where none is named: lists of any shape over real HTTP, and models that cannot chat."""

from typing import Any

import pytest
from langchain_core.exceptions import ModelNotFoundError
from starlette.responses import JSONResponse, PlainTextResponse

import backends
from backends.remote.model_list import parse
from settings import Settings
from tests.backends.remote.conftest import Serve, ask
from tests.scripted import chat, models

EMBEDDING = {"id": "text-embedding-nomic-embed-text-v1.5", "object": "model", "type": "embeddings"}
LLM = {"id": "qwen2.5-7b-instruct", "object": "model", "type": "llm"}
LISTS: dict[str, tuple[Any, str]] = {
    "ordinary": (models("llama3.2:3b", "qwen2.5:7b"), "llama3.2:3b"),
    "embedding first": (models("nomic-embed-text:latest", "llama3.2:3b"), "llama3.2:3b"),
    "embedding first, typed (LM Studio)": (models(EMBEDDING, LLM), "qwen2.5-7b-instruct"),
    "whisper first": (models("whisper-1", "llama3.2:3b"), "llama3.2:3b"),
    "speech, image, rerank and moderation first": (
        models("tts-1", "dall-e-3", "bge-reranker-v2-m3", "omni-moderation-latest", "llama-guard-3-8b", "m-1"),
        "m-1",
    ),
    "a plain name of a declared embedding model (Xinference)": (
        models({"id": "jade", "model_type": "embedding"}, {"id": "opal", "model_type": "LLM"}),
        "opal",
    ),
    "an image model by what comes out (OpenRouter)": (
        models({"id": "p", "architecture": {"output_modalities": ["image"]}}, {"id": "q"}),
        "q",
    ),
    "speech to text declares text (Speaches)": (
        models({"id": "p", "task": "automatic-speech-recognition"}, {"id": "q", "task": "text-generation"}),
        "q",
    ),
    "capabilities (Ollama)": (
        {"models": [{"name": "p", "capabilities": ["embedding"]}, {"name": "q", "capabilities": ["completion"]}]},
        "q",
    ),
    "capabilities (Mistral)": (
        models({"id": "p", "capabilities": {"completion_chat": False}}, {"id": "q", "capabilities": {"vision": True}}),
        "q",
    ),
    "a name of other work, declared to chat": (models({"id": "flux-whisper", "type": "chat"}, "m"), "flux-whisper"),
    "a task as an object (Cloudflare)": (
        models({"name": "p", "task": {"name": "Text-to-Image"}}, {"name": "q", "task": {"name": "Text Generation"}}),
        "q",
    ),
    "Together's types": (models({"id": "p", "type": "rerank"}, {"id": "q", "type": "chat"}), "q"),
    "a bare list": ([{"id": "org/a", "object": "model"}, {"id": "org/b"}], "org/a"),
    "the key models": ({"models": [{"name": "a", "model": "a"}]}, "a"),
    "both keys": ({"models": [{"name": "b"}], "object": "list", "data": [{"id": "a"}]}, "a"),
    "data is empty, models is not": ({"data": [], "models": [{"model": "a"}]}, "a"),
    "another key": ({"success": True, "result": [{"name": "a"}]}, "a"),
    "names": ({"object": "list", "data": ["a", "b"]}, "a"),
    "bare names": (["nomic-embed-text", "b"], "b"),
    "no ids": ({"object": "list", "data": [{"name": "a"}, {"name": "b"}]}, "a"),
    "a null id first": ({"object": "list", "data": [{"id": None}, None, {"id": ""}, {"id": "b"}]}, "b"),
    "a number": ({"object": "list", "data": [{"id": 7}]}, "7"),
    "by name": ({"object": "list", "data": {"a": {"id": "a"}, "b": {}}}, "a"),
    "by name, without ids": ({"data": {"b": {"max_model_len": 5}}}, "b"),
    "named unlike others": (models("C:\\models\\llama.gguf"), "C:\\models\\llama.gguf"),
    "in letters of others": (models("модель-ё/漢字"), "модель-ё/漢字"),
}  # fmt: skip


@pytest.mark.parametrize(("listed", "taken"), LISTS.values(), ids=LISTS)
async def test_the_first_that_can_chat_is_taken(serve: Serve, listed: Any, taken: str) -> None:
    server = serve({"/v1/models": listed})
    text, _ = await ask()
    assert text == "Fine"
    assert [sent["model"] for sent in server.sent()] == [taken]


async def test_without_a_type_of_its_own_a_list_is_one(serve: Serve) -> None:
    server = serve({"/v1/models": PlainTextResponse('{"data": [{"id": "a"}]}')})
    await ask()
    assert server.sent()[0]["model"] == "a"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ({"object": "list", "data": None}, "lists no model. Set OPENAI_MODEL"),
        ({"object": "list", "data": []}, "lists no model. Set OPENAI_MODEL"),
        (models("bge-m3", "whisper-1"), "no model that can chat, but bge-m3, whisper-1. Set OPENAI_MODEL"),
        (models(*(f"bge-{number}" for number in range(9))), "bge-0, bge-1, bge-2, bge-3, bge-4, …. Set OPENAI_MODEL"),
        ({"hello": "world"}, "not with OpenAI's API"),
        ("a web page", "not with OpenAI's API"),
        (None, "not with OpenAI's API"),
    ],
)  # fmt: skip
async def test_where_there_is_none_the_remedy_names_the_variable(serve: Serve, listed: Any, said: str) -> None:
    server = serve({"/v1/models": listed})
    with pytest.raises(ModelNotFoundError, match=said):
        await ask()
    assert not server.sent()


async def test_one_that_is_named_is_asked_whatever_it_is_called(serve: Serve) -> None:
    server = serve({"/v1/models": models("whisper-1")}, OPENAI_MODEL="whisper-1")
    assert (await ask())[0] == "Fine"
    assert server.sent()[0]["model"] == "whisper-1"


def test_all_that_have_a_name_are_listed_once(serve: Serve) -> None:
    serve({"/v1/models": ["b", {"id": "a"}, {"id": 7}, {"id": "a"}, {"object": "model"}]})
    assert backends.list_models("openai", Settings.read()) == ["7", "a", "b"]


async def test_a_server_that_serves_another_model_by_now_is_asked_for_that_one(serve: Serve) -> None:
    missing = {"error": {"message": "The model `m-1` does not exist.", "code": 404}}

    def answer(sent: Any) -> Any:
        return chat("Fine")(sent) if sent["model"] == serving[0] else JSONResponse(missing, 404)

    serving = ["m-1"]
    server = serve({"/v1/chat/completions": answer, "/v1/models": lambda _: models(serving[0])})
    await ask()
    serving[0] = "m-2"
    with pytest.raises(ModelNotFoundError, match="does not exist"):
        await ask()
    assert (await ask())[0] == "Fine"
    assert [sent["model"] for sent in server.sent()] == ["m-1", "m-1", "m-2"]


@pytest.mark.parametrize(
    ("row", "window"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"max_model_len": "4096"}, 4096),
        ({"max_model_len": 0}, None),
        ({"max_model_len": -1}, None),
        ({"max_model_len": True}, None),
        ({"context_length": "128k"}, 128_000),
        ({"context_length": "1M"}, 1_000_000),
        ({"context_length": "a lot"}, None),
        ({"max_model_len": None, "context_length": 8192}, 8192),
        ({"context_window": 131072}, 131072),
        ({"max_context_length": 32768}, 32768),
        ({"meta": {"n_ctx_train": 4096, "n_ctx": 2048}}, 2048),
        ({"meta": {"n_ctx_train": 4096}}, None),
        ({"meta": None}, None),
        ({"context_length": 200000, "top_provider": {"context_length": 65536}}, 65536),
        ({"context_length": 4096.0}, 4096),
        ({"context_length": [4096]}, None),
    ],
)
def test_a_row_tells_the_window_in_words_of_its_own(row: dict[str, Any], window: int | None) -> None:
    models = parse({"data": [{"id": "a", **row}]})
    assert models is not None
    assert models[0].window == window


CHATS = [
    "llama3.2:3b",
    "qwen2.5:7b",
    "gpt-4o-mini",
    "deepseek-r1:8b",
    "gemma-3-27b-it",
    "llava:13b",
    "qwen2.5-vl-7b-instruct",
    "gpt-oss:20b",
    "models/gemini-2.5-flash",
    "claude-sonnet-4",
    "embedded-assistant",
    "stablelm2",
    "codellama",
    "gpt-4o-audio-preview",
    "barkley-chat",
    "e5000",
    "fluxus-7b",
    "veolia-llm",
    "vanguard-7b",
    "rankine-chat",
    "ministral",
    "kimi-k2",
    "command-r-plus",
    "SmolLM2-135M-Instruct",
]
OTHERS = [
    "nomic-embed-text:latest",
    "text-embedding-3-small",
    "mxbai-embed-large",
    "BAAI/bge-m3",
    "snowflake-arctic-embed2",
    "e5-small",
    "all-minilm:l6",
    "intfloat/e5-mistral-7b-instruct",
    "thenlper/gte-base",
    "Qwen3-Embedding-0.6B",
    "embeddinggemma:300m",
    "jina-reranker-v2",
    "rerank-english-v3.0",
    "whisper-large-v3-turbo",
    "distil-whisper",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-4o-transcribe",
    "hexgrad/Kokoro-82M",
    "playai-tts",
    "dall-e-3",
    "gpt-image-1",
    "stable-diffusion-xl",
    "black-forest-labs/FLUX.1-schnell",
    "models/imagen-4.0",
    "models/veo-3",
    "sora-2",
    "omni-moderation-latest",
    "meta-llama/Llama-Guard-4-12B",
    "shieldgemma-2b",
    "granite-guardian",
    "mmproj-model-f16.gguf",
    "qwen-image",
    "gpt-4o-realtime-preview",
    "voyage-3",
    "cross-encoder/ms-marco",
    "models/text-embedding-004",
    "sd3.5-large",
    "davinci-002",
]


@pytest.mark.parametrize("name", CHATS)
def test_what_chats_is_not_passed_over(name: str) -> None:
    models = parse([name])
    assert models is not None
    assert models[0].can_chat


@pytest.mark.parametrize("name", OTHERS)
def test_what_has_other_work_is(name: str) -> None:
    models = parse([name])
    assert models is not None
    assert not models[0].can_chat
