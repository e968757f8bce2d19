"""Links to conversations as they stood: made, listed, found by their token, revoked. Knows their table; no page.

A link holds what it shows, so that what is said later is not shown; its token is kept as a hash, which opens nothing.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import undefer

from conversations.store.database import Database
from conversations.store.link_table import SharedLink
from conversations.store.store import NotFoundError, Store

DAY = 86_400  # seconds
GONE = "This link was revoked, has expired, or is mistyped."


def create(
    store: Store, conversation_id: str, body: Mapping[str, Any], days: float, *, branches: bool, documents: bool
) -> tuple[SharedLink, str]:
    """A new link of the owner's that shows `body`, and its token, which nobody is told again. Raises NotFoundError."""
    token, now = secrets.token_urlsafe(32), time.time()
    with store.database.writing() as session:
        conversation = store.lock_conversation(session, conversation_id)
        link = SharedLink(
            id=secrets.token_urlsafe(9),
            digest=_digest(token),
            owner=store.owner,
            conversation_id=conversation_id,
            title=conversation.title,
            created=now,
            expires=now + days * DAY,
            branches=branches,
            documents=documents,
            body=dict(body),
        )
        session.add(link)
    return link, token


def listing(store: Store) -> list[SharedLink]:
    """The owner's links that can be opened, the newest first; those that have expired are deleted."""
    with store.database.writing() as session:
        session.execute(delete(SharedLink).where(SharedLink.expires <= time.time()))
    query = select(SharedLink).where(SharedLink.owner == store.owner).order_by(SharedLink.created.desc())
    with store.database.reading() as session:
        return list(session.scalars(query))


def revoke(store: Store, link_id: str) -> None:
    """Have a link open nothing from now on; what it showed is deleted. Raises NotFoundError."""
    owned = delete(SharedLink).where(SharedLink.id == link_id, SharedLink.owner == store.owner)
    with store.database.writing() as session:
        if session.scalar(owned.returning(SharedLink.id)) is None:
            raise NotFoundError(f"There is no link {link_id!r} of yours.")


def find(database: Database, token: str) -> SharedLink:
    """The link of a token, with what it shows. Raises NotFoundError, whatever the reason."""
    query = select(SharedLink).where(SharedLink.digest == _digest(token), SharedLink.expires > time.time())
    with database.reading() as session:
        link = session.scalar(query.options(undefer(SharedLink.body)))
    if link is None:
        raise NotFoundError(GONE)
    return link


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
