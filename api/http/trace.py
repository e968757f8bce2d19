"""Traces for OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT is set: a span of each request and of each reply.

Without it nothing is imported and nothing sent. LangSmith needs nothing here: LangChain reads LANGSMITH_TRACING,
LANGSMITH_API_KEY and LANGSMITH_ENDPOINT itself.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from api.http import log
from api.settings import ApiSettings
from conversations.replies import Reply
from settings import VERSION, SettingsError, install_hint

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

UNTRACED_PATHS = ("/health", "/metrics")  # asked every few seconds by machines
SECRET_PATHS = "/shared/"  # with what follows a link opens
FLUSH_TIMEOUT = 3.0  # seconds for the last spans to be sent
# What FastAPI adds of its own; the texts of failures and of requests are not among it.
TELEMETRY: Any = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
    "exclude": lambda scope: scope["path"] in UNTRACED_PATHS or scope["path"].startswith(SECRET_PATHS),
}
_tracer: "Tracer | None" = None


@contextmanager
def tracing(settings: ApiSettings) -> Iterator[None]:
    """Send spans while the block runs, where settings name a collector. Raises SettingsError without the package."""
    global _tracer
    if settings.otel_exporter_otlp_endpoint is None:
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set. Unset it, or get "
            + install_hint("what sends traces", "run `pip install -r requirements-telemetry.txt`", "EXTRAS=telemetry")
        ) from error
    service = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "llm-assistant"}
    provider = TracerProvider(resource=Resource.create({**service, "service.version": VERSION}), shutdown_on_exit=False)
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    _tracer = provider.get_tracer("llm-assistant", VERSION)
    try:
        yield
    finally:
        _tracer = None
        shutdown = Thread(target=provider.shutdown, daemon=True)  # a collector that is away would hold the end up
        shutdown.start()
        shutdown.join(FLUSH_TIMEOUT)


def trace_reply(reply: Reply) -> None:
    """A listener of replies: a span of the whole reply below its request, written at its end, when all is known."""
    if _tracer is None:
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    now = time.time_ns()
    started = now - int((time.monotonic() - reply.report.started) * 1e9)
    name = f"chat {reply.report.model or reply.report.backend or ''}".strip()
    span = _tracer.start_span(name, kind=SpanKind.CLIENT, start_time=started, attributes=_attributes(reply))
    if reply.failure is not None:
        span.set_attribute("error.type", type(reply.failure).__name__)
        span.set_status(Status(StatusCode.ERROR))
    span.end(now)


def _attributes(reply: Reply) -> dict[str, Any]:
    """The span's attributes, by OpenTelemetry's conventions for generative AI."""
    report = reply.report
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": report.backend,
        "gen_ai.request.model": report.model,
        "gen_ai.response.model": report.model,
        "gen_ai.response.finish_reasons": None if report.stop_reason is None else [report.stop_reason],
        "gen_ai.usage.input_tokens": report.prompt_tokens,
        "gen_ai.usage.output_tokens": report.completion_tokens,
        "gen_ai.response.time_to_first_chunk": report.first_token,
        "llm_assistant.state": str(reply.state),
    }
    if log.content_enabled() and not reply.is_temporary:
        attributes["gen_ai.input.messages"] = json.dumps([{"role": m.type, "content": m.text} for m in report.messages])
        attributes["gen_ai.output.messages"] = json.dumps([{"role": "assistant", "content": reply.text}])
    return {name: value for name, value in attributes.items() if value is not None}
