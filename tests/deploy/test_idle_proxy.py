"""Streams of a model that is silent for 6 seconds, through a real nginx that closes a connection after 3 of them."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from openai import OpenAI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from tests.api.process import served
from tests.asgi import listening
from tests.conftest import answers, free_port
from tests.loopback import KEY, Loopback

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ABSENT = "nginx is not installed: apt-get install nginx-light"
SILENCE = 6.0  # seconds
# What somebody writes who reads the first page of a manual: buffering and HTTP version are nginx's own.
CONFIGURATION = """
error_log /dev/stderr error;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:LISTEN;
        location / { proxy_pass TARGET; proxy_read_timeout 3s; }
    }
}
"""
HI: Any = [{"role": "user", "content": "hi"}]


class Silent(Loopback):
    """Says one word after a silence, and the other one after another."""

    async def _completions(self, _: Request) -> StreamingResponse:
        return StreamingResponse(self._words(lambda word: {"text": word}), media_type="text/event-stream")

    async def _stream(self, todo: str, reply: str, request: Request) -> AsyncIterator[str]:
        async for line in self._words(lambda word: {"delta": {"content": word}}):
            yield line

    async def _words(self, choice: Callable[[str], dict[str, Any]]) -> AsyncIterator[str]:
        for word in ("late", " enough"):
            await asyncio.sleep(SILENCE)
            yield self._line(choice(word))
        yield self._line({**choice(""), "finish_reason": "stop"})
        yield "data: [DONE]\n\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx before a process whose model is silent."""
    if NGINX is None:
        if os.environ.get("CI"):
            pytest.fail(f"{ABSENT}; CI skips nothing")
        pytest.skip(ABSENT)
    folder, port, model, model_port = tmp_path_factory.mktemp("nginx"), free_port(), Silent(), free_port()
    variables = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1", "OPENAI_API_KEY": KEY}
    variables["DATABASE_URL"] = f"sqlite:///{folder}/conversations.db"
    with listening(model.app(), model_port), served(folder, **variables) as server:
        path = folder / "nginx.conf"
        path.write_text(CONFIGURATION.replace("LISTEN", str(port)).replace("TARGET", server.url))
        options = ["-p", str(folder), "-c", str(path), "-g", f"pid {folder}/nginx.pid; daemon off;"]
        with (folder / "nginx.log").open("ab") as log:
            process = subprocess.Popen([NGINX, *options], stdout=log, stderr=log)
        try:
            answers(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def raw(address: str, path: str, body: dict[str, Any]) -> list[str]:
    """The lines of a stream."""
    with httpx.stream("POST", f"{address}{path}", json={**body, "stream": True}, timeout=300) as answer:
        assert answer.status_code == 200, answer.read()
        return [line for line in answer.iter_lines() if line]


def data(lines: list[str]) -> list[dict[str, Any]]:
    """The events of a stream, without the end."""
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def whole(address: str) -> int:
    """The status of a reply that is not streamed: it says nothing before its end."""
    return httpx.post(f"{address}/v1/chat/completions", json={"messages": HI}, timeout=300).status_code


def test_a_stream_outlives_6_seconds_of_silence_behind_a_limit_of_3(proxy: str) -> None:
    client = OpenAI(base_url=f"{proxy}/v1", api_key="none", max_retries=0)

    def chat() -> str:
        stream = client.chat.completions.create(model="default", messages=HI, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    def response() -> str:
        stream = client.responses.create(model="default", input="hi", stream=True)
        return "".join(event.delta for event in stream if event.type == "response.output_text.delta")

    with ThreadPoolExecutor(6) as threads:
        refused = threads.submit(whole, proxy)
        chatted, responded = threads.submit(chat), threads.submit(response)
        completion = threads.submit(raw, proxy, "/v1/completions", {"prompt": "hi"})
        predicted = threads.submit(raw, proxy, "/predict", {"text": "hi"})
        continued = threads.submit(raw, proxy, "/predict", {"text": "hi", "mode": "complete"})
    assert refused.result() == 504, "nginx closes what is silent"
    assert [chatted.result(), responded.result()] == ["late enough"] * 2
    assert "".join(event["choices"][0]["text"] for event in data(completion.result())) == "late enough"
    for lines in (predicted.result(), continued.result()):
        *pieces, last = data(lines)
        assert "".join(piece["delta"] for piece in pieces) == last["reply"] == "late enough"
    for lines in (completion.result(), predicted.result(), continued.result()):
        assert lines[0].startswith(":"), "a comment before the first word"
        assert sum(line.startswith(":") for line in lines) >= 2 * (SILENCE // 3)
        assert lines[-1] == "data: [DONE]"
