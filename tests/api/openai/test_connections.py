"""Many clients at once, and clients that go away or stop reading: in order, and nothing is left running."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

import backends
from backends.local.engine import Request
from tests.api.conftest import Serve, idle, wait
from tests.api.openai.conftest import HI, NOISE
from tests.loopback import Loopback

CLIENTS = 50
WORDS = 40
STREAMS = 200
LONG = {"prompt": "I like music and", **NOISE}
WHILE = {**LONG, "stream": True, "max_tokens": 400}


def client_of(served: httpx.Client) -> AsyncOpenAI:
    """OpenAI's asynchronous client."""
    return AsyncOpenAI(base_url=f"{served.base_url}/v1", api_key="none", max_retries=0, timeout=300)


async def streamed(client: AsyncOpenAI, number: int, longest: int) -> str:
    """The text of one streamed chat, each with a seed and a prompt of its own."""
    messages: Any = [{"role": "user", "content": f"Tell me {number} things."}]
    stream = await client.chat.completions.create(
        model="default", messages=messages, seed=number, max_tokens=longest, stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def test_fifty_streams_at_once_are_those_of_one_by_one(serve: Serve) -> None:
    async with client_of(serve()) as client:
        alone = [await streamed(client, number, 12) for number in range(CLIENTS)]
        together = await asyncio.gather(*(streamed(client, number, 12) for number in range(CLIENTS)))
    assert together == alone
    assert len(set(alone)) > 5
    await asyncio.to_thread(wait, idle)


async def test_fifty_streams_of_a_server_keep_each_its_words(serve: Serve, loopback: Loopback) -> None:
    def words(body: dict[str, Any]) -> str:
        number = body["messages"][-1]["content"].split()[2]
        return " ".join(f"{number}:{place}" for place in range(WORDS))

    loopback.answer = words
    async with client_of(serve(LLM_BACKEND="openai")) as client:
        texts = await asyncio.gather(*(streamed(client, number, 500) for number in range(CLIENTS)))
    assert [text.split() for text in texts] == [[f"{n}:{place}" for place in range(WORDS)] for n in range(CLIENTS)]
    await asyncio.to_thread(wait, lambda: idle("openai"))


async def test_of_two_hundred_streams_none_is_left_behind(serve: Serve, loopback: Loopback) -> None:
    """When the median stream is at its end, each of them has at least half of its words."""
    together, stream = gate(STREAMS), loopback._stream
    loopback.pause, loopback.length = 0.02, WORDS
    loopback.script.extend(["slow"] * STREAMS)
    told, ended, least = [0] * STREAMS, list[int](), list[int]()

    async def held(todo: str, reply: str, request: Any) -> AsyncIterator[str]:
        await together()
        async for line in stream(todo, reply, request):
            yield line

    async def follow(client: httpx.AsyncClient, number: int) -> None:
        body = {"messages": HI, "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                told[number] += line.count("word")
        ended.append(number)
        if len(ended) == STREAMS // 2:
            least.append(min(told))

    loopback._stream = held  # type: ignore[method-assign]
    served = serve(LLM_BACKEND="openai", MAX_QUEUE=str(STREAMS))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=served.base_url, timeout=300, limits=limits) as client:
        await asyncio.gather(*(follow(client, number) for number in range(STREAMS)))
    assert told == [WORDS] * STREAMS
    assert least[0] >= WORDS / 2
    await asyncio.to_thread(wait, lambda: idle("openai"))


def gate(count: int) -> Callable[[], Awaitable[None]]:
    """A gate in the server that opens once so many stand before it: they begin to speak together."""
    waiting, opened = list[int](), asyncio.Event()

    async def enter() -> None:
        waiting.append(1)
        if len(waiting) == count:
            opened.set()
        await opened.wait()

    return enter


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """For each reply that is ended, how many tokens the engine had drawn by then."""
    found: list[int] = []
    cancel = Request.cancel

    def noting(self: Request) -> None:
        if not self.cancelled.is_set():
            found.append(engine().sampled_tokens)
        cancel(self)

    monkeypatch.setattr(Request, "cancel", noting)
    yield found


def engine() -> Any:
    """The one that computes, loaded."""
    return backends.loaded_model("llamacpp").engine  # type: ignore[union-attr]


PATHS = [
    ("/v1/completions", LONG),
    ("/v1/chat/completions", {"messages": HI, **NOISE}),
    ("/v1/responses", {"input": "hi", **NOISE}),
]


@pytest.mark.parametrize(("path", "body"), PATHS, ids=[path for path, _ in PATHS])
def test_a_client_that_goes_in_mid_stream_ends_the_engines_work(
    serve: Serve, drawn: list[int], path: str, body: dict[str, Any]
) -> None:
    client = serve()
    with client.stream("POST", path, json={**body, "stream": True}) as answer:
        assert next(answer.iter_lines())
        before = engine().sampled_tokens
    wait(idle)
    assert len(drawn) == 1
    assert engine().sampled_tokens - drawn[0] <= 1
    assert drawn[0] - before < 600, "the reply was not ended, it came to its end"


@pytest.mark.parametrize(("path", "body"), PATHS, ids=[path for path, _ in PATHS])
def test_a_client_that_does_not_wait_for_the_whole_ends_it_too(
    serve: Serve, drawn: list[int], path: str, body: dict[str, Any]
) -> None:
    client = serve()
    client.post("/v1/completions", json={"prompt": "hi", "max_tokens": 1})
    drawn.clear()
    before = engine().sampled_tokens
    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json=body, timeout=0.1)
    wait(idle)
    assert len(drawn) == 1
    assert engine().sampled_tokens - drawn[0] <= 1
    assert drawn[0] - before < 600


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_while_it_waits_leaves_the_line(
    serve: Serve, drawn: list[int], stream: bool, fresh_backends: None
) -> None:
    client = serve(LLAMACPP_PARALLEL="1")
    client.post("/v1/completions", json={"prompt": "hi", "max_tokens": 1})
    drawn.clear()
    with client.stream("POST", "/v1/completions", json=WHILE) as first:
        lines = first.iter_lines()
        next(lines)
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/completions", json={"prompt": "hi", "stream": stream}, timeout=0.1)
        wait(lambda: len(drawn) == 1)
        assert engine().pending_count() == 1, "the first goes on"
        assert list(lines)
    wait(idle)


def test_a_client_that_stops_reading_leaves_nothing_running(
    serve: Serve, loopback: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    loopback.answer = lambda body: " ".join(["x" * 500_000] * 60)
    client = serve(LLM_BACKEND="openai", SEND_TIMEOUT="0.3")
    body = json.dumps({"messages": HI, "stream": True}).encode()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((client.base_url.host, client.base_url.port))
        deaf.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait(lambda: not idle("openai"))
        wait(lambda: idle("openai"))
        wait(lambda: "a client did not read for 0.3 seconds (SEND_TIMEOUT)" in caplog.messages)
    assert client.get("/health").status_code == 200


def test_a_full_queue_is_told_at_once(serve: Serve) -> None:
    client = serve(MAX_QUEUE="1")
    with client.stream("POST", "/v1/completions", json=WHILE) as first:
        lines = first.iter_lines()
        next(lines)
        for path, body in PATHS:
            started = time.monotonic()
            answer = client.post(path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_full")
            assert int(answer.headers["retry-after"]) > 0
            assert time.monotonic() - started < 0.5
        assert "data: [DONE]" in list(lines), "and the one that runs is not disturbed"
    wait(idle)
    assert client.post("/v1/completions", json={"prompt": "hi", "max_tokens": 1}).status_code == 200


def test_a_client_that_goes_closes_the_connection_to_the_server_behind(serve: Serve, loopback: Loopback) -> None:
    loopback.script.extend(["slow"] * 3)
    client = serve(LLM_BACKEND="openai")
    for path, body in PATHS:
        with client.stream("POST", path, json={**body, "stream": True}) as answer:
            next(line for line in answer.iter_lines() if "word0" in line)
    wait(lambda: len(loopback.gone) == len(PATHS) and idle("openai"))
    assert loopback.sent < 60


def test_threads_with_clients_of_their_own(serve: Serve) -> None:
    client = serve()
    texts: dict[int, str] = {}

    def one(seed: int) -> None:
        with httpx.Client(base_url=client.base_url, timeout=300) as own:
            answer = own.post("/v1/completions", json={"prompt": "I like", "seed": seed, "max_tokens": 8})
            texts[seed] = answer.json()["choices"][0]["text"]

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for seed in range(8):
        again = client.post("/v1/completions", json={"prompt": "I like", "seed": seed, "max_tokens": 8}).json()
        assert again["choices"][0]["text"] == texts[seed]
