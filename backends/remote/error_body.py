"""What a server says went wrong, whatever form it says it in: OpenAI's, FastAPI's, Google's, a web page, plain text.

Knows forms of JSON and of text; nothing of requests, of kinds of failure, or of who reads it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from http import HTTPStatus
from typing import Any, NamedTuple

LONGEST_LINE = 300  # characters of a server's words that a person is shown
LONGEST_TEXT = 4000  # characters of them that are looked through for what went wrong
LONGEST_HEAD = 5000  # characters of a web page in which its title is looked for
FAILED = re.compile(r"err(or)?\b|fail|exception", re.IGNORECASE)
PAGE = re.compile(r"<(!doctype html|html|head|body|title)\b", re.IGNORECASE)
TITLES = [re.compile(rf"<{tag}\b[^>]*>(.*?)</{tag}>", re.IGNORECASE | re.DOTALL) for tag in ("title", "h1", "h2", "p")]
TAG = re.compile(r"<[^>]*>")

# Where words stand, in the order of how much they say; those that hold objects are looked into.
WORDS = (
    *("message", "msg", "detail", "error_message", "error_msg", "errorMessage", "status_msg", "faultstring"),
    *("Message", "error_description", "errors", "error", "fault", "base_resp", "title", "reason", "description"),
)
PLAIN_WORDS = WORDS[:2] + WORDS[3:9]  # those that a row says alone where it is a failure
STATUS_FIELDS = ("status", "status_code", "http_status", "code", "error_code")
# What servers call a failure, where they name no status: OpenAI's words, Anthropic's, Google's and vLLM's.
STATUSES = {
    "invalid_request_error": 400, "badrequesterror": 400, "invalid_argument": 400, "exceed_context_size_error": 400,
    "context_length_exceeded": 400, "authentication_error": 401, "authenticationerror": 401, "unauthenticated": 401,
    "invalid_api_key": 401, "insufficient_quota": 429, "billing_error": 402, "permission_error": 403,
    "permission_denied": 403, "not_found_error": 404, "notfounderror": 404, "not_found": 404, "model_not_found": 404,
    "rate_limit_error": 429, "rate_limit_exceeded": 429, "resource_exhausted": 429, "overloaded_error": 503,
    "unavailable": 503, "server_error": 500, "api_error": 500, "internalservererror": 500, "internal": 500,
}  # fmt: skip


class ErrorBody(NamedTuple):
    """A failure: the server's words on one line, the HTTP status it means where it says, and its other fields."""

    message: str
    status: int | None
    fields: dict[str, Any]

    def as_json(self) -> bytes:
        """The failure in OpenAI's form."""
        return json.dumps({"error": {**self.fields, "message": self.message}}).encode()


def find_error(row: Mapping[str, Any], event: str = "") -> ErrorBody | None:
    """The failure that a row of an answer tells, in the place of a part of the reply; None where it tells none."""
    if not _is_error(row, event):
        return None
    return ErrorBody(find_words(row) or "the server names no cause", find_status(row), _fields(row))


def read_error(body: str, status: int) -> ErrorBody:
    """The failure in the body of an answer with this status."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
    unnamed = f"status {status} {phrase}".strip()
    if is_page(body):
        return ErrorBody(f"{describe_page(body)} (status {status})", status, {})
    value = _parse(body)
    return ErrorBody(find_words(value) or unnamed, status, _fields(value))


def find_words(value: Any, depth: int = 5) -> str | None:
    """The words in a value, on one line; None where it has none. Raises nothing, whatever it is."""
    if isinstance(value, str):
        return _words_in_text(value, depth)
    if not depth:
        return None
    if isinstance(value, list):
        found = [words for each in value[:3] if (words := find_words(each, depth - 1))]
        return "; ".join(found) or None
    if isinstance(value, dict):
        return _words_of(value, depth)
    return None


def find_status(value: Any) -> int | None:
    """The HTTP status of a failure that a value names, in figures or by its kind; None where it names none."""
    for each in _layers(value):
        for field in STATUS_FIELDS:
            told = str(each.get(field))
            if told.isdecimal() and 400 <= int(told[:9]) < 600:
                return int(told)
        for field in ("type", *STATUS_FIELDS):
            if (known := STATUSES.get(str(each.get(field)).lower())) is not None:
                return known
    return None


def is_page(text: str) -> bool:
    """Whether a text is a web page."""
    return text.lstrip("\ufeff \t\r\n").startswith("<") and PAGE.search(text[:LONGEST_HEAD]) is not None


def describe_page(text: str) -> str:
    """A web page in a few words: its title, or what stands largest in it."""
    head = text[:LONGEST_HEAD]
    titles = (unescape(TAG.sub(" ", match.group(1))) for of in TITLES if (match := of.search(head)))
    title = next((line for each in titles if (line := one_line(each))), None)
    return "a web page without a title" if title is None else f'a web page, "{title}"'


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """A text on one line, without control characters, and not longer than that."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text.strip()[: longest * 4]).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _is_error(row: Mapping[str, Any], event: str) -> bool:
    error = row.get("error")
    if error and (not isinstance(error, dict) or find_words(error) or find_status(error)):
        return True
    if event.lower() == "error":
        return True
    return not row.get("choices") and _is_failure(row)


def _is_failure(row: Mapping[str, Any]) -> bool:
    """Whether a row without any part of a reply tells a failure, and not just something beside the reply."""
    kinds = [str(row.get(field)) for field in ("object", "type", "status", "event")]
    if any(FAILED.search(kind) for kind in kinds) or row.get("success") is False:
        return True
    answer = row.get("base_resp")  # MiniMax's, in each row
    if isinstance(answer, dict) and answer.get("status_code"):
        return True
    if row.get("detail") or row.get("errors") or row.get("fault") or find_status(row):
        return find_words(row) is not None
    is_notice = any(row.get(field) for field in ("object", "type", "event"))
    return not is_notice and any(isinstance(row.get(field), str) for field in PLAIN_WORDS)


def _words_in_text(text: str, depth: int) -> str | None:
    """The words in a text, which may be a web page, XML, or JSON written as a text."""
    if is_page(text):
        return describe_page(text)
    if depth and text.lstrip().startswith(("{", "[")) and not isinstance(value := _parse(text), str):
        return find_words(value, depth - 1) or one_line(text, LONGEST_TEXT)
    if text.lstrip().startswith("<?xml"):
        text = TAG.sub(" ", text)
    return one_line(text, LONGEST_TEXT) or None


def _words_of(value: Mapping[str, Any], depth: int) -> str | None:
    """The words of an object; a field that FastAPI names stands before its own."""
    words = next((found for field in WORDS if (found := find_words(value.get(field), depth - 1))), None)
    place = value.get("loc")
    if words and isinstance(place, list):
        words = f"{'.'.join(str(part) for part in place)}: {words}"
    raw = _upstream_words(value.get("metadata"))
    return f"{words}: {raw}" if words and raw and raw not in words else words or raw


def _upstream_words(metadata: Any) -> str | None:
    """What the provider behind OpenRouter said: a text, which may hold JSON."""
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return find_words(_parse(raw)) if isinstance(raw, str) else None


def _layers(value: Any, depth: int = 5) -> Iterator[Mapping[str, Any]]:
    """The objects of a failure, the inner ones first, which say more."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        for field in ("error", "errors") if depth else ():
            yield from _layers(value.get(field), depth - 1)
        yield value


def _fields(value: Any) -> dict[str, Any]:
    """What else a failure says of itself: codes, figures, and what stands deeper in it."""
    layers = reversed(list(_layers(value)))
    return {name: told for each in layers for name, told in each.items() if name not in ("error", "errors")}


def _parse(body: str) -> Any:
    """The value of a body: JSON, the data of a server-sent event, or the text itself."""
    text = body.strip().lstrip("\ufeff")
    data = [line.partition(":")[2] for line in text.splitlines() if line.startswith("data:")]
    try:
        return json.loads("\n".join(data) if data else text, strict=False)
    except (ValueError, RecursionError):
        return "\n".join(data) if data else text
