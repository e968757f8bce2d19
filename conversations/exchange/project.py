"""A project out of the tables into our form, and in again: what holds in it, and its documents. Knows tables; no page.

    {"format": "llm-assistant", "version": 1, "project": {"name": "Garden", …}, "conversations": […]}

Its conversations stand in the file as in any other; older programs read these alone. What it brings a stranger may
have written: of backend and tools, what is not there is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from conversations.exchange.citations import check_limits, parts_of
from conversations.exchange.documents import count_documents, read_documents, save_document, too_many
from conversations.exchange.errors import ExchangeError, explain
from conversations.exchange.exporter import export_conversation
from conversations.exchange.schema import CleanStr, DocumentSchema, ExportSchema, Timestamp, check_persona, json_chunks
from conversations.store.project_table import Project
from conversations.store.projects import MAX_NAME, MAX_SYSTEM, check_name, new_project_id
from conversations.store.schema import Conversation, Document
from conversations.store.store import NotFoundError, Store
from conversations.store.text import MessageError
from documents.settings import DocumentSettings
from documents.split import join_parts

HOLDS = ("system", "persona", "backend", "model", "tools")  # in its conversations
MAX_NAMED = 300  # characters of a backend's, a model's or a tool's name
MAX_TOOLS = 500


class ProjectSchema(ExportSchema):
    """A project without its conversations."""

    name: Annotated[CleanStr, Field(min_length=1, max_length=MAX_NAME)]
    created: Timestamp
    system: Annotated[CleanStr, Field(max_length=MAX_SYSTEM)] | None = None
    persona: Annotated[dict[str, Any], BeforeValidator(check_persona)] | None = None
    backend: Annotated[CleanStr, Field(max_length=MAX_NAMED)] | None = None
    model: Annotated[CleanStr, Field(max_length=MAX_NAMED)] | None = None
    tools: Annotated[list[Annotated[CleanStr, Field(max_length=MAX_NAMED)]], Field(max_length=MAX_TOOLS)] | None = None
    documents: list[DocumentSchema] = Field(default_factory=list)


def validate_project(value: Any) -> dict[str, Any]:
    """A project of a file with every field. Raises ExchangeError."""
    try:
        found = ProjectSchema.model_validate(value).model_dump()
        return {**found, "name": check_name(found["name"])}
    except ValidationError as error:
        raise ExchangeError(f"its project: {explain(error)}") from None
    except MessageError as error:
        raise ExchangeError(f"its project: {error}") from None


def export_project(store: Store, project_id: str) -> Iterator[str]:
    """The text of a file with a project and its conversations, one of them at a time. Raises NotFoundError."""
    with store.database.reading() as session:
        row = store.project_row(session, project_id)
        documents = list(read_documents(session, Document.project_id == row.id).values())
        inside = select(Conversation.id).where(Conversation.project_id == row.id).order_by(Conversation.created)
        listed = list(session.scalars(inside))
    fields = {"name": row.name, "created": row.created, **{name: getattr(row, name) for name in HOLDS}}
    return json_chunks(_conversations(store, listed), {**fields, "documents": documents})


def _conversations(store: Store, listed: Iterable[str]) -> Iterator[dict[str, Any]]:
    for identity in listed:
        try:
            yield export_conversation(store, identity)
        except NotFoundError:
            continue  # deleted meanwhile


def check_project(project: Mapping[str, Any], limits: DocumentSettings) -> None:
    """Check its documents against the limits of a file that is read. Raises ExchangeError."""
    check_limits([project], limits)


def save_project(session: Session, store: Store, project: Mapping[str, Any], added: list[str]) -> str | None:
    """Write a project around the conversations that were added; its name, None where it is there already.

    It is where nothing new was in the file, and a project of this name is there.
    """
    same = select(Project.id).where(Project.owner == store.owner, Project.name == project["name"])
    if not added and session.scalar(same) is not None:
        return None
    row = _new_row(session, store, project)
    for document in project["documents"]:
        save_document(session, document, store.owner, project_id=row.id)
    session.execute(update(Conversation).where(Conversation.id.in_(added)).values(project_id=row.id))
    return row.name


def save_folder(
    session: Session,
    store: Store,
    project: Mapping[str, Any],
    added: Sequence[str],
    limits: DocumentSettings,
    notes: list[str],
) -> bool:
    """Write another program's project around those of its conversations that were added; whether anything was new.

    A file's project of the same name and system prompt is gone on with, so that a later export adds to it. Documents
    beyond the limits are named in `notes`, and all else comes in.
    """
    alike = (Project.name == project["name"], Project.system.is_not_distinct_from(project["system"]))
    query = select(Project).where(Project.owner == store.owner, Project.imported, *alike).limit(1)
    known = session.scalar(query)
    row = known or _new_row(session, store, project)
    new = _save_new(session, store, row, project["documents"], limits, notes)
    session.execute(update(Conversation).where(Conversation.id.in_(added)).values(project_id=row.id))
    return known is None or new or bool(added)


def _save_new(
    session: Session,
    store: Store,
    row: Project,
    documents: Sequence[Mapping[str, Any]],
    limits: DocumentSettings,
    notes: list[str],
) -> bool:
    """Save those documents that the project does not have; whether there were any."""
    here = select(Document.name, Document.text).where(Document.project_id == row.id)
    there = {(name, text) for name, text in session.execute(here)}
    found = [each for each in documents if (each["name"], join_parts(parts_of(each))) not in there]
    room, surplus = limits.max_files - count_documents(session, store.owner), 0
    for document in found:
        try:
            check_limits([{"documents": [document]}], limits)
        except ExchangeError as error:
            notes.append(f"not kept: {error}")
            continue
        if room > 0:
            save_document(session, document, store.owner, project_id=row.id)
        surplus, room = surplus + (room <= 0), room - 1
    if surplus:
        notes.append(f"not kept: documents of the project {row.name} ({surplus:,}): {too_many(limits)}")
    return bool(found)


def _new_row(session: Session, store: Store, project: Mapping[str, Any]) -> Project:
    fields = {"name": project["name"], "created": project["created"], **{name: project.get(name) for name in HOLDS}}
    row = Project(id=new_project_id(), owner=store.owner, updated=project["created"], imported=True, **fields)
    session.add(row)
    session.flush()
    return row
