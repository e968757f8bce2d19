"""From a message's row to the words of its reply: waits its turn, reads what was said before, runs the chain.

Knows the tables and the chain; nothing of pages or of how the words are kept.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage
from sqlalchemy import select

import backends
from chains.assistant import Retriever, build, exactly
from chains.report import Report
from conversations.library import files, reading
from conversations.replies import compaction, watch
from conversations.replies.context import Before
from conversations.replies.reply import Reply
from conversations.store import citations
from conversations.store.database import Database
from conversations.store.schema import Conversation, Message
from conversations.store.store import tree_of
from prompts.persona import Persona
from settings import Settings

NOTHING = "No passage of the documents fits this question, so this reply is not from them."
NO_ROOM = "The model's window has no room for a passage of the documents, so this reply is not from them."
SMALL = "The small model that ships cannot answer from documents: trust the passages below, not its words."


@dataclass(frozen=True)
class Ask:
    """With what a reply is made; `options` are sampling knobs, and `model` where a server has several."""

    settings: Settings
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)


async def parts(database: Database, row: Message, ask: Ask, reply: Reply) -> AsyncIterator[str]:
    """The words of the reply of `row`, as they come. Raises ModelError kinds."""
    previous = await asyncio.to_thread(_previous, database, row)
    if previous is not None:
        await watch.ended(database, previous)
    reply.begin()
    await reading.ended(database, row.conversation_id, reply)
    before = await asyncio.to_thread(load, database, row)
    retriever = await asyncio.to_thread(files.retriever, database, row.conversation_id)
    shown = await compaction.shown(database, row, before, ask, reply)
    reply.report.unseen = before.unseen(shown.messages)
    chain = build(ask.settings, ask.backend, system=before.system, summary=shown.summary, options=ask.options,
                  retriever=retriever)  # fmt: skip
    cited = retriever is None
    async for part in chain.astream(before.inputs(shown.messages), {"callbacks": [reply.report]}):
        if not cited:
            cited = True
            await asyncio.to_thread(cite, database, row, reply)
        yield part


def cite(database: Database, row: Message, reply: Reply) -> None:
    """Keep which passages the reply is made from; where none are, its reader is told."""
    citations.cite(database, row.id, reply.report.passages)
    if told := remark(reply.report):
        compaction.note(database, row, told)


def remark(report: Report) -> str | None:
    """What the reader of a reply that was to be made from documents is told of it."""
    if not report.passages:
        return NO_ROOM if report.found else NOTHING
    return SMALL if backends.is_default_model(report.backend or "") else None


async def spoken(
    messages: Sequence[BaseMessage], ask: Ask, reply: Reply, retriever: Retriever | None = None
) -> AsyncIterator[str]:
    """The words that follow these messages, to which nothing is added but passages, and of which nothing is dropped.

    Raises ModelError kinds, of them ContextOverflowError where they do not fit.
    """
    reply.begin()
    chain = exactly(ask.settings, ask.backend, ask.options, retriever)
    async for part in chain.astream({"messages": list(messages)}, {"callbacks": [reply.report]}):
        yield part


async def continued(text: str, ask: Ask, reply: Reply) -> AsyncIterator[str]:
    """The words that go on with a text. Raises ModelError kinds."""
    reply.begin()
    chain = build(ask.settings, ask.backend, raw=True, options=ask.options)
    async for part in chain.astream({"input": text}, {"callbacks": [reply.report]}):
        yield part


def _previous(database: Database, row: Message) -> int | None:
    """The message before the question."""
    with database.reading() as session:
        return session.scalar(select(Message.parent_id).where(Message.id == row.parent_id))


def load(database: Database, row: Message) -> Before:
    """Read the branch above a reply."""
    with database.reading() as session:
        path = tree_of(session, row.conversation_id).path(row.parent_id)
        rows = {m.id: m for m in session.scalars(select(Message).where(Message.conversation_id == row.conversation_id))}
        conversation = session.get_one(Conversation, row.conversation_id)
    *history, question = [rows[number] for number in path]
    return Before(system(conversation), history, question, row.text)


def system(conversation: Conversation) -> str | None:
    """The system prompt of a conversation: its persona's, or its own; None where the usual one holds."""
    if conversation.persona:
        return persona(conversation.persona).system
    return conversation.system


def kept(persona: Persona) -> dict[str, Any]:
    """A persona for a conversation to keep."""
    return {**asdict(persona), "sentences": list(persona.sentences)}


def persona(kept: Mapping[str, Any]) -> Persona:
    """A persona as a conversation keeps it."""
    return Persona(kept["slug"], kept["name"], kept["description"], tuple(kept["sentences"]))
