"""The API as other people's programs see it, beside test_turns.py: what is only these clients' own."""

import asyncio
import json
import os
import subprocess
import sys
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI

from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.api.openai.conftest import HI, Talk
from tests.byte_server import STOP, TEXT, ByteServer, delta, stream, words
from tests.byte_server import chunk as row
from tests.loopback import Loopback

LLM = Path(sys.executable).parent / "llm"
CAN = {"supports_schema": True, "supports_tools": True}


def langchain(served: httpx.Client, **options: Any) -> ChatOpenAI:
    """LangChain's model of the same server."""
    return ChatOpenAI(
        base_url=f"{served.base_url}/v1", api_key="none", model="default", max_retries=0, stream_usage=True, **options
    )


async def test_openais_asynchronous_client(serve: Serve) -> None:
    client = AsyncOpenAI(base_url=f"{serve().base_url}/v1", api_key="none", max_retries=0)
    async with client:
        assert "default" in [model.id async for model in client.models.list()]
        whole, text, response = await asyncio.gather(
            client.chat.completions.create(model="default", messages=HI, temperature=0),
            client.completions.create(model="default", prompt="I like", max_tokens=5),
            client.responses.create(model="default", input="hi, how are you?", temperature=0),
        )
        assert whole.choices[0].message.content == response.output_text
        assert text.choices[0].text
        async with client.chat.completions.stream(model="default", messages=HI, temperature=0) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == whole.choices[0].message.content


def test_an_answer_can_be_sent_back_as_the_client_holds_it(talk: Talk) -> None:
    client = talk()
    message = client.chat.completions.create(model="default", messages=HI).choices[0].message
    said: Any = [*HI, message, *HI]
    assert client.chat.completions.create(model="default", messages=said).choices[0].message.content
    said = [*HI, message.model_dump(), *HI]
    assert client.chat.completions.create(model="default", messages=said).choices[0].message.content


async def test_langchains_model(serve: Serve) -> None:
    model = langchain(serve(), temperature=0, max_completion_tokens=20)
    whole = model.invoke([SystemMessage("Be kind."), HumanMessage("hi"), AIMessage("hello"), HumanMessage("and you?")])
    assert whole.text
    assert whole.usage_metadata
    assert whole.usage_metadata["total_tokens"] > whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["model_name"] == "default"
    chunks = [chunk async for chunk in model.astream("hi, how are you?")]
    gathered = chunks[0]
    for chunk in chunks[1:]:
        gathered += chunk
    assert gathered.text == model.invoke("hi, how are you?").text
    assert gathered.usage_metadata
    assert gathered.usage_metadata["output_tokens"] > 0
    assert gathered.response_metadata["finish_reason"] in {"stop", "length"}


async def test_a_chain_of_langchains(serve: Serve) -> None:
    chain = (
        ChatPromptTemplate.from_messages([("human", "{input}")]) | langchain(serve(), temperature=0) | StrOutputParser()
    )
    assert "".join([part async for part in chain.astream({"input": "hi"})]) == await chain.ainvoke({"input": "hi"})


def test_langchains_model_over_responses(serve: Serve) -> None:
    model = langchain(serve(), temperature=0, use_responses_api=True)
    whole = model.invoke("hi, how are you?")
    assert whole.text
    assert "".join(chunk.text for chunk in model.stream("hi, how are you?")) == whole.text


def test_langchain_knows_an_overflow(serve: Serve) -> None:
    with pytest.raises(ContextOverflowError):
        langchain(serve()).invoke("word " * 1100)


@pytest.fixture
def llm(tmp_path: Path) -> Any:
    """Runs the `llm` command against a server, with a folder of its own."""

    def run(served: httpx.Client, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        address = f"{served.base_url}/v1"
        entries: list[dict[str, Any]] = [
            {"model_id": "ours", "model_name": "default", "api_base": address, **CAN},
            {"model_id": "ours-text", "model_name": "default", "api_base": address, "completion": True},
            {"model_id": "ours-responses", "model_name": "default", "api_base": address, "responses": True},
        ]
        (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(entries))
        return subprocess.run(
            [LLM, *arguments],
            env={**os.environ, "LLM_USER_PATH": str(tmp_path)},
            cwd=tmp_path,
            timeout=300,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    return run


def test_the_llm_commands_options_and_usage(serve: Serve, llm: Any) -> None:
    options = ("-s", "", "-o", "temperature", "0", "-o", "max_tokens", "5", "-o", "seed", "1")
    usage = llm(serve(), "-m", "ours", "-u", *options, input="hi from a pipe")
    assert "5 output" in usage.stderr
    assert usage.stdout.strip()


@pytest.mark.parametrize("model", ["ours-text", "ours-responses"])
def test_the_llm_commands_other_routes(serve: Serve, llm: Any, model: str) -> None:
    served = serve()
    whole = llm(served, "-m", model, "--no-stream", "-o", "temperature", "0", "I like music")
    assert whole.returncode == 0, whole.stderr
    streamed = llm(served, "-m", model, "-o", "temperature", "0", "I like music")
    assert streamed.stdout == whole.stdout
    assert whole.stdout.strip()


def test_the_llm_command_shows_what_went_wrong(serve: Serve, llm: Any, fresh_backends: None) -> None:
    told = llm(serve(LLAMACPP_MODEL="/no/such.gguf"), "-m", "ours", "hi")
    assert told.returncode != 0
    assert "/no/such.gguf" in told.stderr


def test_openais_client_for_node(serve: Serve) -> None:
    told = run_node("openai/client.mjs", serve())
    assert {"default", "llamacpp"} <= set(told["models"])
    assert told["whole"]
    assert told["whole"] == told["streamed"]
    assert told["usage"][0] == told["usage"][1]
    assert told["text"]
    assert told["response"]
    assert told["response"] == told["delta"]
    assert told["last"] == "response.completed"
    assert told["refused"] == {"status": 404, "code": "model_not_found", "kind": "NotFoundError"}


def test_the_llm_commands_schema(serve: Serve, llm: Any) -> None:
    schema = {"type": "object", "properties": {"happy": {"type": "boolean"}}, "required": ["happy"]}
    closed = json.dumps({**schema, "additionalProperties": False})
    told = llm(serve(), "-m", "ours", "--schema", closed, "hi")
    assert told.returncode == 0, told.stderr
    assert isinstance(json.loads(told.stdout)["happy"], bool)


def test_the_llm_commands_tools(serve: Serve, llm: Any, loopback: Loopback) -> None:
    loopback.script.extend(["call llm_version", "say That is all."])
    told = llm(serve(LLM_BACKEND="openai"), "-m", "ours", "-T", "llm_version", "Which version?")
    assert told.stdout.strip() == "That is all.", told.stderr
    assert loopback.requests[-1]["messages"][-1]["role"] == "tool"


def test_replies_of_a_schema_for_clients_of_node(serve: Serve) -> None:
    told = run_node("openai/forms.mjs", serve())
    ways = {"ai-responses", "ai-chat", "ai-compatible"}
    assert set(told) == {"chat", "responses", *ways, *(f"{way}-streamed" for way in ways)}
    for name, reply in told.items():
        assert isinstance(reply["happy"], bool), name
        assert reply["mood"] in {"good", "bad"}, name


def test_clients_of_node_run_the_functions_that_are_called(serve: Serve, loopback: Loopback) -> None:
    runs = 8
    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat."] * runs)
    told = run_node("openai/functions.mjs", serve(LLM_BACKEND="openai"))
    assert told["cities"] == ["Paris"] * runs
    assert [answer.strip() for answer in told["answers"]] == ["Take a hat."] * runs
    assert "Sun in Paris." in json.dumps(loopback.requests[-1]["messages"][-1])


def test_clients_of_node_read_what_is_thought(thinks: httpx.Client) -> None:
    told = run_node("openai/thinking.mjs", thinks)
    ways = {"ai-responses", "ai-compatible"}
    assert set(told) == {"openai-chat", "openai-responses", *ways, *(f"{way}-streamed" for way in ways)}
    assert all(turns == [["Let me see.", TEXT]] * 2 for turns in told.values()), told


@pytest.fixture
def thinks(serve: Serve, byte_server: ByteServer) -> httpx.Client:
    """The API over a server whose model thinks."""
    byte_server.answer(stream(delta(reasoning_content="Let me see."), *words(), row(STOP)))
    return serve(LLM_BACKEND="openai")


@pytest.mark.parametrize("summary", [None, "auto"])
def test_langchains_model_reads_what_is_thought_over_responses(thinks: httpx.Client, summary: str | None) -> None:
    model = langchain(thinks, use_responses_api=True, reasoning={"summary": summary})
    whole = model.invoke("hi")
    streamed = reduce(add, model.stream("hi"))
    for message in (whole, streamed) if summary else (whole,):  # of a stream it reads summaries alone
        thoughts = [block for block in message.content if isinstance(block, dict) and block["type"] == "reasoning"]
        assert "Let me see." in json.dumps(thoughts)
    assert whole.text == streamed.text == TEXT
    assert model.invoke([HumanMessage("hi"), whole, HumanMessage("and?")]).text == TEXT


def test_the_llm_command_shows_what_is_thought(thinks: httpx.Client, llm: Any) -> None:
    told = llm(thinks, "-m", "ours-responses", "hi")
    assert told.stdout.strip() == TEXT
    assert "Let me see." in told.stderr
    hidden = llm(thinks, "-m", "ours-responses", "-R", "hi")
    assert (hidden.stdout, hidden.stderr.strip()) == (told.stdout, "")
