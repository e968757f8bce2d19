"""What tells that something of a conversation, or the list of them, is another than it was. Knows tables; no page.

A version is compared for equality alone; one query answers for any number of conversations or owners.
"""

import zlib
from collections.abc import Collection, Iterator

from sqlalchemy import BigInteger, case, cast, func, select

from conversations.store.database import Database
from conversations.store.schema import Conversation

GONE = "gone"  # the version of a conversation that was deleted, or is somebody else's
EMPTY = "0"  # of the list of who has none
CHUNK = 500  # ids in one query
LISTED = Conversation.id + Conversation.title + func.coalesce(Conversation.project_id, "")


def version_of(conversation: Conversation) -> str:
    """The version of a conversation as it was read."""
    return _version(conversation.head, conversation.updated, conversation.title)


def conversation_versions(database: Database, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The version of each conversation, by owner and id. Raises DatabaseError."""
    found = dict.fromkeys(wanted, GONE)
    columns = (Conversation.owner, Conversation.id, Conversation.head, Conversation.updated, Conversation.title)
    with database.reading() as session:
        for ids in _chunks([identity for _, identity in wanted]):
            for owner, identity, *rest in session.execute(select(*columns).where(Conversation.id.in_(ids))):
                if (owner, identity) in found:
                    found[owner, identity] = _version(*rest)
    return found


def listing_versions(database: Database, owners: Collection[str]) -> dict[str, str]:
    """The version of each owner's list of conversations. Raises DatabaseError."""
    found = dict.fromkeys(owners, EMPTY)
    columns = (
        func.count(),
        func.max(Conversation.updated),
        func.sum(case((Conversation.pinned, 1), else_=0)),
        func.sum(cast(func.hashtext(LISTED), BigInteger)),
    )
    with database.reading() as session:
        for names in _chunks(list(owners)):
            query = select(Conversation.owner, *columns).where(Conversation.owner.in_(names))
            for owner, *rest in session.execute(query.group_by(Conversation.owner)):
                found[owner] = _version(*rest)
    return found


def _version(*values: object) -> str:
    return f"{zlib.crc32(repr(values).encode()):08x}-{values[1]!r}"


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(values), CHUNK):
        yield values[at : at + CHUNK]
