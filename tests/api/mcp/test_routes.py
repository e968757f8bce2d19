"""MCP's clients against `/mcp`: the Python package's and the one for Node, with keys, limits and whose data it is."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from settings import ROOT
from tests.api.conftest import Serve
from tests.api.process import served
from tests.loopback import Loopback

TALK = ROOT / "tests/tools/node/talk.mjs"
TOOLS = ["search_documents", "search_conversations", "ask"]
FACT = "The lighthouse of Brandaris was built in 1594 by nine masons from Harlingen."
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (TALK.parent / "node_modules").exists(),
    reason="node and `npm ci --prefix tests/tools/node --ignore-scripts`",
)


async def talk(calls: list[Any], *target: str) -> Any:
    """What the client for Node was told."""
    process = await asyncio.create_subprocess_exec(
        "node", str(TALK), json.dumps(calls), *target, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(told)


async def ask(client: httpx.Client, key: str, *calls: tuple[str, dict[str, Any]], mode: str = "auto") -> list[str]:
    """What the Python package's client is told, with a key."""
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"} if key else None)
    address = str(client.base_url.join("/mcp"))
    async with http, Client(streamable_http_client(address, http_client=http), mode=mode) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == TOOLS
        results = [await session.call_tool(name, arguments) for name, arguments in calls]
    return [("error: " if result.is_error else "") + str(getattr(result.content[0], "text", "")) for result in results]


def keep(client: httpx.Client, key: str) -> None:
    """A document and a conversation of this key's owner."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"text": "tell me about the zeppelin museum", "max_tokens": 4}
    assert client.post("/predict", json=body, headers=headers).status_code == 200
    file = {"file": ("notes.txt", FACT.encode())}
    answer = client.post("/v1/files", files=file, data={"purpose": "assistants"}, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_key_finds_its_own(serve: Serve, mode: str) -> None:
    client = serve(API_KEYS="one,two")
    await asyncio.to_thread(keep, client, "one")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("search_documents", {"query": "When was the lighthouse built?"}),
        ("search_conversations", {"query": "zeppelin"}),
    ]
    documents, conversations = await ask(client, "one", *calls, mode=mode)
    assert documents == f"[1] notes.txt\n{FACT}"
    assert "zeppelin museum" in conversations
    assert await ask(client, "two", *calls, mode=mode) == ["No passage fits.", "No conversation has all these words."]


async def test_what_models_thought_is_found_where_it_is_asked_for(serve: Serve, loopback: Loopback) -> None:
    client = serve(API_KEYS="one", LLM_BACKEND="openai")
    loopback.script.append("think 3")
    headers = {"Authorization": "Bearer one"}
    await asyncio.to_thread(client.post, "/predict", json={"text": "hi"}, headers=headers)
    query: dict[str, Any] = {"query": "thought2"}
    calls = [("search_conversations", {**query, **more}) for more in ({}, {"thinking": True})]
    said, thought = await ask(client, "one", *calls)
    assert said == "No conversation has all these words."
    assert thought.endswith("thought0 thought1 thought2")


@needs_node
async def test_a_client_that_is_not_ours(serve: Serve) -> None:
    client = serve(API_KEYS="one")
    await asyncio.to_thread(keep, client, "one")
    calls = [
        ["search_documents", {"query": "lighthouse"}],
        ["ask", {"question": "When was the lighthouse built?", "documents": True}],
        ["ask", {"question": "hi, how are you?"}],
        ["ask", {}],
    ]
    told = await talk(calls, "http", str(client.base_url.join("/mcp")), "one")
    assert (told["server"], told["tools"]) == ("llm-assistant", TOOLS)
    (_, found), (failed, reply), (_, hello), wrong = told["results"]
    assert FACT in found
    assert not failed
    assert f"\n\nFrom:\n\n[1] notes.txt\n{FACT}" in reply
    assert hello
    assert wrong == [True, "ask: the arguments do not fit: question: Field required"]


@pytest.mark.server
async def test_the_server_that_has_the_page_answers_the_same_keys(tmp_path: Path) -> None:
    call: tuple[str, dict[str, Any]] = ("search_conversations", {"query": "zeppelin"})
    with (
        served(tmp_path, way="serve", API_KEYS="one,two", DATABASE_URL=f"sqlite:///{tmp_path}/kept.db") as process,
        httpx.Client(base_url=process.url, timeout=300) as client,
    ):
        await asyncio.to_thread(keep, client, "one")
        (found,) = await ask(client, "one", call)
        assert "zeppelin museum" in found
        assert await ask(client, "two", call) == ["No conversation has all these words."]
        with pytest.raises((MCPError, ExceptionGroup)):
            await ask(client, "")
        assert (await asyncio.to_thread(client.get, "/mcp")).status_code == 405


async def test_no_key_no_answer(serve: Serve) -> None:
    client = serve(API_KEYS="one")
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    answer = await asyncio.to_thread(client.post, "/mcp", json=message, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    with pytest.raises((MCPError, ExceptionGroup)):
        await ask(client, "wrong")
    refused = await asyncio.to_thread(
        client.post,
        "/mcp",
        json=message,
        headers={**headers, "Authorization": "Bearer one", "Origin": "http://evil.org"},
    )
    assert refused.status_code == 403
    assert (await asyncio.to_thread(client.get, "/mcp")).status_code == 405


async def test_limits_hold_here_too(serve: Serve) -> None:
    client = serve(API_KEYS="one", RATE_LIMIT="2/hour", MAX_BODY_BYTES="1000")
    headers = {"Accept": "application/json, text/event-stream", "Authorization": "Bearer one"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {"x": "x" * 2_000}}}

    def post() -> int:
        return client.post("/mcp", json=message, headers=headers).status_code

    assert [await asyncio.to_thread(post) for _ in range(3)] == [413, 413, 429]


async def test_without_keys_nobody_finds_what_others_said(serve: Serve) -> None:
    client = serve()
    await asyncio.to_thread(keep, client, "")
    searches: list[tuple[str, dict[str, Any]]] = [
        ("search_documents", {"query": "lighthouse"}),
        ("search_conversations", {"query": "zeppelin"}),
        ("ask", {"question": "When was the lighthouse built?", "documents": True}),
    ]
    answers = await ask(client, "", *searches, ("ask", {"question": "hi"}))
    assert (
        answers[:3]
        == ["error: Documents and conversations are found only for the holder of a key: set API_KEYS, send one."] * 3
    )
    assert not answers[3].startswith("error")


async def test_bad_calls_are_one_line(serve: Serve) -> None:
    client = serve(API_KEYS="one")
    answers = await ask(
        client,
        "one",
        ("nothing", {}),
        ("search_documents", {"query": "x", "limit": 1_000}),
        ("search_documents", {"query": "x", "owner": "somebody else"}),
        ("ask", {"question": "x" * 1_500_000}),
    )
    assert answers[0] == "error: nothing: there is no such tool. There are search_documents, search_conversations, ask."
    assert all(answer.startswith("error: ") and "\n" not in answer for answer in answers)


@needs_node
@pytest.mark.server
async def test_over_stdin_and_stdout(tmp_path: Path) -> None:
    calls = [["search_conversations", {"query": "zeppelin"}], ["ask", {"question": "hi, how are you?"}]]
    told = await talk(calls, "stdio", sys.executable, str(ROOT / "cli.py"), "mcp")
    assert told["tools"] == TOOLS
    assert told["results"][0] == [False, "No conversation has all these words."]
    failed, reply = told["results"][1]
    assert not failed
    assert reply
