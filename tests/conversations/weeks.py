"""Conversations as some weeks of use leave them: the same ones at every call, so that a chart can be looked at."""

import random
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from conversations.store.schema import Conversation, Feedback, Message, State
from conversations.store.statistics import DAY, VOTE_COMMENT
from conversations.store.store import Store, new_conversation_id


@dataclass(frozen=True)
class Habit:
    """How a backend is used, and how it answers; `grows` is its share of the replies, first and last."""

    name: str
    ttft_ms: float
    speed: float
    length: int
    grows: tuple[float, float]
    failures: tuple[str, ...] = ()


HABITS = (
    Habit("gpt2", 42, 226, 38, (5, 1)),
    Habit("llamacpp", 14, 940, 41, (3, 4), ("EmptyReplyError",)),
    Habit("openai", 410, 84, 160, (1, 5), ("ModelRateLimitError", "ModelRateLimitError", "ModelTimeoutError")),
)


def weeks(store: Store, days: int = 28, seed: int = 7, chats: int = 6) -> int:
    """Write them, today the last day; how many messages there are."""
    rng, now = random.Random(seed), time.time()
    rows: dict[Any, list[dict[str, Any]]] = {Conversation: [], Message: [], Feedback: []}
    for ago in range(days - 1, -1, -1):
        busy = 0.35 if ago % 7 in {1, 2} else 1.0  # weekends, whatever day it is
        for _ in range(max(1, round(rng.gauss(chats, chats / 4) * busy * (1.4 - ago / days)))):
            chat(rows, store.owner, rng, now - ago * DAY - rng.random() * 3600, 1 - ago / days)
    with store.database.writing() as session:
        first = session.scalar(select(func.max(Message.id))) or 0  # others may have written before
        for row in rows[Message]:
            row |= {"id": row["id"] + first, "parent_id": row["parent_id"] and row["parent_id"] + first}
        for row in rows[Feedback]:
            row["message_id"] += first
        for table, values in rows.items():
            session.execute(insert(table), values)
    return len(rows[Message])


def chat(rows: dict[Any, list[dict[str, Any]]], owner: str, rng: random.Random, at: float, grown: float) -> None:
    """One conversation of a few turns; in some, the reply won a comparison."""
    kind = VOTE_COMMENT if rng.random() < 0.15 else "chat"
    number = new_conversation_id()
    rows[Conversation].append(
        {"id": number, "owner": owner, "kind": kind, "title": "Weekend plans", "created": at, "updated": at,
         "pinned": False})  # fmt: skip
    habit = rng.choices(HABITS, [h.grows[0] + (h.grows[1] - h.grows[0]) * grown for h in HABITS])[0]
    parent = None
    for turn in range(1 if kind == VOTE_COMMENT else rng.randint(1, 6)):
        question = len(rows[Message]) + 1
        rows[Message].append(message(question, number, parent, at + turn * 40, role="user", text="What about Sunday?"))
        parent = question + 1
        rows[Message].append(reply(habit, rng, message(parent, number, question, at + turn * 40 + 1, role="assistant")))
        judge(rows, parent, kind, rng, at)


def message(number: int, conversation: str, parent: int | None, at: float, **fields: Any) -> dict[str, Any]:
    """A message's row, every column of it."""
    empty = {column.name: None for column in Message.__table__.columns}
    plain = {"text": "", "state": State.DONE, "counted": True, "estimated": False, "retries": 0, "dropped": 0,
             "stopping": False}  # fmt: skip
    return {**empty, **plain, "id": number, "conversation_id": conversation, "parent_id": parent, "created": at,
            **fields}  # fmt: skip


def reply(habit: Habit, rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    """The row with the figures of a reply, or of a failure."""
    row |= {"backend": habit.name, "model": habit.name, "prompt_tokens": rng.randint(20, 400)}
    if habit.failures and rng.random() < 0.08:
        return row | {"state": State.FAILED, "stop_reason": rng.choice(habit.failures), "error": "It failed."}
    if rng.random() < 0.01:
        return row | {"state": State.INTERRUPTED}
    written = max(2, round(rng.gauss(habit.length, habit.length / 3)))
    return row | {
        "text": "On Sunday I would go and see the sea.", "completion_tokens": written, "stop_reason": "stop",
        "ttft_ms": habit.ttft_ms * rng.lognormvariate(0, 0.3),
        "tokens_per_second": habit.speed * rng.lognormvariate(0, 0.1),
    }  # fmt: skip


def judge(rows: dict[Any, list[dict[str, Any]]], number: int, kind: str, rng: random.Random, at: float) -> None:
    """Now and then somebody says what he thinks."""
    if kind == VOTE_COMMENT:
        rows[Feedback].append({"message_id": number, "value": 1, "comment": VOTE_COMMENT, "created": at})
    elif rng.random() < 0.12:
        value = 1 if rng.random() < 0.7 else -1
        rows[Feedback].append({"message_id": number, "value": value, "comment": "", "created": at})
