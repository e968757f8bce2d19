"""The API as other people's programs see it, beside test_turns.py: what is only these clients' own."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
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
from tests.api.openai.conftest import HI, Talk

NODE = Path(__file__).parent / "node"
LLM = Path(sys.executable).parent / "llm"


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
            {"model_id": "ours", "model_name": "default", "api_base": address},
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


def run_node(script: str, served: httpx.Client) -> Any:
    """What a script tells of its talk with a server, as JSON; skips the test where Node or a package is not there."""
    reason = "node is not installed" if shutil.which("node") is None else None
    if not all((NODE / "node_modules" / package).is_dir() for package in ("openai", "ai", "@ai-sdk/openai")):
        reason = reason or "the clients for Node are not installed: npm ci --prefix tests/api/openai/node"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    command = ["node", str(NODE / script), f"{served.base_url}/v1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_openais_client_for_node(serve: Serve) -> None:
    told = run_node("client.mjs", serve())
    assert {"default", "llamacpp"} <= set(told["models"])
    assert told["whole"]
    assert told["whole"] == told["streamed"]
    assert told["usage"][0] == told["usage"][1]
    assert told["text"]
    assert told["response"]
    assert told["response"] == told["delta"]
    assert told["last"] == "response.completed"
    assert told["refused"] == {"status": 404, "code": "model_not_found", "kind": "NotFoundError"}
