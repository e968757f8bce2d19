"""How long a busy server wants to be left alone: the header Retry-After, read once for everybody. Knows no server."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(error: BaseException) -> float | None:
    """Seconds from now that the answer behind a failure, or behind its causes, asks to wait; None where it does not."""
    cause: BaseException | None = error
    while cause is not None:
        headers = getattr(getattr(cause, "response", None), "headers", None)
        if headers is not None:
            return parse(str(headers.get("retry-after", "")))
        cause = cause.__cause__
    return None


def parse(value: str) -> float | None:
    """Seconds from now in a header's value, which counts them or is an HTTP date; a date that is past is 0.

    None for what is neither, and for what no clock can hold: a server may send anything.
    """
    if value.replace(".", "", 1).isdecimal():
        seconds = float(value)
        return seconds if math.isfinite(seconds) else None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": no zone is named, and HTTP knows one alone
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
