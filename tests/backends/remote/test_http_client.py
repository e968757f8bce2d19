"""The HTTP clients under the SDK: proxies, the connection kept for the next request, and structured output."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.byte_server import EVERY, STOP, TEXT, ByteServer, chunk, load, row_bytes, stream, words


@pytest.mark.parametrize("variable", ["OPENAI_PROXY", "HTTP_PROXY", "ALL_PROXY"])
def test_the_environments_proxy_is_used(
    byte_server: ByteServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("OPENAI_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, byte_server.url.removesuffix("/v1"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://model.invalid/v1")
    byte_server.answer(stream(*words(), chunk(STOP)))
    assert {ask().text for ask in EVERY} == {TEXT}
    assert {path.rpartition("/v1")[0] for path in byte_server.paths} == {"http://model.invalid"}


def test_a_format_of_the_reply_is_streamed_as_well(byte_server: ByteServer) -> None:
    """The SDK reads such a stream by a helper of its own, which is stricter."""
    rows = [chunk({"delta": {"content": piece}}) for piece in ('{"a"', ": 1}")]
    byte_server.answer(stream(*rows, chunk({"delta": {}, "finish_reason": "stop"}, usage={"prompt_tokens": 9})))
    pieces = [piece.text for piece in load().stream("hi", response_format={"type": "json_object"})]
    assert "".join(pieces) == '{"a": 1}'
    assert load().invoke("hi", response_format={"type": "json_object"}).text == '{"a": 1}'


@contextmanager
def keeping_server(answer: bytes) -> Iterator[tuple[str, list[int]]]:
    """A server that answers every request with this and keeps its connections: its address, and how many there were."""
    connections: list[int] = []

    def talk(client: socket.socket) -> None:
        with client, client.makefile("rb") as asked:
            while line := asked.readline():
                length = 0
                while line.strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    line = asked.readline()
                asked.read(length)
                client.sendall(answer)

    def listen(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            connections.append(1)
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", connections
        listener.shutdown(socket.SHUT_RDWR)


def test_streams_share_a_connection(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    parts = [*(row_bytes(row) for row in (*words(), chunk(STOP))), b"data: [DONE]\n\n"]
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    with keeping_server(head + body) as (url, connections):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_MODEL", "m-1")

        async def ask() -> list[str]:
            return ["".join([piece.text async for piece in load().astream("hi")]) for _ in range(4)]

        assert asyncio.run(ask()) == [TEXT] * 4
        assert len(connections) == 1
