"""The requests and answers of `/projects`. Knows records of the store; no route."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.body import json_body_schema
from api.openai.files import FileObject
from conversations.store import Conversation, Hit, Project, projects

ID = "project-pQ4Xw2mZ0sB7tKcN1yVd9A"
SESSION_ID = "pQ4Xw2mZ0sB7tKcN1yVd9A"
LONGEST_LIST = 1000
EXAMPLE: dict[str, JsonValue] = {
    "id": ID,
    "name": "Garden",
    "system": "Answer as a gardener.",
    "persona": None,
    "model": None,
    "tools": ["search_documents"],
    "created_at": 1795273831,
    "updated_at": 1795273831,
}
HIT_EXAMPLE: dict[str, JsonValue] = {
    "session_id": SESSION_ID,
    "title": "Oaks",
    "message_id": 12,
    "snippet": "…an oak stands there for centuries…",
    "is_thought": False,
    "updated_at": 1795273831,
}
SESSION_EXAMPLE: dict[str, JsonValue] = {
    "session_id": SESSION_ID,
    "project": ID,
    "title": "Oaks",
    "pinned": False,
    "created_at": 1795273831,
    "updated_at": 1795273831,
}
ToolNames = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]
Name = Annotated[str, Field(min_length=1, max_length=projects.MAX_NAME, pattern=r"\S", description="on one line")]


class ProjectFields(BaseModel):
    """What holds in a project's sessions, where they do not say it themselves; null is as the server has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    system: str | None = Field(None, max_length=projects.MAX_SYSTEM, description="the system prompt")
    persona: str | None = Field(None, min_length=1, max_length=80, description="who answers, in its place: a slug")
    model: str | None = Field(None, min_length=1, max_length=200, description="what answers: a name of /v1/models")
    tools: ToolNames | None = Field(None, description="names of the tools that are on, of /predict/tools")


class NewProject(ProjectFields):
    """A project to make."""

    name: Name


class ProjectChange(ProjectFields):
    """What is to be another: a field that is left out stays as it is."""

    name: Name | None = Field(None, description="on one line; null leaves it")


class ProjectObject(BaseModel):
    """A project; `persona` is a slug."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    name: str
    system: str | None
    persona: str | None
    model: str | None
    tools: list[str] | None
    created_at: int
    updated_at: int

    @classmethod
    def of(cls, row: Project) -> "ProjectObject":
        """A project as clients see it."""
        return cls(
            id=row.id,
            name=row.name,
            system=row.system,
            persona=None if row.persona is None else str(row.persona["slug"]),
            model=row.backend,
            tools=row.tools,
            created_at=int(row.created),
            updated_at=int(row.updated),
        )


class ProjectName(BaseModel):
    """A project in a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID, "name": "Garden"}]})

    id: str
    name: str


class ProjectList(BaseModel):
    """The caller's projects by name."""

    data: list[ProjectName]


class ProjectDeleted(BaseModel):
    """A deleted project, and what became of its sessions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID, "deleted": True, "sessions": "keep"}]})

    id: str
    deleted: Literal[True] = True
    sessions: Literal["keep", "delete"]


class SessionObject(BaseModel):
    """A session: a conversation, which `session_id` of /predict goes on with."""

    model_config = ConfigDict(json_schema_extra={"examples": [SESSION_EXAMPLE]})

    session_id: str
    project: str | None
    title: str
    pinned: bool
    created_at: int
    updated_at: int

    @classmethod
    def of(cls, row: Conversation) -> "SessionObject":
        """A conversation as clients see it."""
        times = {"created_at": int(row.created), "updated_at": int(row.updated)}
        return cls(session_id=row.id, project=row.project_id, title=row.title, pinned=row.pinned, **times)


class SessionList(BaseModel):
    """A page of a project's sessions: pinned ones first, then by their last message."""

    data: list[SessionObject]
    has_more: bool


class ProjectFiles(BaseModel):
    """The documents of a project, which every session of it answers from."""

    data: list[FileObject]


class SearchWithin(BaseModel):
    """Words that are looked for in what was said in a project's sessions, and in their titles."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=300, description="each word has to occur in one message")
    thinking: bool = Field(False, description="also in what models thought")
    top: int = Field(50, ge=1, le=200, description="sessions at most")


class FoundSession(BaseModel):
    """A session that was found, with the words around the first hit; `message_id` is null where its title is it."""

    model_config = ConfigDict(json_schema_extra={"examples": [HIT_EXAMPLE]})

    session_id: str
    title: str
    message_id: int | None
    snippet: str
    is_thought: bool
    updated_at: int

    @classmethod
    def of(cls, hit: Hit) -> "FoundSession":
        """A hit as clients see it."""
        return cls(
            session_id=hit.conversation_id,
            title=hit.title,
            message_id=hit.message_id,
            snippet=hit.snippet,
            is_thought=hit.is_thought,
            updated_at=int(hit.updated),
        )


class FoundSessions(BaseModel):
    """The sessions that were found, the last changed first."""

    data: list[FoundSession]


NEW_BODY: dict[str, Any] = json_body_schema(
    NewProject, named={"name": "Garden"}, full={"name": "Garden", "system": "Answer as a gardener.", "tools": []}
)
CHANGE_BODY: dict[str, Any] = json_body_schema(ProjectChange, renamed={"name": "Orchard"}, plain={"system": None})
SEARCH_BODY: dict[str, Any] = json_body_schema(SearchWithin, words={"query": "oak"})
