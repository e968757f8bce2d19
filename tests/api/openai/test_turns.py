"""Six clients that have little in common talk to a server process as their users do: each its own program or library.

Whole and streamed, two turns, through silences, left early, and with a wrong key. docs/clients.md names many more.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import httpx
import pytest
from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_openai import ChatOpenAI
from openai import OpenAI

from tests.api.conftest import wait
from tests.api.node import require_node
from tests.api.process import served
from tests.asgi import listening
from tests.conftest import free_port
from tests.loopback import KEY, Loopback

NODE = Path(__file__).parent / "node"
LLM = Path(sys.executable).parent / "llm"
OURS = "sk-of-this-server"
TURNS = ("hi, how are you?", "And you?")


class Server(NamedTuple):
    """A process with two models: `default` is the shipped one, `openai` says what `loopback` is told to."""

    url: str
    loopback: Loopback


class Client(Protocol):
    """The replies to the turns of a chat; with `leave` it goes after so many pieces of the first one."""

    def __call__(
        self, url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS
    ) -> list[str]: ...


def openai(
    url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS
) -> list[str]:
    """OpenAI's own for Python."""
    messages: list[Any] = []
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        for turn in turns:
            messages.append({"role": "user", "content": turn})
            asked: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0}
            if not stream:
                messages.append(client.chat.completions.create(**asked).choices[0].message)
                continue
            with client.chat.completions.stream(**asked) as events:
                pieces = 0
                for event in events:
                    pieces += event.type == "content.delta"
                    if leave and pieces == leave:
                        return []
                messages.append(events.get_final_completion().choices[0].message)
    return [message.content for message in messages[1::2]]


def langchain(
    url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS
) -> list[str]:
    """LangChain's `ChatOpenAI`."""
    messages: list[BaseMessage] = []
    chat = ChatOpenAI(base_url=f"{url}/v1", api_key=key, model=model, temperature=0, max_retries=0)
    for turn in turns:
        messages.append(HumanMessage(turn))
        if not stream:
            messages.append(chat.invoke(messages))
            continue
        chunks = list[AIMessageChunk]()
        with closing(cast(Generator[AIMessageChunk], chat.stream(messages))) as answer:
            for chunk in answer:
                chunks.append(chunk)
                if leave and len(chunks) > leave:
                    return []
        messages.append(add_ai_message_chunks(*chunks))
    return [message.text for message in messages[1::2]]


def agent_framework(
    url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS
) -> list[str]:
    """Microsoft's agent-framework: /v1/responses, and of a second turn the first one's id alone."""

    async def talk() -> list[str]:
        client = OpenAIChatClient(model=model, base_url=f"{url}/v1", api_key=key)
        async with client.client:
            agent = Agent(client=client, default_options={"temperature": 0})
            session, replies = agent.create_session(), list[str]()
            for turn in turns:
                if not stream:
                    replies.append((await agent.run(turn, session=session)).text)
                    continue
                pieces, updates = 0, agent.run(turn, session=session, stream=True)
                async for update in updates:
                    pieces += bool(update.text)
                    if leave and pieces == leave:
                        return []
                replies.append((await updates.get_final_response()).text)  # the updates hold all of it twice
            return replies

    return asyncio.run(talk())


def llm(url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS) -> list[str]:
    """Simon Willison's command, which keeps what was said in a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        entry = {"model_id": "ours", "model_name": model, "api_base": f"{url}/v1", "api_key_name": "ours"}
        (Path(folder) / "extra-openai-models.yaml").write_text(json.dumps([entry]))
        environment = {**os.environ, "LLM_USER_PATH": folder}
        command = [str(LLM), "-m", "ours", "--key", key, "-o", "temperature", "0", *([] if stream else ["--no-stream"])]
        if leave:
            with subprocess.Popen([*command, turns[0]], env=environment, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.read(leave)
                process.kill()
            return []
        calls = [[*command, *(["-c"] if number else []), turn] for number, turn in enumerate(turns)]
        return [run(call, environment).removesuffix("\n") for call in calls]


def node(name: str) -> Client:
    """One of the clients in node/talk.mjs."""

    def talk(
        url: str, model: str, turns: Sequence[str], stream: bool = True, leave: int = 0, key: str = OURS
    ) -> list[str]:
        asked = {"url": f"{url}/v1", "model": model, "turns": turns, "stream": stream, "leave": leave, "key": key}
        replies: list[str] = json.loads(run(["node", NODE / "talk.mjs", name, json.dumps(asked)], dict(os.environ)))
        return replies

    return talk


def run(command: Sequence[str | Path], environment: dict[str, str]) -> str:
    """What a command writes. Raises RuntimeError with what it says of its failure."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


CLIENTS: dict[str, Client] = {
    "openai": openai,
    "langchain-openai": langchain,
    "agent-framework-openai": agent_framework,
    "llm": llm,
    "npm:openai": node("openai"),
    "npm:@ai-sdk/openai": node("ai-sdk"),
    "npm:@ai-sdk/openai-compatible": node("ai-sdk-compatible"),
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Each of them; where one is not there the test is skipped, but in CI."""
    if request.param.startswith("npm:"):
        require_node("openai")
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key, and sends comments in every silence."""
    folder, loopback, port = tmp_path_factory.mktemp("server"), Loopback(), free_port()
    variables = {"API_KEYS": OURS, "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": KEY,
                 "KEEPALIVE_INTERVAL": "0.05", "DATABASE_URL": f"sqlite:///{folder}/conversations.db"}  # fmt: skip
    with listening(loopback.app(), port), served(folder, **variables) as server:
        yield Server(server.url, loopback)


@pytest.fixture
def server(process: Server) -> Server:
    """The server, and what it asks as new."""
    vars(process.loopback).update(vars(Loopback()))
    return process


def test_two_turns_whole_and_streamed(server: Server, client: Client, said: Callable[[str], list[str]]) -> None:
    assert client(server.url, "default", TURNS, stream=False) == said(server.url)
    assert client(server.url, "default", TURNS) == said(server.url)


@pytest.fixture(scope="module")
def said() -> Callable[[str], list[str]]:
    """What the model says in these turns, asked without any client."""
    replies: list[str] = []

    def ask(url: str) -> list[str]:
        messages: list[dict[str, str]] = []
        for turn in TURNS if not replies else ():
            messages.append({"role": "user", "content": turn})
            body = {"messages": messages, "temperature": 0}
            headers = {"Authorization": f"Bearer {OURS}"}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60).json()
            messages.append(answer["choices"][0]["message"])
            replies.append(messages[-1]["content"])
        return replies

    return ask


def test_comments_before_and_between_the_words_of_a_stream(server: Server, client: Client) -> None:
    server.loopback.pause = 0.2
    server.loopback.script.extend(["503", "slow 4"])  # asked again after half a second of silence
    assert [reply.split() for reply in client(server.url, "openai", ["hi"])] == [["word0", "word1", "word2", "word3"]]


def test_a_client_that_leaves_early_ends_the_reply(server: Server, client: Client) -> None:
    server.loopback.script.append("slow 1000000")
    client(server.url, "openai", ["hi"], leave=3)
    wait(lambda: server.loopback.gone)


def test_a_wrong_key_is_said(server: Server, client: Client) -> None:
    with pytest.raises(Exception, match="The key is wrong"):
        client(server.url, "default", ["hi"], stream=False, key="wrong")
