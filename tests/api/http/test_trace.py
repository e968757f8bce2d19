"""Traces of a real server, at a collector that reads what OpenTelemetry sends, and at a stand-in for LangSmith."""

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from settings import ROOT
from tests.api.process import served
from tests.asgi import listening
from tests.conftest import free_port

MARK = "zebramarker"
HI = {"model": "default", "messages": [{"role": "user", "content": MARK}], "max_tokens": 5}


class Collector:
    """What was sent to a server that takes everything."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        """Keep it."""
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append((request.url.path, body))
        return JSONResponse({})

    def spans(self) -> list[Span]:
        """Those that came, decoded."""
        found = []
        for path, body in self.bodies:
            assert path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """The server on a loopback port."""
    made, port = Collector(), free_port()
    made.url = f"http://127.0.0.1:{port}"
    every = ["GET", "POST", "PATCH", "PUT"]
    with listening(Starlette(routes=[Route("/{path:path}", made.take, methods=every)]), port):
        yield made


def attributes(span: Span) -> dict[str, Any]:
    """A span's, as plain values."""
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in span.attributes}


@pytest.mark.parametrize("way", ["uvicorn", "serve"])
def test_a_reply_is_a_span_below_its_request(tmp_path: Path, way: str) -> None:
    with collecting() as collector:
        with served(tmp_path, way, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as server:
            answer = httpx.post(f"{server.url}/v1/chat/completions", json=HI, timeout=300)
            httpx.get(f"{server.url}/v1/models/nothing")
        spans = collector.spans()
        sent = b"".join(body for _, body in collector.bodies)
    (reply,) = [span for span in spans if span.name.startswith("chat ")]
    (request,) = [span for span in spans if span.name == "POST /v1/chat/completions"]
    assert (reply.trace_id, reply.parent_span_id) == (request.trace_id, request.span_id)
    assert request.start_time_unix_nano <= reply.start_time_unix_nano < reply.end_time_unix_nano
    said, usage = attributes(reply), answer.json()["usage"]
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == "llamacpp"
    assert said["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert said["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert said["llm_assistant.state"] == "done"
    assert attributes(request)["http.response.status_code"] == 200
    assert not [span for span in spans if "/health" in span.name]
    assert MARK.encode() not in sent


def test_texts_travel_only_where_they_are_asked_for_and_a_failure_is_one(tmp_path: Path) -> None:
    with collecting() as collector:
        with served(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, LOG_CONTENT="1") as server:
            httpx.post(f"{server.url}/v1/chat/completions", json=HI, timeout=300)
            long = {**HI, "messages": [{"role": "user", "content": "x " * 5000}]}
            assert httpx.post(f"{server.url}/v1/chat/completions", json=long, timeout=300).status_code == 400
        replies = [span for span in collector.spans() if span.name.startswith("chat")]
    assert len(replies) == 2
    fine, failed = sorted(replies, key=lambda span: span.status.code)
    assert MARK in attributes(fine)["gen_ai.input.messages"]
    assert '"role": "assistant"' in attributes(fine)["gen_ai.output.messages"]
    assert attributes(failed)["error.type"] == "ContextOverflowError"


IMPORTED = """
import asyncio, sys
from api.application import app
from api.lifespan import lifespan
async def live():
    async with lifespan(app):
        print(sorted(name for name in sys.modules if name.startswith("opentelemetry.exporter")))
asyncio.run(live())
"""
HIDDEN = "import sys\nsys.modules['opentelemetry.sdk.trace'] = None\n"


def lived(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program that starts the API and ends it."""
    given = {
        "PYTHONPATH": str(ROOT),
        "LLM_BACKEND": "llamacpp",
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": f"sqlite:///{folder}/x.db",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=given, capture_output=True, text=True, timeout=300
    )


def test_nothing_is_imported_where_nobody_asks_for_traces(tmp_path: Path) -> None:
    assert lived(tmp_path, IMPORTED).stdout == "[]\n"


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path) -> None:
    ended = lived(tmp_path, HIDDEN + IMPORTED, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "pip install -r requirements-telemetry.txt" in ended.stderr.splitlines()[-1]


def test_a_collector_that_is_away_holds_nobody_up(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with served(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=away) as server:
        assert httpx.post(f"{server.url}/v1/chat/completions", json=HI, timeout=300).status_code == 200
        begun = time.monotonic()
        server.popen.terminate()
        server.popen.wait(15)
        assert time.monotonic() - begun < 10


def test_langsmith_gets_runs_by_its_own_variables(tmp_path: Path) -> None:
    with collecting() as collector:
        smith = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": collector.url, "LANGSMITH_API_KEY": "lsv2_x"}
        with served(tmp_path, **smith) as server:
            httpx.post(f"{server.url}/v1/chat/completions", json=HI, timeout=300)
            end = time.monotonic() + 300
            while time.monotonic() < end and not any(MARK.encode() in body for _, body in list(collector.bodies)):
                time.sleep(0.1)
        runs = [path for path, body in collector.bodies if MARK.encode() in body]
    assert runs
    assert all(path.startswith("/runs") for path in runs)
