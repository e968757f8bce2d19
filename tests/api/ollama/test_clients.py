"""Ollama's API as its own clients see it, and programs that speak nothing else."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings
from PIL import Image
from pydantic import BaseModel, ConfigDict

from backends.llama.header import read_header
from tests import thinker
from tests.api.conftest import Serve, idle, wait
from tests.api.node import run_node
from tests.api.ollama.conftest import GREEDY, HI, client
from tests.byte_server import STOP, TEXT, ByteServer, chunk, delta, stream, words
from tests.conftest import GGUF
from tests.loopback import Loopback
from tests.pictures import encode, plain
from tests.scripted import chat, models, serving

LLM = Path(sys.executable).parent / "llm"
NOISE = {"temperature": 2.0, "top_k": 0, "top_p": 1.0, "num_predict": 900, "ignore_eos": True}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Mood(BaseModel):
    """A form of a reply; the small model would fill more fields with talk."""

    model_config = ConfigDict(extra="forbid")

    happy: bool


def test_a_chat_whole_and_line_by_line(serve: Serve) -> None:
    served = client(serve())
    whole = served.chat("default", HI, options=GREEDY)
    lines = list(served.chat("default:latest", HI, options=GREEDY, stream=True))
    assert whole.message.content
    assert "".join(line.message.content or "" for line in lines) == whole.message.content
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    for last in (whole, lines[-1]):
        assert last.done_reason in {"stop", "length"}
        assert last.prompt_eval_count == whole.prompt_eval_count
        assert last.eval_count == whole.eval_count
        assert last.total_duration is not None
        parts = (last.load_duration, last.prompt_eval_duration, last.eval_duration)
        assert sum(part or 0 for part in parts) == pytest.approx(last.total_duration, abs=10)
    openais = httpx.post(
        f"{served._client.base_url}/v1/chat/completions",
        json={"model": "default", "messages": HI, "temperature": 0, "max_tokens": 20},
        timeout=300,
    ).json()
    assert openais["choices"][0]["message"]["content"] == whole.message.content
    assert openais["usage"]["prompt_tokens"] == whole.prompt_eval_count
    told = served.generate("default", HI[0]["content"], options=GREEDY)
    assert told.response == whole.message.content
    raw = served.generate("default", "Data Science is", raw=True, options=GREEDY)
    assert raw.response
    assert (
        "".join(
            line.response or ""
            for line in served.generate("default", "Data Science is", raw=True, options=GREEDY, stream=True)
        )
        == raw.response
    )
    assert served.chat("default", []).done_reason == "load"
    assert served.generate("default").done_reason == "load"


def test_what_is_wrong_is_said_in_ollamas_form(serve: Serve) -> None:
    served = client(serve(API_KEYS="a-key"), "a-key")

    def refusal(**fields: Any) -> ollama.ResponseError:
        with pytest.raises(ollama.ResponseError) as caught:
            served.chat(**{"model": "default", "messages": HI, **fields})
        return caught.value

    with pytest.raises(ollama.ResponseError) as caught:
        client(httpx.Client(base_url=served._client.base_url), "wrong").chat("default", HI)
    assert caught.value.status_code == 401
    assert refusal(model="llama3.2").status_code == 404
    assert "llama3.2" in refusal(model="llama3.2").error
    assert "mirostat" in refusal(options={"mirostat": 2}).error
    assert refusal(options={"temperature": 9}).error.startswith("options.temperature")
    assert "cannot see pictures" in refusal(messages=[{**HI[0], "images": [b"\x89PNG"]}]).error
    assert "images" in refusal(messages=[{"role": "system", "content": "", "images": [b"\x89PNG"]}, *HI]).error
    assert refusal(think=True).status_code == 400, "the model does not think"
    assert "follows no call" in refusal(messages=[*HI, {"role": "tool", "content": "1"}]).error
    with pytest.raises(ollama.ResponseError, match="suffix"):
        served.generate("default", "def f(", suffix="return 1")
    lost = httpx.post(f"{served._client.base_url}/api/create", json={})
    assert set(lost.json()) == {"error"}


def test_a_reply_is_held_to_json_and_to_a_schema(serve: Serve) -> None:
    served = client(serve())
    begun = served.chat("default", HI, format="json", options=GREEDY).message.content or ""
    assert begun.lstrip().startswith("{")
    told = served.chat("default", HI, format=Mood.model_json_schema())
    assert Mood.model_validate_json(told.message.content or "")
    generated = served.generate("default", "hi", format=Mood.model_json_schema()).response
    assert Mood.model_validate_json(generated or "")


def test_tools_are_called_and_their_results_read(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat.", 'call weather {"city": "Rome"}'])
    served = client(serve(LLM_BACKEND="openai"))
    said = served.chat("default", HI, tools=[WEATHER]).message
    assert [(call.function.name, call.function.arguments) for call in said.tool_calls or ()] == [
        ("weather", {"city": "Paris"})
    ]
    result = {"role": "tool", "content": "Sun in Paris.", "tool_name": "weather"}
    assert (served.chat("default", [*HI, said, result], tools=[WEATHER]).message.content or "").strip() == "Take a hat."
    sent = loopback.requests[-1]["messages"]
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]
    lines = [line.message for line in served.chat("default", HI, tools=[WEATHER], stream=True)]
    assert [call.function.arguments for line in lines for call in line.tool_calls or ()] == [{"city": "Rome"}]
    loopback.script.append('call weather {"city": "Rome"}\ncall weather {"city": "Oslo"}')
    lines = [line.message for line in served.chat("default", HI, tools=[WEATHER], stream=True)]
    # litellm 1.110.2 makes one call of two that come in two lines.
    assert [len(line.tool_calls) for line in lines if line.tool_calls] == [2]


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_what_python_takes_for_the_end_of_a_line_ends_none(serve: Serve, loopback: Loopback, mark: str) -> None:
    """ollama 0.6.3 and huggingface_hub 2.4.0 split lines as str.splitlines() does: ours are ASCII."""
    loopback.reply = f"one{mark}two"
    served = serve(LLM_BACKEND="openai")
    told = [line.message.content or "" for line in client(served).chat("default", HI, stream=True)]
    assert "".join(told).strip() == loopback.reply
    answer = served.post("/v1/chat/completions", json={"messages": HI, "stream": True})
    assert answer.content.isascii()


def test_a_function_whose_parameter_is_a_union_is_a_tool(serve: Serve, loopback: Loopback) -> None:
    def forecast(day: int | str, place: str) -> str:
        """Tell the weather."""
        return f"{place}: {day}"

    assert client(serve()).chat("default", HI, tools=[forecast], options=GREEDY).done, "calls are held to its types"
    loopback.script.append("say Sun.")
    client(serve(LLM_BACKEND="openai")).chat("default", HI, tools=[forecast])
    properties = loopback.requests[-1]["tools"][0]["function"]["parameters"]["properties"]
    assert {name: schema["type"] for name, schema in properties.items()} == {
        "day": ["integer", "string"],
        "place": "string",
    }


def test_what_is_thought_stands_apart(serve: Serve, byte_server: ByteServer) -> None:
    byte_server.answer(stream(delta(reasoning_content="Let me see."), *words(), chunk(STOP)))
    served = client(serve(LLM_BACKEND="openai"))
    messages = [line.message for line in served.chat("default", HI, stream=True)]
    whole = served.chat("default", HI).message
    told = served.generate("default", "hi")
    assert "".join(each.thinking or "" for each in messages) == whole.thinking == told.thinking == "Let me see."
    assert "".join(each.content or "" for each in messages) == whole.content == told.response == TEXT


def test_thinking_is_switched(serve: Serve, tmp_path: Path, fresh_backends: None) -> None:
    served = client(serve(**thinker.environment(tmp_path)))
    plain = served.chat("default", HI, think=False, options={"num_predict": 12}).message
    assert plain.content
    assert plain.thinking is None
    brief = {"num_predict": 4, "temperature": 0}  # it is cut before it could end by itself
    thought = served.chat("default", HI, think=True, options=brief)
    assert thought.message.thinking
    assert not thought.message.content
    assert thought.done_reason == "length"


def test_the_models_that_there_are(serve: Serve) -> None:
    http = serve(API_MODELS="gpt-4o-mini=default")
    served = client(http)
    listed = {each.model: each for each in served.list().models}
    assert {"default:latest", "llamacpp:latest", "gpt-4o-mini:latest"} <= set(listed)
    ours = listed["default:latest"]
    assert ours.size == GGUF.stat().st_size
    assert ours.digest == listed["llamacpp:latest"].digest
    assert ours.details
    assert ours.details.quantization_level == "F16"
    shown = served.show("default")
    assert shown.template == read_header(GGUF).text("tokenizer.chat_template")
    assert "completion" in (shown.capabilities or ())
    assert served.show("gpt-4o-mini").modelinfo == shown.modelinfo
    served.chat("default", HI, options=GREEDY)
    loaded = {each.model: each for each in served.ps().models}
    assert loaded["default:latest"].context_length == 1024
    assert loaded["default:latest"].expires_at
    assert str(GGUF.parent) not in json.dumps([http.get(path).json() for path in ("/api/tags", "/api/ps")])
    assert http.post("/api/show", json={"name": "default"}).json()["capabilities"] == shown.capabilities
    assert http.get("/api/version").json()["version"]


def test_vectors(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDINGS", raising=False)
    http = serve()
    served = client(http)
    assert "multilingual-e5-small-q4_0:latest" in [each.model for each in served.list().models]
    assert served.show("multilingual-e5-small-q4_0:latest").capabilities == ["embedding"]
    made = served.embed("default", ["The mountain gets much rain.", "Bread is baked at night."])
    assert [len(row) for row in made.embeddings] == [384, 384]
    assert made.prompt_eval_count
    assert served.embeddings("default:latest", "The mountain gets much rain.").embedding == made.embeddings[0]
    model = OllamaEmbeddings(model="default", base_url=str(http.base_url))
    assert model.embed_query("The mountain gets much rain.") == list(made.embeddings[0])
    assert len(served.embed("default", "rain " * 600, dimensions=10).embeddings[0]) == 10
    with pytest.raises(ollama.ResponseError, match=r"text 0 has 60\d tokens"):
        served.embed("default", "rain " * 600, truncate=False)


async def test_fifty_streams_at_once_complete_and_one_that_is_left_ends(serve: Serve) -> None:
    http = serve(KEEPALIVE_INTERVAL="0.05")
    served = ollama.AsyncClient(str(http.base_url))

    async def one(number: int) -> tuple[str, str | None]:
        text, reason = "", None
        messages = [{"role": "user", "content": f"Tell me of the number {number}."}]
        async for line in await served.chat(
            "default", messages, stream=True, options={"num_predict": 6, "seed": number}
        ):
            text, reason = text + (line.message.content or ""), line.done_reason
        return text, reason

    told = await asyncio.gather(*(one(number) for number in range(50)))
    assert all(text.strip() and reason in {"stop", "length"} for text, reason in told)
    async for _ in await served.chat("default", HI, stream=True, options=NOISE):
        break
    await served._client.aclose()
    await asyncio.to_thread(wait, idle)


@pytest.mark.server  # pictures are unpacked by a process of their own
def test_a_picture_is_shown(serve: Serve, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    rows = models("m-1", max_model_len=4096, architecture={"input_modalities": ["text", "image"]})
    photo, red = encode(Image.effect_noise((60, 60), 90).convert("RGB"), "PNG"), plain()
    with serving({"/v1/models": rows, "/v1/chat/completions": chat("It is red.", (20, 3))}) as scripted:
        served = client(serve(LLM_BACKEND="openai", OPENAI_BASE_URL=scripted.url, MAX_BODY_BYTES="1000"))
        assert served.chat("default", [{**HI[0], "images": [photo]}]).message.content == "It is red."
        told = "".join(each.response or "" for each in served.generate("default", "?", images=[red.data], stream=True))
        assert told == "It is red."
        first, second = (sent["messages"][-1]["content"] for sent in scripted.sent()[-2:])
        called = {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]}
        served.chat("default", [*HI, called, {"role": "tool", "content": "A", "images": [red.data]}])
        third = [(row["role"], row["content"]) for row in scripted.sent()[-1]["messages"][2:]]
    assert first[0]["image_url"]["url"].startswith("data:image/")
    assert first[1]["text"] == HI[0]["content"]
    shown = {"type": "image_url", "image_url": {"url": red.data_url}}
    assert second == [shown, {"type": "text", "text": "?"}]
    assert third == [("tool", "A"), ("user", [shown])]


def test_langchains_model(serve: Serve) -> None:
    base = str(serve().base_url)
    model = ChatOllama(model="default", base_url=base, temperature=0, num_predict=20, num_ctx=2048, keep_alive="5m")
    whole = model.invoke("hi, how are you?")
    assert whole.text
    assert whole.usage_metadata
    assert whole.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.text for chunk in model.stream("hi, how are you?")) == whole.text
    held = ChatOllama(model="default", base_url=base).with_structured_output(Mood)
    assert isinstance(held.invoke("hi"), Mood)


def test_langchains_model_calls_tools(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat."])
    base = str(serve(LLM_BACKEND="openai").base_url)
    model = ChatOllama(model="default", base_url=base).bind_tools([WEATHER])
    said = model.invoke([HumanMessage("hi")])
    assert said.tool_calls[0]["args"] == {"city": "Paris"}
    result = ToolMessage("Sun in Paris.", tool_call_id=said.tool_calls[0]["id"])
    assert model.invoke([HumanMessage("hi"), said, result]).text.strip() == "Take a hat."


def test_ollamas_client_for_node(serve: Serve) -> None:
    told = run_node("ollama/client.mjs", serve(KEEPALIVE_INTERVAL="0.05"))
    assert "default:latest" in told["models"]
    assert told["whole"]
    assert told["whole"] == told["streamed"] == told["generated"]
    assert told["last"]["done"] is True
    assert isinstance(told["form"]["happy"], bool)
    assert "llama3.2" in told["refused"]
    assert told["invalid"] == [], "no line that it cannot read"


def test_vercels_provider_for_ollama(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(["say It is fine.", "say It is fine.", 'call weather {"city": "Paris"}', "say Take a hat."])
    told = run_node("ollama/vercel.mjs", serve(LLM_BACKEND="openai"))
    assert told["whole"].strip() == told["streamed"].strip() == "It is fine."
    assert told["cities"] == ["Paris"]
    assert told["answer"].strip() == "Take a hat."


def test_the_llm_command_with_its_plugin_for_ollama(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    environment = {**os.environ, "OLLAMA_HOST": str(served.base_url), "LLM_USER_PATH": str(tmp_path)}

    def llm(*arguments: str) -> str:
        done = subprocess.run(
            [LLM, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "default" in llm("ollama", "models")
    options = ("-o", "temperature", "0", "-o", "num_predict", "20")
    whole = llm("-m", "ollama/default", "--no-stream", *options, "hi, how are you?")
    assert whole.strip()
    assert llm("-m", "ollama/default", *options, "hi, how are you?").strip() == whole.strip()
    assert llm("-m", "ollama/default", "-c", *options, "And what do you like?").strip()
