"""The running summary of a branch: which messages are summed up, when, and where the result is kept.

Knows tables, counts and the chain that sums up; no page. Each call of a model is one row of the table, and while one
runs the reply that needs it says so.
"""

import asyncio
import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from sqlalchemy import select, update

import backends
from chains.assistant import QUESTION, instructions, prompt
from chains.report import Report
from chains.summary import build, max_summary_tokens, split_batch, transcript
from chains.window import SMALL, count, room, size
from conversations.replies.context import BranchContext, Compaction, to_messages, visible_indexes
from conversations.replies.reply import Reply
from conversations.replies.request import GenerationRequest
from conversations.store.database import Database
from conversations.store.schema import Message, Summary
from conversations.store.text import clean
from settings import Settings

DISABLED = "CONTEXT_STRATEGY=summarize is off: the small model that ships cannot summarise; older messages are dropped."
FAILED = "Earlier messages could not be summarised, so the oldest are dropped: "
NOTE = "note"  # where a message's `extra` holds what went wrong beside its text


def can_summarize(settings: Settings, backend: str, model: str | None = None) -> bool:
    """Whether a model is large enough that a summary keeps what it is made of, as far as anybody tells its size.

    docs/figures.md has what a summary by one with 135 million parameters keeps.
    """
    size = backends.parameters(backend, settings, model)
    return size is None or size >= SMALL


def disabled_reason(settings: Settings, backend: str) -> str | None:
    """Why messages are dropped although CONTEXT_STRATEGY has them summarised; None where they are not."""
    summarizes = settings.context_strategy == "summarize"
    return DISABLED if summarizes and backends.is_default_model(backend, settings) else None


def is_enabled(request: GenerationRequest) -> bool:
    """Whether older messages are summed up for such a reply."""
    strategy = request.settings.context_strategy
    if strategy is None:
        return can_summarize(request.settings, request.backend, request.model)
    return strategy == "summarize" and not backends.is_default_model(request.backend, request.settings)


async def compact(
    database: Database, row: Message, context: BranchContext, request: GenerationRequest, reply: Reply
) -> Compaction:
    """What stands for the older messages in the prompt of `row`; where they no longer fit, they are summed up first."""
    try:
        lease = await backends.lease(request.backend, request.settings)
    except ModelError:  # the reply's own chain meets it again: it falls back, or says so
        return Compaction()
    with lease:
        try:
            model = await backends.measured(lease.model, request.model)
        except ModelError:
            return Compaction()
        compactor = Compactor(database, context, request, model, context.stored)
        try:
            await compactor.run(reply)
        except ModelError as error:
            await asyncio.to_thread(save_note, database, row, FAILED + str(error))
        finally:
            reply.activity = None
        return await asyncio.to_thread(compactor.result)


def save_note(database: Database, row: Message, text: str) -> None:
    """Keep with a message what its reader is to know beside its text, after what was kept before."""
    with database.writing() as session:
        extra = session.scalar(select(Message.extra).where(Message.id == row.id)) or {}
        before = str(extra.get(NOTE) or "")
        note = before if text in before else f"{before} {text}".strip()
        session.execute(update(Message).where(Message.id == row.id).values(extra={**extra, NOTE: note}))


@dataclass
class Compactor:
    """The branch before one reply, the window it has to fit into, and the newest summary on the branch."""

    database: Database
    context: BranchContext
    request: GenerationRequest
    model: BaseChatModel
    stored: Compaction

    async def run(self, reply: Reply) -> None:
        """Sum up what has to be, call by call, each kept before the next. Raises ModelError kinds."""
        first = self.stored.messages
        until = await asyncio.to_thread(self.plan)
        older = self.context.history[first:until]
        covered = [first, *(first + at + 1 for at in visible_indexes(older))]
        rest = to_messages(older)
        if rest:
            reply.activity = f"Summarising {len(older)} earlier message{'s' if len(older) > 1 else ''}…"
        while rest:
            batch, rest = await asyncio.to_thread(self.next_batch, rest)
            await self.summarize(batch, covered[-1 - len(rest)] if rest else until)

    def plan(self) -> int:
        """Up to which message the summary has to reach; far enough that the next turns fit as well.

        Raises ContextOverflowError where the question alone leaves no room for a summary.
        """
        first, end = self.stored.messages, len(self.context.history)
        free = room(self.model, self.request.reply_tokens)
        if free is None or self.prompt_tokens(Compaction()) <= free or self.prompt_tokens(self.stored) <= free:
            return first
        if not visible_indexes(self.context.history[first:]):
            return first
        if self.prompt_tokens(Compaction(end, "")) + self.max_tokens > free:
            raise ContextOverflowError("The message leaves no room for a summary.")
        starts = [at for at in range(first + 1, end) if self.context.history[at].role == "user"]

        def fits(at: int) -> bool:
            return self.prompt_tokens(Compaction(at, "")) + self.max_tokens <= free // 2

        return [*starts, end][bisect_left(starts, True, key=fits)]

    def next_batch(self, messages: list[BaseMessage]) -> tuple[list[BaseMessage], list[BaseMessage]]:
        """What the next call reads, and what is left."""
        return split_batch(self.model, size(self.model) or 0, self.max_tokens, self.stored.summary, messages)

    async def summarize(self, batch: list[BaseMessage], covered: int) -> None:
        """One call; `covered` messages of the branch are then summed up, 0 while the first is read in part."""
        report, request = Report(), self.request
        chain = build(request.settings, request.backend, self.max_tokens, request.model)
        inputs = {"text": transcript(self.stored.summary, batch)}
        text = await chain.ainvoke(inputs, {"callbacks": [report]})
        text = clean(text.strip()) + (" …" if report.stop_reason == "length" else "")
        await asyncio.to_thread(self.save_summary, text, covered, report)

    def save_summary(self, text: str, covered: int, report: Report) -> None:
        """Save the summary that one call wrote, with what the call cost. Raises DatabaseError."""
        last = self.context.history[max(0, covered - 1)]
        metrics: dict[str, Any] = {
            name: getattr(report, name) for name in ("backend", "model", "prompt_tokens", "completion_tokens")
        }
        duration = round((report.ended or 0) * 1000, 1)
        row = Summary(
            message_id=last.id, messages=covered, text=text, created=time.time(), duration_ms=duration, **metrics
        )
        with self.database.writing() as session:
            session.add(row)
        self.stored = Compaction(covered, text)

    def result(self) -> Compaction:
        """What goes into the prompt: everything where it fits, else the newest summary where that does."""
        free = room(self.model, self.request.reply_tokens)
        if free is None or self.prompt_tokens(Compaction()) <= free:
            return Compaction()
        end = len(self.context.history)
        return self.stored if self.prompt_tokens(Compaction(end, self.stored.summary)) <= free else Compaction()

    def prompt_tokens(self, compaction: Compaction) -> int:
        """Tokens of the reply's prompt with that in the place of its first messages."""
        text = instructions(self.request.settings, self.context.system, compaction.summary)
        first = prompt(text, QUESTION) if self.context.shows_pictures else prompt(text)
        return count(self.model, first.invoke(self.context.inputs(compaction.messages)).to_messages())

    @property
    def max_tokens(self) -> int:
        """Tokens that a summary may have."""
        return max_summary_tokens(size(self.model) or 0)
