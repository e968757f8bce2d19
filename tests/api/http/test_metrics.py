"""Figures, as Prometheus' own parser reads them after real requests."""

import time
from collections import Counter
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Serve
from tests.conftest import free_port
from tests.loopback import Loopback

HI = {"model": "default", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
Figures = Counter[tuple[str, tuple[tuple[str, str], ...]]]


def figures(client: httpx.Client) -> Figures:
    """Every sample by name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return Counter({(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples})


def grown(before: Figures, after: Figures, name: str, **labels: str) -> float:
    """By how much one sample has."""
    key = (f"assistant_{name}", tuple(sorted(labels.items())))
    return after[key] - before[key]


def later(client: httpx.Client, before: Figures, name: str, **labels: str) -> Figures:
    """The figures once this one has grown: a reply is counted at its very end."""
    end = time.monotonic() + 300
    while not grown(before, after := figures(client), name, **labels) and time.monotonic() < end:
        time.sleep(0.02)
    return after


def test_requests_replies_tokens_and_times_are_counted(serve: Serve) -> None:
    client = serve()
    before = figures(client)
    usage = client.post("/v1/chat/completions", json=HI).json()["usage"]
    said = client.post("/predict", json={"text": "hi", "max_tokens": 20}).json()
    after = later(client, before, "prompt_tokens_total", backend="llamacpp")
    time.sleep(0.1)
    after = figures(client)
    for route in ("/v1/chat/completions", "/predict"):
        assert grown(before, after, "requests_total", route=route, method="POST", status="200") == 1
        assert grown(before, after, "request_seconds_count", route=route, method="POST") == 1
        assert 0 < grown(before, after, "request_seconds_sum", route=route, method="POST") < 30
    assert grown(before, after, "replies_total", backend="llamacpp", state="done") == 2
    for kind in ("prompt_tokens", "completion_tokens"):
        assert grown(before, after, f"{kind}_total", backend="llamacpp") == usage[kind] + said[kind]
    assert grown(before, after, "first_token_seconds_count", backend="llamacpp") == 2
    assert grown(before, after, "tokens_per_second_count", backend="llamacpp") == 2
    assert grown(before, after, "tokens_per_second_sum", backend="llamacpp") > 20


def test_what_was_thought_is_counted_apart_and_paid_for(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", TOKEN_QUOTA="1000")
    before = figures(client)
    loopback.script.append("think 5")
    answer = client.post("/v1/chat/completions", json=HI)
    usage = answer.json()["usage"]
    written = 5 + len(loopback.reply.split())
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 5
    assert usage["completion_tokens"] == written
    after = later(client, before, "thinking_tokens_total", backend="openai")
    assert grown(before, after, "thinking_tokens_total", backend="openai") == 5
    assert grown(before, after, "completion_tokens_total", backend="openai") == written
    assert 0 < grown(before, after, "thinking_seconds_total", backend="openai") < 30
    left = int(client.post("/v1/chat/completions", json={}).headers["x-ratelimit-remaining-tokens"])
    assert left == 1000 - usage["prompt_tokens"] - written


def test_errors_are_counted_by_kind(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    before = figures(client)
    loopback.script.append("refuse x")
    wanted: list[tuple[str, Any]] = [("invalid_json", "{"), ("model_not_found", {**HI, "model": "none"})]
    for _, body in wanted:
        client.post("/v1/chat/completions", **({"content": body} if isinstance(body, str) else {"json": body}))
    assert client.post("/v1/chat/completions", json=HI).status_code == 400
    assert client.get("/nothing/here").status_code == 404
    client.request("PROPFIND", "/health")
    after = later(client, before, "replies_total", backend="openai", state="failed")
    for kind, _ in wanted:
        assert grown(before, after, "errors_total", kind=kind) == 1
    assert grown(before, after, "failures_total", backend="openai", kind="ModelInvalidRequestError") == 1
    assert grown(before, after, "replies_total", backend="openai", state="failed") == 1
    assert grown(before, after, "requests_total", route="(none)", method="GET", status="404") == 1
    assert grown(before, after, "requests_total", route="/health", method="(other)", status="405") == 1
    assert not any("nothing" in value for _, labels in after for _, value in labels)


def test_replies_are_counted_by_server_where_there_are_several(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", OPENAI_BASE_URL=f"http://127.0.0.1:{free_port()}/v1,{loopback.url}")
    before = figures(client)
    for _ in range(2):
        assert client.post("/v1/chat/completions", json=HI).status_code == 200
    after = later(client, before, "server_replies_total", server=loopback.url)
    assert 1 <= grown(before, after, "server_replies_total", server=loopback.url) <= 2
    assert len([name for name, _ in after if name == "assistant_server_replies_total"]) == 1


def test_the_queue_is_looked_at_when_it_is_asked_for(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    key = ("assistant_queue", (("backend", "openai"),))
    assert figures(client)[key] == 0
    before = figures(client)
    loopback.script.append("slow")
    with client.stream("POST", "/v1/chat/completions", json={**HI, "stream": True}) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert figures(client)[key] == 1
    after = later(client, before, "replies_total", backend="openai", state="stopped")
    assert grown(before, after, "replies_total", backend="openai", state="stopped") == 1
    assert after[key] == 0


def test_the_process_itself_is_measured(serve: Serve) -> None:
    found = figures(serve())
    assert found[("process_resident_memory_bytes", ())] > 10_000_000
