"""Logging: one handler, one form, a request's id in every line, and nothing of what people wrote.

Knows handlers and formats. An error's own words may quote a prompt, so only its kind and place are written; other
libraries speak from warnings on, since what they say below may quote what they are sent. LOG_CONTENT=1 lifts the first.
"""

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asgi_correlation_id import CorrelationIdFilter
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from api.settings import ApiSettings
from conversations.replies import Reply

OUR_LOGGERS = ("api", "app", "backends", "chains", "cli", "conversations", "page", "prompts", "server")
UVICORN_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
FIELDS = "%(levelname)s %(name)s %(correlation_id)s %(message)s"
JSON_NAMES = {"levelname": "level", "name": "logger", "correlation_id": "request_id"}
log = logging.getLogger("api.reply")
_content_enabled = False


class RedactingFormatter(logging.Formatter):
    """Formats an error by its kind and place; its text is written with LOG_CONTENT alone."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; what another handler has made of a failure (`exc_text`) is not used, and left as it is."""
        previous, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = previous

    def formatException(self, ei: Any) -> str:
        """The traceback, then the kinds of the failure and its causes."""
        if _content_enabled:
            return super().formatException(ei)
        error: BaseException | None = ei[1]
        kinds, places = [], ""
        while error is not None:
            kinds.append(type(error).__name__)
            places = "".join(traceback.format_tb(error.__traceback__)) + places
            error = error.__cause__ or error.__context__
        return f"{places}{' from '.join(kinds)} (its words are logged with LOG_CONTENT=1)"


class RedactingTextFormatter(RedactingFormatter):
    """A line for people: the message, then each extra field as name=value."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message and the fields."""
        hidden = {*RESERVED_ATTRS, "message", "asctime", "correlation_id", "color_message"}
        fields = {name: value for name, value in vars(record).items() if name not in hidden and value is not None}
        return " ".join([super().formatMessage(record), *(f"{name}={_quote(value)}" for name, value in fields.items())])


class RedactingJsonFormatter(RedactingFormatter, JsonFormatter):
    """A line for programs, as JSON."""


def _quote(value: Any) -> str:
    """The value as one word or one quoted string: nobody's text begins a line of its own."""
    text = str(value)
    return text if text.isprintable() and " " not in text and '"' not in text else json.dumps(text)


@contextmanager
def configure_logging(settings: ApiSettings) -> Iterator[None]:
    """Have the whole process log this way while the block runs; afterwards as before."""
    global _content_enabled
    handler = logging.StreamHandler()
    handler.setFormatter(_create_formatter(settings))
    handler.addFilter(CorrelationIdFilter(default_value="-"))
    root, loggers = logging.getLogger(), [logging.getLogger(name) for name in (*UVICORN_LOGGERS, *OUR_LOGGERS)]
    before = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in (root, *loggers)]
    root.handlers = [*(old for old in root.handlers if type(old) is not logging.StreamHandler), handler]
    root.setLevel(logging.WARNING)
    for logger in loggers:
        logger.handlers = []
        logger.propagate = logger.name != "uvicorn.access"  # requests have a line of our own
        if logger.name in OUR_LOGGERS:
            logger.setLevel(settings.log_level.upper())
    previous, _content_enabled = _content_enabled, settings.log_content
    try:
        yield
    finally:
        _content_enabled = previous
        for logger, level, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


def _create_formatter(settings: ApiSettings) -> logging.Formatter:
    if settings.log_format == "text":
        return RedactingTextFormatter("%(levelname)s %(name)s [%(correlation_id)s]: %(message)s")
    return RedactingJsonFormatter(
        FIELDS,
        rename_fields=JSON_NAMES,
        timestamp=True,
        json_ensure_ascii=False,
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],
    )


def content_enabled() -> bool:
    """Whether prompts and replies may be written down."""
    return _content_enabled


def log_reply(reply: Reply) -> None:
    """A listener of replies: a line for each, with the id of the request that started it."""
    report = reply.report
    fields = {
        "backend": report.backend,
        "model": report.model,
        "state": str(reply.state),
        "stop_reason": report.stop_reason,
        "prompt_tokens": report.prompt_tokens,
        "completion_tokens": report.completion_tokens,
        "thinking_tokens": report.thinking_tokens,
        "server": report.server,
        "ttft_ms": report.ttft_ms,
        "tokens_per_second": report.tokens_per_second,
    }
    if _content_enabled and not reply.is_temporary:
        fields |= {"prompt": "\n".join(message.text for message in report.messages), "reply": reply.text}
    log.info("reply", extra=fields)
