"""A session of /predict: a conversation of the caller, known by its id or by a cookie that holds it. Knows no route."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

import backends
from api.http.errors import ApiError
from api.http.personas import find_persona
from api.http.state import AppState
from conversations.store import Conversation, NotFoundError, Store, projects

COOKIE = "llm_assistant_session"


def session_cookie(request: Request) -> str | None:
    """The session's id in the caller's cookie, or None."""
    return request.cookies.get(COOKIE) or None


def set_session_cookie(request: Request, response: Response, session_id: str) -> None:
    """Have a browser send this id until it is closed; no script of a page can read it."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, session_id, httponly=True, samesite="lax", secure=secure)


def find_session(
    store: Store, session_id: str | None, cookie: str | None, project_id: str | None = None
) -> Conversation | None:
    """The session of this id, else of the cookie; None for a new one, as where the cookie's is not of this project.

    Raises ApiError 404 for an unknown id, 400 for a session that is not of this project.
    """
    found_id = session_id or cookie
    if found_id is None:
        return None
    try:
        found = store.get(found_id)
    except NotFoundError:
        if session_id is None:
            return None
    else:
        if project_id not in (None, found.project_id):
            _check_unnamed(session_id)
            return None
        return found
    raise ApiError(
        404,
        f"There is no session {session_id!r} of yours. Leave session_id out, and a new one begins.",
        code="session_not_found",
        param="session_id",
    )


def _check_unnamed(session_id: str | None) -> None:
    """Raises ApiError 400 where the session was named."""
    if session_id is not None:
        raise ApiError(
            400,
            f"project: session {session_id!r} is not in it. Leave one of the two out, or move it: "
            "PUT /projects/{project_id}/sessions/{session_id}.",
            code="project_differs",
            param="project",
        )


async def answering_backend(state: AppState, store: Store, session_id: str | None, project_id: str | None) -> str:
    """What answers in this session, or in a new one of this project, else by default.

    Raises ApiError 503 where what a project names cannot answer, NotFoundError for a project of somebody else.
    """
    chosen = await run_in_threadpool(_chosen_backend, store, session_id, project_id)
    if chosen is None:
        return state.default_backend()
    offered = chosen in state.models or chosen in await run_in_threadpool(state.local_models)
    problem = await run_in_threadpool(backends.availability_error, chosen, state.settings) if offered else "not offered"
    if problem is not None:
        text = f"The project's model {chosen}: {problem}. Name another: PATCH /projects/{{project_id}}."
        raise ApiError(503, text, code="backend_unavailable")
    return chosen


def _chosen_backend(store: Store, session_id: str | None, project_id: str | None) -> str | None:
    if session_id is not None:
        with suppress(NotFoundError):  # whoever begins the reply says so
            found = store.get(session_id)
            if project_id in (None, found.project_id):
                return projects.effective(store, found).backend
    return None if project_id is None else projects.get(store, project_id).backend


def persona_fields(store: Store, session: Conversation | None, slug: str | None) -> Mapping[str, Any]:
    """The fields that give a session this persona; none where it has it already, or none is named.

    Raises ApiError 404 for an unknown persona, and 400 where another one has spoken in the session.
    """
    if slug is None:
        return {}
    if session is not None and (session.persona or {}).get("slug") == slug:
        return {}
    fields = {"persona": find_persona(store, slug).to_dict()}
    if session is not None and session.head is not None:
        raise ApiError(
            400,
            f"persona={slug}: this session talks as {_name(session)}. POST /reset first, or begin another session.",
            code="persona_differs",
            param="persona",
        )
    return fields


def _name(session: Conversation) -> str:
    return repr(session.persona["slug"]) if session.persona else "nobody in particular"
