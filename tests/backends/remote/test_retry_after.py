"""Retry-After as a real server sends it: seconds, a date, or neither."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from langchain_core.exceptions import ModelRateLimitError

import backends
from settings import Settings
from tests.loopback import Loopback


def wait(loopback: Loopback, value: str) -> float | None:
    """What a refusal with this header says."""
    loopback.script.append(f"429 {value}")
    with pytest.raises(ModelRateLimitError) as caught:
        backends.load("openai", Settings.read()).invoke("hi")
    return backends.retry_after(caught.value)


def test_seconds(loopback: Loopback) -> None:
    assert [wait(loopback, value) for value in ("0", "7", "1.5")] == [0.0, 7.0, 1.5]


def test_a_date(loopback: Loopback) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    assert 60 < (wait(loopback, soon) or 0.0) <= 120


def test_a_date_that_is_past(loopback: Loopback) -> None:
    assert wait(loopback, "Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


NEVER = ["9" * 400, f"1 Jan {'9' * 20} 00:00:00 GMT"]  # what no clock holds


@pytest.mark.parametrize("value", ["soon", "-3", "\u00b2", "Wed, 99 Oct 2015 07:28:00 GMT", *NEVER])
def test_neither(loopback: Loopback, value: str) -> None:
    assert wait(loopback, value) is None


def test_a_failure_without_an_answer_says_nothing() -> None:
    assert backends.retry_after(ModelRateLimitError("busy")) is None
