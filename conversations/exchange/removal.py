"""A conversation that is deleted and may come back as it was, in the run of the program that deleted it.

A file tells neither which tools were on nor what a person allowed, and what it brings counts as words of strangers.
What comes back is no file: it has all of that again. Knows our form and the tables; nothing of who deletes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from conversations.exchange.exporter import serialize
from conversations.exchange.importer import import_conversation
from conversations.store.calls import read_calls
from conversations.store.project_table import Project
from conversations.store.schema import Conversation, Message, ToolCall
from conversations.store.store import Store

PICKED = (  # columns of a conversation that no file has; of personas it does not tell a choice of none
    *("backend", "model", "tools", "grants", "project_id"),
    *("persona", "imported"),
)
JUDGED = ("strange", "passage")  # columns of a call that no file has


@dataclass(frozen=True)
class Removed:
    """`form` is what a file has of it; `fields` are its other columns, `imported` says of each message whether a file
    had brought it, and `calls` has the other columns of each message's calls.
    """

    form: Mapping[str, Any]
    fields: Mapping[str, Any]
    imported: tuple[bool, ...]
    calls: tuple[tuple[Mapping[str, Any], ...], ...]


def remove(store: Store, conversation_id: str) -> Removed:
    """Delete a conversation; what `restore` brings back. Raises NotFoundError."""
    with store.database.reading() as session:
        row = store.conversation_row(session, conversation_id)
        messages = session.execute(_messages(conversation_id)).all()
        calls = read_calls(session, [number for number, _ in messages])
        removed = Removed(
            serialize(session, row),
            {name: getattr(row, name) for name in PICKED},
            tuple(imported for _, imported in messages),
            tuple(tuple(map(_judged, calls.get(number, ()))) for number, _ in messages),
        )
    store.delete(conversation_id)
    return removed


def restore(store: Store, removed: Removed) -> str:
    """Bring a conversation back in one transaction; its id. What ran or waited in it has ended.

    Raises ExchangeError.
    """
    return import_conversation(store, removed.form, partial(_complete, removed))


def _complete(removed: Removed, session: Session, conversation_id: str) -> None:
    """Set what its form does not tell. A project that is gone meanwhile does not come back."""
    fields = {**removed.fields}
    if fields["project_id"] is not None and session.get(Project, fields["project_id"]) is None:
        fields["project_id"] = None
    session.execute(update(Conversation).where(Conversation.id == conversation_id).values(**fields))
    numbers = [number for number, _ in session.execute(_messages(conversation_id))]
    own = [number for number, imported in zip(numbers, removed.imported, strict=True) if not imported]
    here = Message.conversation_id == conversation_id
    session.execute(update(Message).where(here, Message.id.in_(own)).values(imported=False))
    calls = read_calls(session, numbers)
    for number, judged in zip(numbers, removed.calls, strict=True):
        for call, values in zip(calls.get(number, ()), judged, strict=True):
            session.execute(update(ToolCall).where(ToolCall.id == call.id).values(**values))


def _messages(conversation_id: str) -> Any:
    """The messages' ids in order, each with whether a file brought it."""
    columns = select(Message.id, Message.imported).where(Message.conversation_id == conversation_id)
    return columns.order_by(Message.id)


def _judged(call: ToolCall) -> Mapping[str, Any]:
    return {name: getattr(call, name) for name in JUDGED}
