"""The pictures of messages: kept once for their owner, read with their bytes or without. Knows tables; no model.

A picture belongs to the messages that have it, and to kept items of responses: it goes with the last of them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from conversations.store.picture_tables import MessagePicture, StoredPicture
from documents.pictures.picture import Picture

FORM = (StoredPicture.mime_type, StoredPicture.width, StoredPicture.height)
_IS_OF = (StoredPicture.owner == MessagePicture.owner) & (StoredPicture.digest == MessagePicture.digest)


@dataclass(frozen=True)
class PictureInfo:
    """A picture of a message without its bytes; `position`: how many characters of the text stand before it."""

    name: str
    digest: str
    mime_type: str
    width: int
    height: int
    position: int = 0


@dataclass(frozen=True)
class Placed:
    """A picture of a message with its bytes, and where in the text it stands."""

    picture: Picture
    position: int = 0


def attach(session: Session, owner: str, message_id: int, pictures: Sequence[Picture | Placed]) -> None:
    """Add pictures to a message that has none, in this order; those that have no place stand before its text."""
    placed = [each if isinstance(each, Placed) else Placed(each) for each in pictures]
    for picture in {each.picture.digest: each.picture for each in placed}.values():
        keep(session, owner, picture)
    for rank, each in enumerate(placed):
        row = {"rank": rank, "digest": each.picture.digest, "name": each.picture.name, "position": each.position}
        session.execute(insert(MessagePicture).values(message_id=message_id, owner=owner, **row))


def read(session: Session, message_ids: Sequence[int]) -> dict[int, list[PictureInfo]]:
    """The pictures of these messages, each in order, without their bytes."""
    found: dict[int, list[PictureInfo]] = {}
    for row, mime_type, width, height in session.execute(_joined(message_ids, FORM)):
        found.setdefault(row.message_id, []).append(
            PictureInfo(row.name, row.digest, mime_type, width, height, row.position)
        )
    return found


def load(session: Session, message_ids: Sequence[int]) -> dict[int, list[Placed]]:
    """The pictures of these messages, each in order, with their bytes."""
    found: dict[int, list[Placed]] = {}
    known: dict[str, bytes] = {}  # one that several messages have stands in memory once
    for row, mime_type, width, height, data in session.execute(_joined(message_ids, (*FORM, StoredPicture.data))):
        data = known.setdefault(row.digest, data)
        placed = Placed(Picture(row.name, mime_type, width, height, data), row.position)
        found.setdefault(row.message_id, []).append(placed)
    return found


def find(session: Session, owner: str, digest: str) -> Picture | None:
    """A picture of an owner, by the name that one of his messages has for it; None where he has none such."""
    query = select(MessagePicture.name, *FORM, StoredPicture.data).join(StoredPicture, _IS_OF)
    row = session.execute(query.where(StoredPicture.owner == owner, StoredPicture.digest == digest).limit(1)).first()
    return None if row is None else Picture(*row)


def keep(session: Session, owner: str, picture: Picture) -> None:
    """Have the picture in the table. One that is there is written to, so that nobody deletes it meanwhile."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    form = {"mime_type": picture.mime_type, "width": picture.width, "height": picture.height}
    new = {"owner": owner, "digest": picture.digest, **form, "data": picture.data, "created": time.time()}
    adding = dialect.insert(StoredPicture).values(**new)
    key = [StoredPicture.owner, StoredPicture.digest]
    session.execute(adding.on_conflict_do_update(index_elements=key, set_={"created": StoredPicture.created}))


def _joined(message_ids: Sequence[int], columns: Sequence[Any]) -> Any:
    query = select(MessagePicture, *columns).join(StoredPicture, _IS_OF)
    return query.where(MessagePicture.message_id.in_(message_ids)).order_by(
        MessagePicture.message_id, MessagePicture.rank
    )
