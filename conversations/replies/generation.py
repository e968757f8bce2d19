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
from chains.assistant import Retriever, build, build_verbatim
from chains.report import Report
from conversations.library import files, reading
from conversations.replies import compaction, watch
from conversations.replies.context import BranchContext
from conversations.replies.reply import Reply
from conversations.store import citations
from conversations.store.database import Database
from conversations.store.schema import Conversation, Message
from conversations.store.store import read_tree
from prompts.persona import Persona
from settings import Settings

NO_PASSAGE = "No passage of the documents fits this question, so this reply is not from them."
NO_ROOM = "The model's window has no room for a passage of the documents, so this reply is not from them."
SMALL_MODEL = "The small model that ships cannot answer from documents: trust the passages below, not its words."


@dataclass(frozen=True)
class GenerationRequest:
    """With what a reply is made; `options` are sampling knobs, and `model` where a server has several."""

    settings: Settings
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)


async def stream_reply(
    database: Database, row: Message, request: GenerationRequest, reply: Reply
) -> AsyncIterator[str]:
    """The words of the reply of `row`, as they come. Raises ModelError kinds."""
    previous = await asyncio.to_thread(_previous, database, row)
    if previous is not None:
        await watch.join(database, previous)
    reply.start()
    await reading.wait(database, row.conversation_id, reply)
    before = await asyncio.to_thread(load_context, database, row)
    retriever = await asyncio.to_thread(files.conversation_retriever, database, row.conversation_id)
    shown = await compaction.compact(database, row, before, request, reply)
    reply.report.unseen = before.hidden_counts(shown.messages)
    chain = build(
        request.settings,
        request.backend,
        system=before.system,
        summary=shown.summary,
        options=request.options,
        retriever=retriever,
    )
    cited = retriever is None
    async for part in chain.astream(before.inputs(shown.messages), {"callbacks": [reply.report]}):
        if not cited:
            cited = True
            await asyncio.to_thread(save_citations, database, row, reply, request.settings)
        yield part


def save_citations(database: Database, row: Message, reply: Reply, settings: Settings) -> None:
    """Keep which passages the reply is made from; where none are, its reader is told."""
    citations.cite(database, row.id, reply.report.passages)
    if told := document_note(reply.report, settings):
        compaction.save_note(database, row, told)


def document_note(report: Report, settings: Settings) -> str | None:
    """What the reader of a reply that was to be made from documents is told of it."""
    if not report.passages:
        return NO_ROOM if report.found else NO_PASSAGE
    return SMALL_MODEL if backends.is_default_model(report.backend or "", settings) else None


async def stream_messages(
    messages: Sequence[BaseMessage], request: GenerationRequest, reply: Reply, retriever: Retriever | None = None
) -> AsyncIterator[str]:
    """The words that follow these messages, to which nothing is added but passages, and of which nothing is dropped.

    Raises ModelError kinds, of them ContextOverflowError where they do not fit.
    """
    reply.start()
    chain = build_verbatim(request.settings, request.backend, request.options, retriever)
    async for part in chain.astream({"messages": list(messages)}, {"callbacks": [reply.report]}):
        yield part


async def stream_completion(text: str, request: GenerationRequest, reply: Reply) -> AsyncIterator[str]:
    """The words that go on with a text. Raises ModelError kinds."""
    reply.start()
    chain = build(request.settings, request.backend, raw=True, options=request.options)
    async for part in chain.astream({"input": text}, {"callbacks": [reply.report]}):
        yield part


def _previous(database: Database, row: Message) -> int | None:
    """The message before the question."""
    with database.reading() as session:
        return session.scalar(select(Message.parent_id).where(Message.id == row.parent_id))


def load_context(database: Database, row: Message) -> BranchContext:
    """Read the branch above a reply."""
    with database.reading() as session:
        path = read_tree(session, row.conversation_id).path(row.parent_id)
        rows = {m.id: m for m in session.scalars(select(Message).where(Message.conversation_id == row.conversation_id))}
        conversation = session.get_one(Conversation, row.conversation_id)
    *history, question = [rows[number] for number in path]
    return BranchContext(system_prompt(conversation), history, question, row.text)


def system_prompt(conversation: Conversation) -> str | None:
    """The system prompt of a conversation: its persona's, or its own; None where the usual one holds."""
    if conversation.persona:
        return persona_from_dict(conversation.persona).system
    return conversation.system


def persona_to_dict(persona: Persona) -> dict[str, Any]:
    """A persona for a conversation to keep."""
    return {**asdict(persona), "sentences": list(persona.sentences)}


def persona_from_dict(kept: Mapping[str, Any]) -> Persona:
    """A persona as a conversation keeps it."""
    return Persona(kept["slug"], kept["name"], kept["description"], tuple(kept["sentences"]))
