"""What the owner's conversations add up to, on both databases."""

import time
from datetime import UTC, date, datetime
from typing import Any

import pytest

from conversations.replies import turn
from conversations.store import statistics
from conversations.store.schema import State
from conversations.store.statistics import (
    DAY,
    FailureCount,
    MessageCount,
    Period,
    Ratings,
    Speed,
    TokenUsage,
    collect_statistics,
    failure_kind,
)
from conversations.store.store import Store
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp()


def keep(store: Store, at: float = NOON, kind: str = "chat", **fields: Any) -> int:
    """A question and its reply, with these columns; the reply's number."""
    with store.database.writing() as session:
        found = store.create(session, kind=kind)
        found.updated = at
        question = turn.add_message(session, found, None, text="hi", created=at)
        reply = turn.add_message(session, found, question.id, role="assistant", created=at + 1, **fields)
    return reply.id


@pytest.mark.usefixtures("database_url")
def test_messages_and_tokens_are_summed_by_day() -> None:
    for day, backend in ((0, "gpt2"), (0, "gpt2"), (0, "llamacpp"), (2, None)):
        keep(mine(), NOON + day * DAY, backend=backend, prompt_tokens=10, completion_tokens=5)
    keep(mine(), NOON, backend="gpt2")
    seen = collect_statistics(mine(), Period())
    first, last = date(2026, 3, 14), date(2026, 3, 16)
    assert seen.messages == [
        MessageCount(first, "assistant", 4),
        MessageCount(first, "user", 4),
        MessageCount(last, "assistant", 1),
        MessageCount(last, "user", 1),
    ]
    assert seen.usage == [
        TokenUsage(first, "gpt2", 20, 10),
        TokenUsage(first, "llamacpp", 10, 5),
        TokenUsage(last, "unknown", 10, 5),
    ]
    assert seen.conversations == 5


@pytest.mark.usefixtures("database_url")
def test_what_was_thought_is_counted_apart() -> None:
    for tokens, milliseconds in ((3, 1500.0), (4, 500.0), (None, None)):
        keep(mine(), backend="gpt2", completion_tokens=9, thinking_tokens=tokens, thinking_ms=milliseconds)
    seen = collect_statistics(mine(), Period())
    assert seen.usage == [TokenUsage(date(2026, 3, 14), "gpt2", 0, 27, 7, 2.0)]
    assert seen.speeds == [Speed("gpt2", 2, None, None, 1000.0)]


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize(
    ("at", "offset", "day"),
    [("23:59:59.9", 0, 14), ("23:30:00", 3600, 15), ("00:00:00", 0, 14), ("00:30:00", -3600, 13)],
)
def test_a_day_is_the_visitors_own(at: str, offset: float, day: int) -> None:
    moment = datetime.fromisoformat(f"2026-03-14T{at}+00:00").timestamp()
    keep(mine(), moment)
    assert min(row.day for row in collect_statistics(mine(), Period(offset=offset)).messages) == date(2026, 3, day)


@pytest.mark.usefixtures("database_url")
def test_a_period_has_today_and_the_days_before_it() -> None:
    now = time.time()
    for ago in (0, 1, 2, 10):
        keep(mine(), now - ago * DAY, backend="gpt2", ttft_ms=1.0)
    for days, there in ((1, 1), (2, 2), (3, 3), (30, 4), (None, 4)):
        seen = collect_statistics(mine(), Period(days))
        assert sum(row.messages for row in seen.messages) == 2 * there
        assert seen.speeds[0].replies == there
        assert seen.conversations == there


@pytest.mark.usefixtures("database_url")
def test_speed_is_the_median_and_what_has_none_does_not_count() -> None:
    for first, speed in ((10.0, 100.0), (20.0, None), (90.0, 300.0)):
        keep(mine(), backend="gpt2", ttft_ms=first, tokens_per_second=speed)
    keep(mine(), backend="gpt2")
    keep(mine(), backend="openai", ttft_ms=5.0)
    assert collect_statistics(mine(), Period()).speeds == [Speed("gpt2", 3, 20.0, 200.0), Speed("openai", 1, 5.0, None)]


def test_medians_are_of_the_newest_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "NEWEST", 2)
    for first in (1000.0, 10.0, 20.0):
        keep(mine(), backend="gpt2", ttft_ms=first)
    assert collect_statistics(mine(), Period()).speeds == [Speed("gpt2", 2, 15.0, None)]


@pytest.mark.usefixtures("database_url")
def test_failures_are_counted_by_kind(loopback: Loopback) -> None:
    loopback.script.extend(["429 0"] * 3)
    assert over(mine(), turn.send(mine(), None, "hi", ask("openai"))).state == State.FAILED
    for _ in range(2):
        keep(mine(), backend="gpt2", state=State.INTERRUPTED)
    keep(mine(), backend="gpt2", state=State.STOPPED)
    keep(mine(), state=State.FAILED)
    assert collect_statistics(mine(), Period()).failures == [
        FailureCount("interrupted", "gpt2", 2),
        FailureCount("rate limit", "openai", 1),
        FailureCount("unknown", "unknown", 1),
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ModelRateLimitError", "rate limit"),
        ("ModelAPIError", "API"),
        ("ContextOverflowError", "context overflow"),
        ("EmptyReplyError", "empty reply"),
        ("ValueError", "value"),
        ("Error", "Error"),
        ("x 9", "x"),
    ],
)
def test_a_kind_is_said_in_words(error: str, said: str) -> None:
    assert failure_kind(error) == said


@pytest.mark.usefixtures("database_url")
def test_a_vote_is_no_thumb() -> None:
    store = mine()
    for value in (1, 1, -1):
        store.rate(keep(store, backend="gpt2"), value, "compare" if value < 0 else "good")
    store.rate(keep(store, kind="compare", backend="openai"), 1, "compare")
    assert collect_statistics(store, Period()).ratings == [Ratings("gpt2", 2, 1, 0), Ratings("openai", 0, 0, 1)]


@pytest.mark.usefixtures("database_url")
def test_nobody_sees_what_others_did() -> None:
    other = mine("other")
    other.rate(keep(other, backend="gpt2", ttft_ms=1.0, state=State.FAILED), 1)
    seen = collect_statistics(mine(), Period())
    assert (seen.conversations, seen.messages, seen.usage, seen.speeds, seen.failures, seen.ratings) == (
        0,
        [],
        [],
        [],
        [],
        [],
    )
