"""Bodies that are too long or too slow, and requests that are no HTTP."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.api.conftest import Serve
from tests.conversations.talk import wait_for

PATHS = ["/predict", "/v1/chat/completions", "/v1/completions", "/v1/responses", "/reset"]


def sent(client: httpx.Client, *pieces: bytes, pause: float = 0) -> bytes:
    """What a server says to bytes, until it closes the connection."""
    port = client.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # the answer came before the last piece
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        found = b""
        while more := connection.recv(65536):
            found += more
        return found


@pytest.mark.parametrize("path", PATHS)
def test_too_long_a_body_is_413_whether_its_length_is_told_or_not(serve: Serve, path: str) -> None:
    client = serve(MAX_BODY_BYTES="1000")

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b'{"text": "' + b"x" * 90 + b'"}'

    for content in (json.dumps({"text": "x" * 1000}).encode(), pieces()):
        answer = client.post(path, content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert client.get("/health").json()["backends"][1]["queue"] == 0


def test_a_length_that_is_told_is_not_waited_for(serve: Serve) -> None:
    client = serve(MAX_BODY_BYTES="1000")
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999999\r\n\r\n"
    begun = time.monotonic()
    assert sent(client, head).startswith(b"HTTP/1.1 413")
    assert time.monotonic() - begun < 2


def test_a_slow_body_is_408(serve: Serve) -> None:
    client = serve(SEND_TIMEOUT="0.3")
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"  # it would keep the connection
    begun = time.monotonic()
    answer = sent(client, head + b'{"te')
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "timeout"
    assert 0.2 < time.monotonic() - begun < 3


def test_a_body_that_comes_in_drops_is_408_all_the_same(serve: Serve) -> None:
    client = serve(SEND_TIMEOUT="0.3")
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 100\r\n\r\n"
    assert sent(client, head, b"{", b'"', pause=0.2).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["/predict", "/v1/chat/completions"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"'])
def test_what_is_no_object_is_400(serve: Serve, path: str, content: bytes) -> None:
    answer = serve().post(path, content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_nonsense_instead_of_http_hurts_nobody(serve: Serve) -> None:
    client = serve()
    assert sent(client, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert client.get("/health").status_code == 200


def test_a_client_that_goes_within_its_body_is_no_failure(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    client = serve()
    port = client.base_url.port
    assert port is not None
    for path in (*PATHS, "/sms"):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n".encode()
        with caplog.at_level(logging.INFO), socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + b'{"te')
            time.sleep(0.1)
        wait_for(lambda path=path: told(caplog, path), 5)  # type: ignore[misc]
        assert told(caplog, path) == [499]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def told(caplog: pytest.LogCaptureFixture, path: str) -> list[int]:
    """The statuses that the log tells of this route."""
    return [vars(record)["status"] for record in caplog.records if vars(record).get("route") == path]


def test_a_byte_order_mark_is_no_part_of_the_body(serve: Serve) -> None:
    client = serve()
    content = b'\xef\xbb\xbf{"text": "hi", "max_tokens": 2}'
    assert client.post("/predict", content=content).status_code == 200
    assert client.post("/reset", content=b"\xef\xbb\xbf").status_code == 200


def test_of_two_forms_that_a_field_may_have_the_one_that_was_meant_is_told_of(serve: Serve) -> None:
    client = serve()
    for stop, why in ((["x"] * 17, "at most 16"), ("x" * 201, "at most 200"), ([1], "valid string")):
        message = client.post("/predict", json={"text": "hi", "stop": stop}).json()["error"]["message"]
        assert message.startswith("stop"), message
        assert why in message
