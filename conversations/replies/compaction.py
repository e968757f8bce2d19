"""The running summary of a branch: which messages are summed up, when, and where the result is kept.

Knows tables, counts and the chain that sums up; no page. Each call of a model is one row of the table, and while one
runs the reply that needs it says so.
"""

import asyncio
import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.exceptions import ContextOverflowError, ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from sqlalchemy import update

import backends
from chains.assistant import instructions, prompt
from chains.report import Report
from chains.summary import build, max_summary_tokens, split_batch, transcript
from chains.window import count, room, size
from conversations.replies.context import BranchContext, to_messages, visible_indexes
from conversations.replies.reply import Reply
from conversations.store.database import Database
from conversations.store.schema import Message, Summary
from conversations.store.store import newest_summary
from conversations.store.text import clean
from settings import Settings

if TYPE_CHECKING:
    from conversations.replies.generation import GenerationRequest

DISABLED = "CONTEXT_STRATEGY=summarize is off: the small model that ships cannot summarise; older messages are dropped."
FAILED = "Earlier messages could not be summarised, so the oldest are dropped: "
NOTE = "note"  # where a message's `extra` holds what went wrong beside its text


@dataclass(frozen=True)
class Compaction:
    """What a model is shown in the place of the first `messages` of a branch."""

    messages: int = 0
    summary: str | None = None


def disabled_reason(settings: Settings, backend: str) -> str | None:
    """Why messages are dropped although CONTEXT_STRATEGY has them summarised; None where they are not."""
    summarizes = settings.context_strategy == "summarize"
    return DISABLED if summarizes and backends.is_default_model(backend, settings) else None


async def compact(
    database: Database, row: Message, context: BranchContext, request: "GenerationRequest", reply: Reply
) -> Compaction:
    """What stands for the older messages in the prompt of `row`; where they no longer fit, they are summed up first."""
    if request.settings.context_strategy != "summarize" or backends.is_default_model(request.backend, request.settings):
        return Compaction()
    try:
        model = await asyncio.to_thread(backends.load, request.backend, request.settings)
    except ModelError:  # the reply's own chain meets it again: it falls back, or says so
        return Compaction()
    fold = Compactor(database, context, request, model)
    try:
        await fold.run(reply)
    except ModelError as error:
        await asyncio.to_thread(save_note, database, row, FAILED + str(error))
    finally:
        reply.activity = None
    return await asyncio.to_thread(fold.result)


def save_note(database: Database, row: Message, text: str) -> None:
    """Keep with a message what its reader is to know beside its text."""
    with database.writing() as session:
        session.execute(update(Message).where(Message.id == row.id).values(extra={**(row.extra or {}), NOTE: text}))


@dataclass(frozen=True)
class Compactor:
    """The branch before one reply, and the window it has to fit into."""

    database: Database
    context: BranchContext
    request: "GenerationRequest"
    model: BaseChatModel

    async def run(self, reply: Reply) -> None:
        """Sum up what has to be, call by call, each kept before the next. Raises ModelError kinds."""
        earlier, until = await asyncio.to_thread(self.plan)
        text, older = earlier.summary, self.context.history[earlier.messages : until]
        covered = [earlier.messages, *(earlier.messages + at + 1 for at in visible_indexes(older))]
        rest = to_messages(older)
        if rest:
            reply.activity = f"Summarising {len(older)} earlier message{'s' if len(older) > 1 else ''}…"
        while rest:
            piece, rest = await asyncio.to_thread(self.next_batch, text, rest)
            done = covered[-1 - len(rest)] if rest else until
            text = await self.summarize(text, piece, done)

    def plan(self) -> tuple[Compaction, int]:
        """The newest summary, and up to which message it has to reach; far enough that the next turns fit as well.

        Raises ContextOverflowError where the question alone leaves no room for a summary.
        """
        free, stored, end = room(self.model, self._reply_tokens), self.stored(), len(self.context.history)
        if free is None or self.prompt_tokens(Compaction()) <= free or self.prompt_tokens(stored) <= free:
            return stored, stored.messages
        if not visible_indexes(self.context.history[stored.messages :]):
            return stored, stored.messages
        if self.prompt_tokens(Compaction(end, "")) + self.max_tokens > free:
            raise ContextOverflowError("The message leaves no room for a summary.")
        starts = [at for at in range(stored.messages + 1, end) if self.context.history[at].role == "user"]
        enough = bisect_left(
            starts, True, key=lambda at: self.prompt_tokens(Compaction(at, "")) + self.max_tokens <= free // 2
        )
        return stored, [*starts, end][enough]

    def next_batch(
        self, earlier: str | None, messages: list[BaseMessage]
    ) -> tuple[list[BaseMessage], list[BaseMessage]]:
        """What the next call reads, and what is left."""
        return split_batch(self.model, size(self.model) or 0, self.max_tokens, earlier, messages)

    async def summarize(self, earlier: str | None, piece: list[BaseMessage], done: int) -> str:
        """One call; `done` messages of the branch are then covered, 0 while the first is read in part."""
        report = Report()
        named = {name: value for name, value in self.request.options.items() if name == "model"}
        chain = build(self.request.settings, self.request.backend, self.max_tokens, named)
        text = await chain.ainvoke({"text": transcript(earlier, piece)}, {"callbacks": [report]})
        text = clean(text.strip()) + (" …" if report.stop_reason == "length" else "")
        await asyncio.to_thread(self.save, text, done, report)
        return text

    def save(self, text: str, done: int, report: Report) -> None:
        """Write one call down."""
        last = self.context.history[max(0, done - 1)]
        made = Summary(message_id=last.id, messages=done, text=text, created=time.time(), backend=report.backend,
                       model=report.model, prompt_tokens=report.prompt_tokens,
                       completion_tokens=report.completion_tokens,
                       duration_ms=round((report.ended or 0) * 1000, 1))  # fmt: skip
        with self.database.writing() as session:
            session.add(made)

    def stored(self) -> Compaction:
        """The newest summary on this branch."""
        with self.database.reading() as session:
            found = newest_summary(session, self.context.question.conversation_id, [m.id for m in self.context.history])
        return Compaction(found.messages, found.text) if found is not None else Compaction()

    def result(self) -> Compaction:
        """What goes into the prompt: everything where it fits, else the newest summary where that does."""
        free, stored = room(self.model, self._reply_tokens), self.stored()
        if free is None or self.prompt_tokens(Compaction()) <= free:
            return Compaction()
        end = len(self.context.history)
        return stored if self.prompt_tokens(Compaction(end, stored.summary)) <= free else Compaction()

    def prompt_tokens(self, shown: Compaction) -> int:
        """Tokens of the reply's prompt with that in the place of its first messages."""
        first = prompt(instructions(self.request.settings, self.context.system, shown.summary))
        return count(self.model, first.invoke(self.context.inputs(shown.messages)).to_messages())

    @property
    def max_tokens(self) -> int:
        """Tokens that a summary may have."""
        return max_summary_tokens(size(self.model) or 0)

    @property
    def _reply_tokens(self) -> int | None:
        found: int | None = self.request.options.get("max_tokens") or self.request.settings.max_tokens
        return found
