"""What the owner's conversations add up to: messages, tokens, speed, failures, feedback. Knows the tables; no chart.

Sums are made by the database. Medians, which SQLite has not, are taken here from the newest replies, a bounded number.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Row, Select, case, cast, func, or_, select

from conversations.store.schema import CallStatus, Conversation, Feedback, Message, State, ToolCall
from conversations.store.store import Store

DAY = 86_400  # seconds
NEWEST = 5_000  # replies that medians are taken from
UNKNOWN = "unknown"  # of replies that an import brought without backend or reason
VOTE_COMMENT = "compare"  # the comment, in a conversation of that kind, that makes a thumb a vote
Rows = Select[*tuple[Any, ...]]
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class MessageCount(NamedTuple):
    """Messages of one role on one day."""

    day: date
    role: str
    messages: int


class TokenUsage(NamedTuple):
    """Tokens that a backend read and wrote on one day, those that it thought among these, and for how many seconds."""

    day: date
    backend: str
    read: int
    written: int
    thought: int = 0
    thought_seconds: float = 0.0


class Speed(NamedTuple):
    """Medians of a backend's newest replies; None where no reply has the figure."""

    backend: str
    replies: int
    ttft_ms: float | None
    tokens_per_second: float | None
    thinking_ms: float | None = None


class FailureCount(NamedTuple):
    """How often replies of a backend ended in one kind of failure."""

    kind: str
    backend: str
    replies: int


class Ratings(NamedTuple):
    """Thumbs that a backend's replies got, and comparisons that it won."""

    backend: str
    up: int
    down: int
    votes: int


class ToolUse(NamedTuple):
    """Calls of a tool: how many, of them failed and not allowed, and the median of the seconds that they took."""

    name: str
    calls: int
    failed: int
    refused: int
    seconds: float | None


@dataclass(frozen=True)
class Statistics:
    """All of it, for one period."""

    conversations: int
    messages: list[MessageCount]
    usage: list[TokenUsage]
    speeds: list[Speed]
    failures: list[FailureCount]
    ratings: list[Ratings]
    tools: list[ToolUse]


@dataclass(frozen=True)
class Period:
    """The last `days` days with today (None: all); days begin at midnight of a clock `offset` seconds ahead of UTC."""

    days: int | None = None
    offset: float = 0

    @property
    def since(self) -> float:
        """When it begins, in seconds since 1970."""
        if self.days is None:
            return 0.0
        return ((time.time() + self.offset) // DAY - self.days + 1) * DAY - self.offset


def collect_statistics(store: Store, period: Period) -> Statistics:
    """Ask the database: one pass over the owner's messages, and two short queries."""
    sums = _sums(store, period)
    replies = [row for row in sums if row.role == "assistant"]
    return Statistics(
        _conversations(store, period),
        _message_counts(sums),
        _token_usage(replies),
        _speeds(store, period),
        _failure_counts(replies),
        _ratings(store, period),
        _tool_uses(store, period),
    )


def _sums(store: Store, period: Period) -> Sequence[Row[Any]]:
    """Messages by day, role, backend and end."""
    day = _day(store, period.offset).label("day")
    by = (day, Message.role, Message.backend, Message.state, Message.stop_reason)
    counted = (
        func.count().label("messages"),
        func.sum(Message.prompt_tokens).label("read"),
        func.sum(Message.completion_tokens).label("written"),
        func.sum(Message.thinking_tokens).label("thought"),
        func.sum(Message.thinking_ms).label("thinking_ms"),
    )
    query = _select_owned(store, period, select(*by, *counted)).group_by(*by).order_by(day)
    with store.database.reading() as session:
        return session.execute(query).all()


def _day(store: Store, offset: float) -> ColumnElement[int]:
    """The number of the day since 1970. SQLite may lack floor() and cuts in a cast; PostgreSQL rounds there."""
    days = (Message.created + offset) / DAY
    return cast(days if store.database.sqlite else func.floor(days), Integer)


def _select_owned(store: Store, period: Period, query: Rows) -> Rows:
    """The owner's messages of the period."""
    joined = query.join(Conversation, Conversation.id == Message.conversation_id)
    return joined.where(Conversation.owner == store.owner, Message.created >= period.since)


def _conversations(store: Store, period: Period) -> int:
    """The number of conversations with a message in the period."""
    query = select(func.count()).where(Conversation.owner == store.owner, Conversation.updated >= period.since)
    with store.database.reading() as session:
        return session.scalar(query) or 0


def _speeds(store: Store, period: Period) -> list[Speed]:
    """By backend, the one with most replies first."""
    figures = (Message.ttft_ms, Message.tokens_per_second, Message.thinking_ms)
    query = _select_owned(store, period, select(Message.backend, *figures))
    query = query.where(Message.role == "assistant", or_(*(figure.is_not(None) for figure in figures)))
    by_backend = defaultdict(list)
    with store.database.reading() as session:
        for row in session.execute(query.order_by(Message.id.desc()).limit(NEWEST)):
            by_backend[row.backend or UNKNOWN].append(row)
    most = sorted(by_backend.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Speed(name, len(rows), *(_median(row[at] for row in rows) for at in (1, 2, 3))) for name, rows in most]


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return median(numbers) if numbers else None


def _ratings(store: Store, period: Period) -> list[Ratings]:
    """By backend; a vote is no thumb."""
    vote = (Feedback.comment == VOTE_COMMENT) & (Conversation.kind == VOTE_COMMENT)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    columns = (count((Feedback.value > 0) & ~vote), count((Feedback.value < 0) & ~vote), count(vote))
    query = select(Message.backend, *columns).select_from(Feedback).join(Message, Message.id == Feedback.message_id)
    query = _select_owned(store, period, query).group_by(Message.backend).order_by(Message.backend)
    with store.database.reading() as session:
        return [Ratings(row[0] or UNKNOWN, *map(int, row[1:])) for row in session.execute(query)]


def _tool_uses(store: Store, period: Period) -> list[ToolUse]:
    """By tool, the most called first; of the newest calls."""
    query = select(ToolCall).join(Message).join(Conversation)
    query = query.where(Conversation.owner == store.owner, ToolCall.asked >= period.since)
    by_name = defaultdict(list)
    with store.database.reading() as session:
        for call in session.scalars(query.order_by(ToolCall.id.desc()).limit(NEWEST)):
            by_name[call.name].append(call)
    refused = {CallStatus.DENIED, CallStatus.EXPIRED, CallStatus.CANCELLED}
    most = sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        ToolUse(
            name,
            len(calls),
            sum(call.status == CallStatus.FAILED for call in calls),
            sum(call.status in refused for call in calls),
            _median(call.seconds for call in calls),
        )
        for name, calls in most
    ]


def _message_counts(sums: Sequence[Row[Any]]) -> list[MessageCount]:
    """How many messages were sent, by day and role."""
    counts: Counter[tuple[int, str]] = Counter()
    for row in sums:
        counts[row.day, row.role] += row.messages
    return [MessageCount(_date(day), role, count) for (day, role), count in sorted(counts.items())]


def _token_usage(replies: Sequence[Row[Any]]) -> list[TokenUsage]:
    """Tokens read and written, and of them thought, by day and backend."""
    sums: defaultdict[tuple[int, str], list[float]] = defaultdict(lambda: [0] * 4)
    for row in replies:
        told = (row.read, row.written, row.thought, row.thinking_ms)
        sums[row.day, row.backend or UNKNOWN] = [
            before + (more or 0) for before, more in zip(sums[row.day, row.backend or UNKNOWN], told, strict=True)
        ]
    return [
        TokenUsage(_date(day), backend, int(read), int(written), int(thought), milliseconds / 1000)
        for (day, backend), (read, written, thought, milliseconds) in sorted(sums.items())
    ]


def _failure_counts(replies: Sequence[Row[Any]]) -> list[FailureCount]:
    """By kind and backend, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in replies:
        if row.state in {State.FAILED, State.INTERRUPTED}:
            kind = "interrupted" if row.state == State.INTERRUPTED else failure_kind(row.stop_reason or UNKNOWN)
            counts[kind, row.backend or UNKNOWN] += row.messages
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [FailureCount(kind, backend, count) for (kind, backend), count in most]


def failure_kind(error: str) -> str:
    """An error's class as people say it: ModelRateLimitError is "rate limit"."""
    parts = WORDS.findall(error.removeprefix("Model").removesuffix("Error"))
    return " ".join(p if p.isupper() and len(p) > 1 else p.lower() for p in parts) or error


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY, UTC).date()
