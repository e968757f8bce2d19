"""What is wrong with a file or a conversation, in one line. Knows neither.

A wrong value is shown in ASCII, so that nothing of it reaches a terminal as a command.
"""

from typing import Any

from pydantic import ValidationError

PREVIEW_LENGTH = 60  # characters of a wrong value


class ExchangeError(ValueError):
    """A file or conversation that cannot be taken in; the text says what is wrong, in one line."""


def explain(error: ValidationError) -> str:
    """The first thing that is wrong: where, what and what is allowed."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    why = str(first["msg"]).removeprefix("Value error, ")
    what = "" if first["type"] == "value_error" and not where else f" ({preview(first['input'])})"
    return f"{where}: {why}{what}" if where else why


def preview(value: Any) -> str:
    """A value as it may stand in one line."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = "null" if value is None else ascii(value)
    return text if len(text) <= PREVIEW_LENGTH else f"{text[:PREVIEW_LENGTH]}…"
