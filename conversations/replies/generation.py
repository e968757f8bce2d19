"""From a message's row to the text of its reply: waits its turn, reads its branch, runs the chain.

Knows the tables and the chain; nothing of pages or of how the text is saved.
"""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

import backends
from chains.assistant import Retriever, build, build_verbatim
from chains.report import Report
from conversations.library import files, reading
from conversations.replies import compaction, watch
from conversations.replies.context import (
    CONVERSATION,
    PERSONA,
    PROJECT,
    BranchContext,
    Compaction,
    last_dropped,
    up_to_question,
)
from conversations.replies.reply import Reply
from conversations.replies.request import GenerationRequest
from conversations.replies.toolbox import open_calls, toolbox
from conversations.store import citations, pictures, projects
from conversations.store.calls import read_calls
from conversations.store.database import Database
from conversations.store.inheritance import resolve_row
from conversations.store.schema import Conversation, Message
from conversations.store.store import newest_summary
from documents.alignment import cited
from documents.search import PassageRetriever
from documents.whole import sections
from settings import Settings

NO_PASSAGE = "No passage of the documents fits this question, so this reply is not from them."
NO_ROOM = "The model's window has no room for a passage of the documents, so this reply is not from them."
TOO_LONG = "The documents are {:,} tokens too long for this model's window of {:,} to be read whole: passages were."
HALF_FOUND = "Of the {1:,} passages {0:,} could be found by meaning yet, all by their words."
SMALL_MODEL = "The small model that ships cannot answer from documents: trust the passages below, not its words."


async def stream_reply(
    database: Database, row: Message, request: GenerationRequest, reply: Reply
) -> AsyncIterator[str]:
    """Yield the text of the reply of `row`, part by part. Raises ModelError kinds."""
    # 1. What it is made from, once nothing before it is still being written or read.
    summarizes = compaction.is_enabled(request)
    context = await _settled_context(database, row, summarizes, reply)
    retriever = (
        await asyncio.to_thread(files.passage_retriever, database, context.documents) if context.documents else None
    )
    if retriever is not None:
        reply.report.vectors = await asyncio.to_thread(files.vector_counts, database, context.documents)
    whole = sections(retriever.index.passages) if retriever is not None and context.whole else ()
    calls = None
    if context.uses_tools:
        calls = await open_calls(database, row, context, request.settings, reply, retriever)
        context = await calls.resume()
    # 2. What stands for messages that no longer fit.
    compacted = await compaction.compact(database, row, context, request, reply) if summarizes else Compaction()
    hidden = context.hidden_counts(compacted.messages)
    # 3. The chain; with documents, what it quotes is kept beside it.
    chain = build(
        request.settings,
        request.backend,
        system=context.system,
        summary=compacted.summary,
        hidden=hidden,
        before=bisect_left(hidden, context.dropped),  # how many of the inputs the prompt before was without
        model=request.model,
        options=effort_options(context) | dict(request.options),
        retriever=retriever,
        control=reply.control,
        conversation=None if database.is_temporary else row.conversation_id,  # whose state goes into a file
        whole=whole,
        toolbox=None if calls is None else toolbox(calls),
        shows_pictures=context.shows_pictures,
    )
    parts = chain.astream(context.inputs(compacted.messages), {"callbacks": [reply.report]})
    question = context.question.text
    async for part in (
        parts if retriever is None else _with_citations(database, row, request.settings, reply, parts, question)
    ):
        yield part
    # 4. What the backend says of it for its reader.
    if reply.report.notice:
        await asyncio.to_thread(compaction.save_note, database, row, reply.report.notice)


async def _settled_context(database: Database, row: Message, summarizes: bool, reply: Reply) -> BranchContext:
    """The branch, when the reply before it has ended and the conversation's files are read."""
    while True:
        busy = reading.busy(database)  # asked first: what ends meanwhile is loaded
        context = await asyncio.to_thread(load_context, database, row, summarizes)
        previous = context.previous
        if previous is not None and previous.live:
            await watch.join(database, previous.id)
            continue
        reply.start()
        holders = busy & {row.conversation_id, context.project_id}
        if not holders:
            return context
        for holder in holders:
            await reading.wait(database, str(holder), reply)


async def _with_citations(
    database: Database, row: Message, settings: Settings, reply: Reply, parts: AsyncIterator[str], question: str
) -> AsyncIterator[str]:
    """Yield the parts; what the reply quotes is kept beside the first of them, and before the end.

    Of whole files only what the reply names or quotes is kept, once it has ended.

    Raises DatabaseError where it could not be kept.
    """
    saving: asyncio.Task[None] | None = None
    try:
        async for part in parts:
            if saving is None:
                saving = asyncio.create_task(asyncio.to_thread(save_citations, database, row, reply, settings))
            yield part
    finally:
        if saving is not None:
            await asyncio.wait({saving})
        if reply.report.whole:
            await asyncio.to_thread(save_used, database, row, reply, question)
    if saving is not None:
        saving.result()


def save_citations(database: Database, row: Message, reply: Reply, settings: Settings) -> None:
    """Keep which passages the reply is made from, and, where there are none, a note for its reader."""
    citations.cite(database, row.id, {} if reply.report.whole else dict(enumerate(reply.report.passages, 1)))
    if note := document_note(reply.report, settings):
        compaction.save_note(database, row, note)


def save_used(database: Database, row: Message, reply: Reply, question: str) -> None:
    """Keep which sections of whole files the reply names, or quotes."""
    sources, _ = cited(reply.text, reply.report.passages, question, only_used=True)
    used = {source.number: reply.report.passages[source.number - 1] for source in sources}
    citations.cite(database, row.id, used)


def document_note(report: Report, settings: Settings) -> str | None:
    """What the reader of a reply that was to be made from documents has to know of it."""
    (done, of), excess = report.vectors, excess_note(report)
    half = HALF_FOUND.format(done, of) if done < of and not report.whole else None
    if not report.passages:
        return " ".join(filter(None, (excess, NO_ROOM if report.matches else NO_PASSAGE, half)))
    small = SMALL_MODEL if backends.is_default_model(report.backend or "", settings) else None
    return " ".join(filter(None, (excess, half, small))) or None


def excess_note(report: Report) -> str | None:
    """By how much files are too long to be read whole as somebody asked; None where they are not."""
    return TOO_LONG.format(report.excess, report.window) if report.excess else None


async def stream_messages(
    messages: Sequence[BaseMessage], request: GenerationRequest, reply: Reply, retriever: Retriever | None = None
) -> AsyncIterator[str]:
    """Yield the text that follows the messages, to which only passages are added, and of which nothing is dropped
    unasked. Calls of the request's own tools are added to the reply.

    Raises ModelError kinds, of them ContextOverflowError where they do not fit.
    """
    reply.start()
    chain = build_verbatim(
        request.settings,
        request.backend,
        request.options,
        retriever,
        request.model,
        raw=request.raw,
        truncate=request.truncate,
        whole=sections(retriever.index.passages) if isinstance(retriever, PassageRetriever) and request.whole else (),
        control=reply.control,
    )
    async for part in chain.astream({"messages": list(messages)}, {"callbacks": [reply.report]}):
        if isinstance(part, AIMessageChunk):
            reply.add_calls(part.tool_call_chunks)
        yield part if isinstance(part, str) else str(part.text)


async def stream_completion(text: str, request: GenerationRequest, reply: Reply) -> AsyncIterator[str]:
    """Yield the text that goes on with this one. Raises ModelError kinds."""
    reply.start()
    chain = build(request.settings, request.backend, raw=True, model=request.model, options=request.options)
    async for part in chain.astream({"input": text}, {"callbacks": [reply.report]}):
        yield part


def load_context(database: Database, row: Message, with_summary: bool = False) -> BranchContext:
    """What the reply of `row` is made from, read in one transaction; no message of another branch is loaded."""
    with database.reading() as session:
        conversation = session.get_one(Conversation, row.conversation_id)
        *history, question = up_to_question(_branch(session, row.parent_id))
        project = projects.project_of(session, conversation)
        effective = resolve_row(conversation, project)
        documents = files.searched_ids(session, conversation)
        path = [message.id for message in history]
        summary = newest_summary(session, row.conversation_id, path) if with_summary else None
        own_calls = read_calls(session, [row.id])
        uses_tools = bool(effective.tools or own_calls)
        calls = {**read_calls(session, path), **own_calls} if uses_tools else {}
        cited = citations.last_cited(session, path) if uses_tools else None
        shown = pictures.load(session, [*path, question.id])
    stored = Compaction() if summary is None else Compaction(summary.messages, summary.text)
    dropped = last_dropped([*history, row])
    of_project = effective.speaks_project and project is not None and project.imported
    of_persona = effective.persona is not None and effective.persona.get("foreign") is True
    of_own = bool(effective.system) and not effective.speaks_project and conversation.imported
    return BranchContext(
        effective.system_prompt,
        history,
        question,
        row.text,
        documents,
        stored,
        dropped,
        whole=conversation.whole and bool(documents),
        tools=effective.tools,
        calls=calls,
        row_id=row.id,
        thinking=row.thinking or "",
        cited=cited,
        effort=conversation.reasoning_effort,
        pictures=shown,
        project_id=conversation.project_id,
        foreign_system=PROJECT if of_project else PERSONA if of_persona else CONVERSATION if of_own else None,
    )


def effort_options(context: BranchContext) -> dict[str, Any]:
    """The option that says how much the model is to think; none where the conversation leaves it to the model."""
    return {} if context.effort is None else {"reasoning_effort": context.effort}


def _branch(session: Session, number: int | None) -> list[Message]:
    """The messages from the first one to `number`, by their parents."""
    up = select(Message.id, Message.parent_id, literal(0).label("above")).where(Message.id == number)
    branch = up.cte("branch", recursive=True)
    parents = select(Message.id, Message.parent_id, branch.c.above + 1).join(branch, Message.id == branch.c.parent_id)
    branch = branch.union_all(parents)
    query = select(Message).join(branch, Message.id == branch.c.id).order_by(branch.c.above.desc())
    return list(session.scalars(query))
