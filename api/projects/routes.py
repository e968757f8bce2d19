"""`/projects`: made, changed, deleted, filled with sessions and files, and searched. Knows the store; asks no model.

A session of a project is begun with `project` of `POST /predict`, and moved in and out here.
"""

from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.http import attachments
from api.http.auth import ANONYMOUS, OwnerStore
from api.http.body import json_body
from api.http.errors import ApiError, error_responses
from api.http.jobs import shutting_down_error
from api.http.models import resolve_model
from api.http.personas import find_persona
from api.http.state import DEFAULT, AppState, StateDep
from api.openai.files import FORM, FileObject, to_file_object, uploaded_file
from api.predict.calls import check_tools
from api.projects import schemas as bodies
from api.projects.schemas import (
    FoundSession,
    FoundSessions,
    NewProject,
    ProjectChange,
    ProjectDeleted,
    ProjectFields,
    ProjectFiles,
    ProjectList,
    ProjectName,
    ProjectObject,
    SearchWithin,
    SessionList,
    SessionObject,
)
from conversations.library import files
from conversations.store import Store, projects, search_conversations

router = APIRouter(prefix="/projects", tags=["projects"])
READ, WRITE = error_responses(400, 404, 503), error_responses(400, 404, 408, 413, 500, 503)
ProjectId = Annotated[str, Path(max_length=64)]
SessionId = Annotated[str, Path(max_length=64)]


@router.get("", responses=error_responses(503))
def listing(store: OwnerStore) -> ProjectList:
    """The caller's projects. 403 where no key is needed: all callers are one there, and who knows an id may read."""
    if store.owner == ANONYMOUS:
        raise ApiError(
            403,
            "This server knows no callers apart, so it lists no projects: ask for yours by their ids, or set API_KEYS.",
            code="key_needed",
        )
    return ProjectList(data=[ProjectName(id=row.id, name=row.name) for row in projects.listing(store)])


@router.post("", status_code=201, responses=WRITE, openapi_extra=bodies.NEW_BODY)
async def create(
    state: StateDep, store: OwnerStore, body: Annotated[NewProject, Depends(json_body(NewProject))]
) -> ProjectObject:
    """Make a project. Its sessions take over what it says, where they say nothing themselves."""
    fields = await columns(state, store, body)
    return ProjectObject.of(await run_in_threadpool(projects.create, store, body.name, **fields))


async def columns(state: AppState, store: Store, body: ProjectFields) -> dict[str, Any]:
    """The columns of what was sent. Raises ApiError 400 and 404 for a tool, a persona or a model that is not there."""
    given = body.model_dump(exclude_unset=True, exclude={"name", "model", "persona"})
    if "tools" in given and body.tools is not None:
        given["tools"] = await run_in_threadpool(check_tools, state.settings, body.tools)
    if "persona" in body.model_fields_set:
        found = None if body.persona is None else await run_in_threadpool(find_persona, store, body.persona)
        given["persona"] = found and found.to_dict()
    if "model" in body.model_fields_set:
        is_usual = body.model in (None, DEFAULT)
        given |= {"backend": None if is_usual else await resolve_model(state, str(body.model)), "model": None}
    return given


@router.get("/{project_id}", responses=READ)
def retrieve(store: OwnerStore, project_id: ProjectId) -> ProjectObject:
    """A project, with what holds in its sessions."""
    return ProjectObject.of(projects.get(store, project_id))


@router.patch("/{project_id}", responses=WRITE, openapi_extra=bodies.CHANGE_BODY)
async def change(
    state: StateDep,
    store: OwnerStore,
    project_id: ProjectId,
    body: Annotated[ProjectChange, Depends(json_body(ProjectChange))],
) -> ProjectObject:
    """Rename a project, or have something else hold in it from the next reply on."""
    fields = await columns(state, store, body) | ({} if body.name is None else {"name": body.name})
    return ProjectObject.of(await run_in_threadpool(projects.update, store, project_id, **fields))


@router.delete("/{project_id}", responses=error_responses(400, 404, 503))
def delete(
    store: OwnerStore,
    project_id: ProjectId,
    sessions: Annotated[
        Literal["keep", "delete"], Query(description="what becomes of its sessions: nothing, or they go with it")
    ],
) -> ProjectDeleted:
    """Delete a project with its files, and say what becomes of its sessions."""
    projects.delete(store, project_id, with_conversations=sessions == "delete")
    return ProjectDeleted(id=project_id, sessions=sessions)


@router.get("/{project_id}/sessions", responses=error_responses(400, 404, 503))
def sessions(
    store: OwnerStore,
    project_id: ProjectId,
    limit: Annotated[int, Query(ge=1, le=bodies.LONGEST_LIST)] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> SessionList:
    """The sessions of a project; `has_more`: ask again with a larger `offset` for the rest."""
    projects.get(store, project_id)
    rows = projects.conversations(store, project_id, limit + 1, offset)
    return SessionList(data=[SessionObject.of(row) for row in rows[:limit]], has_more=len(rows) > limit)


@router.put("/{project_id}/sessions/{session_id}", responses=READ)
def move_in(store: OwnerStore, project_id: ProjectId, session_id: SessionId) -> SessionObject:
    """Move a session into a project, out of any other."""
    projects.move(store, session_id, project_id)
    return SessionObject.of(store.get(session_id))


@router.delete("/{project_id}/sessions/{session_id}", responses=READ)
def move_out(store: OwnerStore, project_id: ProjectId, session_id: SessionId) -> SessionObject:
    """Move a session out of a project; it is kept, with all that was said."""
    projects.get(store, project_id)
    if store.get(session_id).project_id != project_id:
        raise ApiError(404, f"There is no session {session_id!r} in this project.", code="not_found")
    projects.move(store, session_id, None)
    return SessionObject.of(store.get(session_id))


@router.post("/{project_id}/search", responses=WRITE, openapi_extra=bodies.SEARCH_BODY)
async def search(
    store: OwnerStore, project_id: ProjectId, body: Annotated[SearchWithin, Depends(json_body(SearchWithin))]
) -> FoundSessions:
    """The sessions of a project in which some words were said. No model is asked."""
    await run_in_threadpool(projects.get, store, project_id)
    hits = await run_in_threadpool(search_conversations, store, body.query, body.top, body.thinking, project_id)
    return FoundSessions(data=[FoundSession.of(hit) for hit in hits])


@router.get("/{project_id}/files", responses=READ)
def project_files(store: OwnerStore, project_id: ProjectId) -> ProjectFiles:
    """The documents of a project, oldest first; `DELETE /v1/files/{id}` deletes one."""
    projects.get(store, project_id)
    return ProjectFiles(data=[to_file_object(row) for row in files.project_listing(store, project_id)])


@router.post("/{project_id}/files", responses=WRITE, openapi_extra={"requestBody": {"required": True, "content": FORM}})
async def add_file(
    state: StateDep,
    store: OwnerStore,
    project_id: ProjectId,
    upload: Annotated[UploadFile, Depends(uploaded_file)],
) -> FileObject:
    """Read a file, and keep its text: every session of the project answers from it, begun or not."""
    if state.shutting_down:
        raise shutting_down_error()
    with state.queues.reserve("files", state.api.max_queue):
        row = await to_thread.run_sync(
            attachments.keep_file, store, upload, state.document_limits, None, project_id, limiter=state.readers
        )
    return to_file_object(row)
