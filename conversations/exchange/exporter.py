"""Conversations out of the tables into our JSON form, one at a time. Knows tables; no file and no other format."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import Session

from conversations.exchange.documents import read_documents, read_sources
from conversations.exchange.pictures import read_pictures
from conversations.exchange.schema import CallSchema, ConversationSchema, FeedbackSchema, MessageSchema, SummarySchema
from conversations.store.schema import (
    LIVE,
    CallStatus,
    Conversation,
    Document,
    Feedback,
    Message,
    State,
    Summary,
    ToolCall,
)
from conversations.store.store import NotFoundError, Store

THINKING = ("thinking", "thinking_tokens", "thinking_ms")  # which stand only in a message that has them
Form = dict[str, Any]  # a row in ours
COMPUTED = {"head", "messages", "documents"}  # of a conversation's form, not columns of its table


def export_conversation(store: Store, conversation_id: str) -> dict[str, Any]:
    """One conversation in our form; a reply that is being written counts as interrupted. Raises NotFoundError."""
    with store.database.reading() as session:
        return serialize(session, store.conversation_row(session, conversation_id))


def export_all(store: Store) -> Iterator[dict[str, Any]]:
    """All of the owner's conversations, oldest first; one at a time is in memory."""
    with store.database.reading() as session:
        owned = select(Conversation.created, Conversation.id).where(Conversation.owner == store.owner)
        listed = sorted((created, identity) for created, identity in session.execute(owned))
    for _, identity in listed:
        try:
            yield export_conversation(store, identity)
        except NotFoundError:
            continue  # deleted meanwhile


def serialize(session: Session, row: Conversation) -> dict[str, Any]:
    """A conversation with all that hangs on it."""
    documents = read_documents(session, Document.conversation_id == row.id)
    messages, numbers = _read_messages(session, row.id, list(documents))
    fields = {name: getattr(row, name) for name in ConversationSchema.model_fields if name not in COMPUTED}
    # No file tells that a conversation has none unlike its project, nor what somebody here thinks of it.
    told = {name: value for name, value in (fields["persona"] or {}).items() if name != "foreign"}
    fields["persona"] = told or None
    for name in ("whole", "reasoning_effort"):  # as documents: they stand there only where they say something
        if not fields[name]:
            del fields[name]
    held = {"documents": list(documents.values())} if documents else {}
    return {**fields, "head": None if row.head is None else numbers.get(row.head), "messages": messages, **held}


def _read_messages(session: Session, identity: str, documents: list[str]) -> tuple[list[Form], dict[int, int]]:
    """The messages of a conversation with what hangs on them, and their numbers by their ids."""
    bound = {"identity": identity}
    rows = session.execute(MESSAGES, bound).all()
    numbers = {row.id: number for number, row in enumerate(rows)}
    thumbs = _by_message(session.execute(THUMBS, bound), partial(_fields, FeedbackSchema))
    summaries = _by_message(session.execute(SUMMARIES, bound), partial(_fields, SummarySchema))
    beside: dict[str, Mapping[int, Any]] = {
        "sources": read_sources(session, identity, documents) if documents else {},
        "calls": _by_message(session.execute(CALLS, bound), _call),
        "pictures": read_pictures(session, identity),
    }
    return [
        {
            **_message(row, numbers),
            "feedback": next(iter(thumbs.get(row.id, ())), None),
            "summaries": summaries.get(row.id, []),
            **{name: held[row.id] for name, held in beside.items() if row.id in held},
        }
        for row in rows
    ], numbers


def _by_message(rows: Iterable[Row[Any]], form: Callable[[Row[Any]], Form]) -> dict[int, list[Form]]:
    """What hangs on messages in our form, by their ids."""
    found: dict[int, list[Form]] = {}
    for row in rows:
        found.setdefault(row.message_id, []).append(form(row))
    return found


def _select_exported(schema: type[BaseModel], table: type[Any], *beside: str) -> Select[Any]:
    """The columns of a table that are in the form, and some beside them, of one conversation in order."""
    columns = table.__table__.c
    names = dict.fromkeys([*beside, *(name for name in schema.model_fields if name in columns)])
    query = select(*(columns[name] for name in names)).order_by(*table.__table__.primary_key)
    return (query if table is Message else query.join(Message)).where(Message.conversation_id == bindparam("identity"))


MESSAGES = _select_exported(MessageSchema, Message, "id", "parent_id")
THUMBS = _select_exported(FeedbackSchema, Feedback, "message_id")
SUMMARIES = _select_exported(SummarySchema, Summary, "message_id")
CALLS = _select_exported(CallSchema, ToolCall, "message_id")
OPEN = (CallStatus.WAITING, CallStatus.APPROVED, CallStatus.RUNNING)
ENDED = (*LIVE, State.REQUIRES_ACTION)  # states that have no sense in a file


def _fields(schema: type[BaseModel], row: Row[Any]) -> dict[str, Any]:
    held = row._mapping
    return {name: held[name] for name in schema.model_fields if name in held}


def _call(row: Row[Any]) -> dict[str, Any]:
    status = str(CallStatus.CANCELLED) if row.status in OPEN else row.status
    fields = {name: value for name, value in _fields(CallSchema, row).items() if value or name != "thought"}
    return {**fields, "status": status}


def _message(row: Row[Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    parent = None if row.parent_id is None else numbers[row.parent_id]
    state = str(State.INTERRUPTED) if row.state in ENDED else row.state
    held = _fields(MessageSchema, row)
    fields = {name: value for name, value in held.items() if value is not None or name not in THINKING}
    return {"number": numbers[row.id], "parent": parent, **fields, "state": state}
