"""`/v1/messages` as other people's programs see it: LangChain's model, and clients for Node."""

import json
from functools import reduce
from operator import add
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from tests.api.anthropic.conftest import USAGE
from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.byte_server import STOP, TEXT, ByteServer, chunk, delta, stream, words
from tests.loopback import Loopback

CLIENT = "anthropic/client.mjs"  # for Node, with its parts


def langchain(served: httpx.Client, **options: Any) -> ChatAnthropic:
    """LangChain's model of the same server."""
    given: Any = {"base_url": str(served.base_url), "api_key": "none", "model": "default", "max_retries": 0, **options}
    return ChatAnthropic(**given)


class Mood(BaseModel):
    """How somebody feels."""

    happy: bool


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"Sun in {city}."


async def test_langchains_model(serve: Serve) -> None:
    model = langchain(serve(), temperature=0, max_tokens=20)
    whole = model.invoke([SystemMessage("Be kind."), HumanMessage("hi"), AIMessage("hello"), HumanMessage("and you?")])
    assert whole.text
    assert whole.usage_metadata
    assert whole.usage_metadata["total_tokens"] > whole.usage_metadata["output_tokens"] > 0
    gathered = reduce(add, [chunk async for chunk in model.astream("hi, how are you?")])
    again = model.invoke("hi, how are you?")
    assert gathered.text == again.text
    assert gathered.usage_metadata == again.usage_metadata
    assert gathered.response_metadata["stop_reason"] == again.response_metadata["stop_reason"]
    counted = model.get_num_tokens_from_messages([HumanMessage("hi, how are you?")])
    assert again.usage_metadata
    assert counted == again.usage_metadata["input_tokens"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchains_model_of_a_form(serve: Serve, method: Any) -> None:
    model = langchain(serve(), temperature=0, max_tokens=60)
    assert isinstance(model.with_structured_output(Mood, method=method).invoke("hi"), Mood)


def test_langchains_agent(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat."])
    agent = create_agent(langchain(serve(LLM_BACKEND="openai")), [weather])
    said = agent.invoke({"messages": [HumanMessage("What is the weather in Paris?")]})
    assert said["messages"][-1].text.strip() == "Take a hat."
    assert "Sun in Paris." in json.dumps(loopback.requests[-1]["messages"][-1])


@pytest.fixture
def thinking(serve: Serve, byte_server: ByteServer) -> httpx.Client:
    """The API over a server whose model thinks."""
    byte_server.answer(stream(delta(reasoning_content="Let me see."), *words(), chunk(STOP, usage=USAGE)))
    return serve(LLM_BACKEND="openai")


def test_langchains_model_reads_what_is_thought(thinking: httpx.Client) -> None:
    model = langchain(thinking, max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
    whole = model.invoke("hi")
    streamed = reduce(add, model.stream("hi"))
    for message in (whole, streamed):
        thoughts = [block for block in message.content_blocks if block["type"] == "reasoning"]
        assert [block["reasoning"] for block in thoughts] == ["Let me see."]
        assert message.text == TEXT
    assert model.invoke([HumanMessage("hi"), whole, HumanMessage("and?")]).text == TEXT


def test_clients_of_node(serve: Serve) -> None:
    told = run_node(CLIENT, serve(), "text")
    assert len(set(told["texts"])) == 1
    assert told["texts"][0]
    assert len(set(told["tokens"])) == 1
    assert told["reasons"][0] == told["reasons"][1]
    assert told["refused"] == {"status": 404, "kind": "NotFoundError", "type": "not_found_error"}


def test_clients_of_node_run_the_tools_that_are_called(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat."] * 3)
    told = run_node(CLIENT, serve(LLM_BACKEND="openai"), "tools")
    assert told["cities"] == ["Paris"] * 3
    assert [answer.strip() for answer in told["answers"]] == ["Take a hat."] * 3
    assert "Sun in Paris." in json.dumps(loopback.requests[-1]["messages"][-1])


def test_clients_of_node_read_what_is_thought(thinking: httpx.Client) -> None:
    assert run_node(CLIENT, thinking, "thinking") == [["Let me see.", TEXT, True]] * 5


def test_a_reply_of_a_schema_for_node(serve: Serve) -> None:
    assert isinstance(run_node(CLIENT, serve(), "forms")["happy"], bool)


def test_models_are_listed_for_both_families(serve: Serve) -> None:
    client = Anthropic(base_url=str(serve().base_url), api_key="none", max_retries=0)
    names = [model.id for model in client.models.list()]
    assert {"default", "llamacpp"} <= set(names)
    assert client.models.retrieve("default").type == "model"
