"""The responses that the API keeps for whom it made them, and for how long. Knows their tables; nothing of their form.

What is not the owner's, or has expired, is not found. Whoever goes on from a response keeps all before it alive.
Pictures in items are kept apart, each once, and items are read with them as they were saved.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Select, delete, literal, select, update
from sqlalchemy.orm import Session

from conversations.store import item_pictures
from conversations.store.database import Database
from conversations.store.schema import CallStatus, Message, ResponseItem, StoredResponse, ToolCall
from conversations.store.store import NotFoundError, Store

HOUR = 3600.0  # seconds
DAY = 24 * HOUR
NUMBERED = (ResponseItem.number, ResponseItem.item)


class Item(NamedTuple):
    """An item as clients see it; `is_ours`: its id is one that this server gave."""

    value: dict[str, Any]
    is_ours: bool


@dataclass(frozen=True)
class History:
    """The responses that a new one goes on from, the newest first, and their items, the oldest first.

    `message_id` is the reply that the newest one told, where it is one of a conversation.
    """

    ids: Sequence[str] = ()
    items: Sequence[dict[str, Any]] = ()
    message_id: int | None = None


def save(
    store: Store,
    response_id: str,
    body: dict[str, Any],
    inputs: Sequence[Item],
    outputs: Sequence[Item],
    *,
    history: History,
    days: float,
    message_id: int | None = None,
) -> None:
    """Keep a response for so many days, and those before it for as long; what has expired goes.

    `message_id` is the reply that it tells, where it is one of a conversation, with which it is deleted.

    Raises DatabaseError.
    """
    with store.database.writing() as session:
        now = float(session.scalar(select(store.database.now())) or 0)
        expires = now + days * DAY
        _purge(session, now)
        _prolong(session, store, history.ids, expires)
        previous = history.ids[0] if history.ids else None
        session.add(
            StoredResponse(
                id=response_id,
                owner=store.owner,
                previous_id=previous,
                created=now,
                expires=expires,
                body=body,
                message_id=message_id,
            )
        )
        session.flush()
        _add_items(session, store.owner, response_id, inputs, is_output=False)
        _add_items(session, store.owner, response_id, outputs, is_output=True)


def _prolong(session: Session, store: Store, ids: Sequence[str], expires: float) -> None:
    """Have these responses live as long; those that nearly do are left alone, so that few writers meet."""
    soon = StoredResponse.expires < expires - HOUR
    query = update(StoredResponse).where(StoredResponse.owner == store.owner, StoredResponse.id.in_(ids), soon)
    session.execute(query.values(expires=expires))


def _add_items(session: Session, owner: str, response_id: str, items: Sequence[Item], is_output: bool) -> None:
    kept = [item_pictures.take_out(item.value) for item in items]
    rows = [
        ResponseItem(
            response_id=response_id,
            item_id=item.value.get("id") if item.is_ours else None,
            is_output=is_output,
            item=value,
        )
        for item, (value, _) in zip(items, kept, strict=True)
    ]
    session.add_all(rows)
    session.flush()
    for row, (_, pictures) in zip(rows, kept, strict=True):
        item_pictures.attach(session, owner, row.number, pictures)


def purge(database: Database) -> None:
    """Delete what has expired, whoever's it is. Raises DatabaseError."""
    with database.writing() as session:
        _purge(session, database.now())


def _purge(session: Session, now: float | ColumnElement[float]) -> None:
    session.execute(delete(StoredResponse).where(StoredResponse.expires <= now))


def get(store: Store, response_id: str) -> StoredResponse:
    """A response. Raises NotFoundError."""
    with store.database.reading() as session:
        return _row(session, store, response_id)


def asked_calls(store: Store, response_id: str | None) -> list[tuple[str, ToolCall]]:
    """Calls in replies that the owner's responses tell, each with its response: of one, else those that wait."""
    query = select(StoredResponse.id, ToolCall).join(ToolCall, ToolCall.message_id == StoredResponse.message_id)
    only = ToolCall.status == CallStatus.WAITING if response_id is None else StoredResponse.id == response_id
    with store.database.reading() as session:
        return [(identity, call) for identity, call in session.execute(query.where(_is_alive(store), only))]


def input_items(store: Store, response_id: str) -> list[dict[str, Any]]:
    """The items of a response's own input. Raises NotFoundError."""
    query = select(*NUMBERED).where(ResponseItem.response_id == response_id, ~ResponseItem.is_output)
    with store.database.reading() as session:
        _row(session, store, response_id)
        return _values(session, query.order_by(ResponseItem.number))


def remove(store: Store, response_id: str) -> None:
    """Remove a response with its items; nothing can go on from it any more. Raises NotFoundError.

    The last one of a conversation takes it along.
    """
    with store.database.writing() as session:
        row = _row(session, store, response_id)
        session.execute(delete(StoredResponse).where(StoredResponse.id == row.id))
        left = _left_conversation(session, row.message_id)
    if left is not None:
        with suppress(NotFoundError):  # somebody else may have deleted it meanwhile
            store.delete(left)


def _left_conversation(session: Session, message_id: int | None) -> str | None:
    """The conversation of a message where no response tells of it any more."""
    own = select(Message.conversation_id).where(Message.id == message_id).scalar_subquery()
    told = select(StoredResponse.id).join(Message, Message.id == StoredResponse.message_id)
    if session.scalar(told.where(Message.conversation_id == own).limit(1)) is not None:
        return None
    return session.scalar(select(Message.conversation_id).where(Message.id == message_id))


def find_items(store: Store, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those of the items with these ids that this server gave, by id."""
    query = select(*NUMBERED).join(StoredResponse).where(_is_alive(store), ResponseItem.item_id.in_(item_ids))
    with store.database.reading() as session:
        return {item["id"]: item for item in _values(session, query)}


def load_history(store: Store, response_id: str) -> History:
    """A response and all before it. Raises NotFoundError, which names the one that is missing."""
    branch = _branch(store, response_id)
    ids = select(branch.c.id, branch.c.previous_id).order_by(branch.c.above)
    told = select(StoredResponse.message_id).where(StoredResponse.id == response_id)
    items = select(*NUMBERED).join(branch, ResponseItem.response_id == branch.c.id)
    with store.database.reading() as session:
        rows = session.execute(ids).all()
        missing = rows[-1].previous_id if rows else response_id
        if missing is not None:
            raise NotFoundError(_not_found(missing))
        values = _values(session, items.order_by(branch.c.above.desc(), ResponseItem.number))
        return History([row.id for row in rows], values, session.scalar(told))


def _values(session: Session, query: Select[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that a query for numbers and items finds, with their pictures."""
    return item_pictures.put_in(session, {row.number: row.item for row in session.execute(query)})


def _branch(store: Store, response_id: str) -> CTE:
    """The responses from this one back to the first."""
    columns = StoredResponse.id, StoredResponse.previous_id
    last = select(*columns, literal(0).label("above")).where(_is_alive(store), StoredResponse.id == response_id)
    branch = last.cte("branch", recursive=True)
    earlier = select(*columns, branch.c.above + 1).join(branch, StoredResponse.id == branch.c.previous_id)
    return branch.union_all(earlier.where(_is_alive(store)))


def _is_alive(store: Store) -> Any:
    return (StoredResponse.owner == store.owner) & (StoredResponse.expires > store.database.now())


def _row(session: Session, store: Store, response_id: str) -> StoredResponse:
    query: Select[StoredResponse] = select(StoredResponse).where(_is_alive(store), StoredResponse.id == response_id)
    row = session.scalars(query).first()
    if row is None:
        raise NotFoundError(_not_found(response_id))
    return row


def _not_found(response_id: str) -> str:
    return f"Response with id '{response_id[:100]}' not found."
