"""A session of /predict: a conversation of the caller, known by its id or by a cookie that holds it. Knows no route."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from api.http.errors import ApiError
from api.http.personas import find_persona
from conversations.store import Conversation, NotFoundError, Store

COOKIE = "llm_assistant_session"


def session_cookie(request: Request) -> str | None:
    """The session's id in the caller's cookie, or None."""
    return request.cookies.get(COOKIE) or None


def set_session_cookie(request: Request, response: Response, session_id: str) -> None:
    """Have a browser send this id until it is closed; no script of a page can read it."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, session_id, httponly=True, samesite="lax", secure=secure)


def find_session(store: Store, session_id: str | None, cookie: str | None) -> Conversation | None:
    """The session of this id, else of the cookie; None for a new one. Raises ApiError 404 for an unknown id."""
    found_id = session_id or cookie
    if found_id is None:
        return None
    try:
        return store.get(found_id)
    except NotFoundError:
        if session_id is None:
            return None
    raise ApiError(
        404,
        f"There is no session {session_id!r} of yours. Leave session_id out, and a new one begins.",
        code="session_not_found",
        param="session_id",
    )


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
