"""`GET /metrics`: what this process has answered, as Prometheus reads it. Knows counts; no texts and no callers.

Every reply of the process counts, the page's as well; several workers each tell their own.
"""

from fastapi import APIRouter, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

import backends
from api.http.auth import CurrentPrincipal
from api.http.errors import error_responses
from api.http.health import queue_length
from api.http.state import StateDep
from conversations.replies import Reply

router = APIRouter(tags=["operations"])
disable_created_metrics()  # type: ignore[no-untyped-call]  # else each figure comes with a second one, of when it began
registry = CollectorRegistry()
ProcessCollector(registry=registry)
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
SPEED_BUCKETS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
EXAMPLE = 'assistant_replies_total{backend="llamacpp",state="done"} 3.0\n'

_requests = Counter("assistant_requests", "Requests answered.", ["route", "method", "status"], registry=registry)
_seconds = Histogram(
    "assistant_request_seconds",
    "From a request to the end of its answer.",
    ["route", "method"],
    buckets=SECONDS_BUCKETS,
    registry=registry,
)
_errors = Counter("assistant_errors", "Requests refused or failed, by code.", ["kind"], registry=registry)
_replies = Counter("assistant_replies", "Replies that have ended.", ["backend", "state"], registry=registry)
_failures = Counter("assistant_failures", "Replies that failed, by kind.", ["backend", "kind"], registry=registry)
_servers = Counter(
    "assistant_server_replies",
    "Whole replies by the server that gave them, where OPENAI_BASE_URL names several.",
    ["server"],
    registry=registry,
)
_prompt = Counter("assistant_prompt_tokens", "Tokens read.", ["backend"], registry=registry)
_completion = Counter("assistant_completion_tokens", "Tokens written.", ["backend"], registry=registry)
_thinking = Counter(
    "assistant_thinking_tokens", "Tokens thought before answers, among those written.", ["backend"], registry=registry
)
_thinking_seconds = Counter(
    "assistant_thinking_seconds", "Time in which models thought before they answered.", ["backend"], registry=registry
)
_first = Histogram(
    "assistant_first_token_seconds",
    "From a reply's beginning to its first token, waiting included.",
    ["backend"],
    buckets=SECONDS_BUCKETS,
    registry=registry,
)
_speed = Histogram(
    "assistant_tokens_per_second", "After the first token.", ["backend"], buckets=SPEED_BUCKETS, registry=registry
)
_embedded = Counter("assistant_embedded_texts", "Texts that vectors were made of.", ["model"], registry=registry)
_embedded_tokens = Counter("assistant_embedded_tokens", "Tokens of these texts.", ["model"], registry=registry)
_queue = Gauge("assistant_queue", "Requests that wait or run.", ["backend"], registry=registry)


def observe_request(route: str, method: str, status: int, seconds: float, error: str | None) -> None:
    """Count a request that has been answered."""
    _requests.labels(route, method, status).inc()
    _seconds.labels(route, method).observe(seconds)
    if error is not None:
        _errors.labels(error).inc()


def observe_embeddings(model: str, texts: int, tokens: int) -> None:
    """Count texts that vectors were made of for a request."""
    _embedded.labels(model).inc(texts)
    _embedded_tokens.labels(model).inc(tokens)


def observe_reply(reply: Reply) -> None:
    """A listener of replies: counts the ended one, whoever asked for it."""
    report = reply.report
    backend = report.backend or "none"
    _replies.labels(backend, str(reply.state)).inc()
    if reply.failure is not None:
        _failures.labels(backend, type(reply.failure).__name__).inc()
    if report.server is not None:  # one of the addresses in the settings, so there are few
        _servers.labels(report.server).inc()
    _prompt.labels(backend).inc((report.prompt_tokens or 0) + report.read_before)
    _completion.labels(backend).inc((report.completion_tokens or 0) + report.written_before)
    if report.thinking_ms is not None:
        tokens, seconds = report.fresh_thinking
        _thinking.labels(backend).inc(tokens)
        _thinking_seconds.labels(backend).inc(seconds)
    if report.first_token is not None:
        _first.labels(backend).observe(report.first_token)
    if report.tokens_per_second is not None:
        _speed.labels(backend).observe(report.tokens_per_second)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}}},
        **error_responses(401),
    },
)
async def metrics(state: StateDep, principal: CurrentPrincipal) -> Response:
    """Figures of this process for Prometheus: requests, replies, tokens, times, queues, errors."""
    for name, _ in backends.status(state.settings):
        _queue.labels(name).set(queue_length(state, name))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
