"""The projects of an owner: made, changed, deleted, and which conversations are in them. Knows tables; no page.

What does not belong to the owner is not found, whatever is asked about it.
"""

import secrets
import time
from typing import Any, NamedTuple

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from conversations.store.inheritance import Effective, resolve_row
from conversations.store.project_table import Project
from conversations.store.schema import Conversation
from conversations.store.store import Store, announce_deletion
from conversations.store.text import MessageError, clean

MAX_NAME = 100  # characters
MAX_SYSTEM = 20_000  # characters of a system prompt
SPEAKING = {"system", "persona"}


class ListedProject(NamedTuple):
    """A project in a list."""

    id: str
    name: str


def check_name(name: str) -> str:
    """A project's name as it is kept, on one line. Raises MessageError for an empty or over-long one."""
    line = " ".join(clean(name).split())
    if not line:
        raise MessageError("A project needs a name, such as 'Garden'.")
    if len(line) > MAX_NAME:
        raise MessageError(f"The project's name has {len(line):,} characters; at most {MAX_NAME} are kept.")
    return line


def new_project_id() -> str:
    """A new project's id, which nobody guesses."""
    return f"project-{secrets.token_urlsafe(16)}"


def create(store: Store, name: str, **fields: Any) -> Project:
    """A new project of the owner. Raises MessageError for its name."""
    now = time.time()
    row = Project(
        **{"id": new_project_id(), "imported": False, **fields},
        owner=store.owner,
        name=check_name(name),
        created=now,
        updated=now,
    )
    with store.database.writing() as session:
        session.add(row)
    return row


def get(store: Store, project_id: str) -> Project:
    """A project of the owner. Raises NotFoundError."""
    with store.database.reading() as session:
        return store.project_row(session, project_id)


def listing(store: Store) -> list[ListedProject]:
    """The owner's projects by name."""
    query = select(Project.id, Project.name).where(Project.owner == store.owner)
    with store.database.reading() as session:
        rows = [ListedProject(identity, name) for identity, name in session.execute(query)]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.name, row.id))


def update(store: Store, project_id: str, **fields: Any) -> Project:
    """The project with these fields set; what its owner says himself no file has brought.

    Raises NotFoundError, and MessageError for a name.
    """
    if "name" in fields:
        fields["name"] = check_name(fields["name"])
    if SPEAKING & fields.keys():
        fields["imported"] = False
    with store.database.writing() as session:
        row = store.project_row(session, project_id, locked=True)
        for name, value in {**fields, "updated": time.time()}.items():
            setattr(row, name, value)
    return row


def delete(store: Store, project_id: str, with_conversations: bool) -> None:
    """Delete a project with its documents, and its conversations with all that hangs on them, or keep these.

    Raises NotFoundError.
    """
    with store.database.writing() as session:
        row = store.project_row(session, project_id, locked=True)
        inside = list(session.scalars(select(Conversation.id).where(Conversation.project_id == row.id)))
        if with_conversations:
            session.execute(delete_rows(Conversation).where(Conversation.project_id == row.id))
        session.execute(delete_rows(Project).where(Project.id == row.id))
    for identity in inside:  # of those that stay, what the documents brought into their prompts is gone
        announce_deletion(store.database, identity)


def move(store: Store, conversation_id: str, project_id: str | None) -> None:
    """Put a conversation into a project, or out of any. Raises NotFoundError."""
    store.update(conversation_id, project_id=project_id)


def conversations(store: Store, project_id: str | None, limit: int = 50, offset: int = 0) -> list[Conversation]:
    """Those of a project, or of none: pinned ones first, then by their last message."""
    order = (Conversation.pinned.desc(), Conversation.updated.desc())
    query = store.query().where(Conversation.project_id == project_id)
    with store.database.reading() as session:
        return list(session.scalars(query.order_by(*order).limit(limit).offset(offset)))


def count(store: Store, project_id: str) -> int:
    """How many conversations are in a project of the owner."""
    query = select(func.count()).select_from(Conversation)
    with store.database.reading() as session:
        return (
            session.scalar(query.where(Conversation.owner == store.owner, Conversation.project_id == project_id)) or 0
        )


def counts(store: Store) -> dict[str, int]:
    """How many conversations are in each project of the owner that has any."""
    query = select(Conversation.project_id, func.count()).where(Conversation.owner == store.owner)
    with store.database.reading() as session:
        rows = session.execute(query.group_by(Conversation.project_id))
        return {identity: number for identity, number in rows if identity is not None}


def project_of(session: Session, conversation: Conversation) -> Project | None:
    """The project of a conversation; None where it is in none."""
    return None if conversation.project_id is None else session.get(Project, conversation.project_id)


def effective(store: Store, conversation: Conversation) -> Effective:
    """What holds in a conversation of the owner."""
    with store.database.reading() as session:
        return resolve_row(conversation, project_of(session, conversation))
