"""`POST /predict/answer-now`: the reply of a session that thinks ends that, and answers. Knows sessions; no model."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.body import json_body
from api.http.errors import ApiError, error_responses
from api.predict import session
from api.predict.schemas import RESET_BODY, SESSION_EXAMPLE, ResetRequest
from conversations.replies import watch
from conversations.store import MessageError, Store

router = APIRouter(tags=["predict"])


class AnswerNowResponse(BaseModel):
    """The session whose reply answers now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": SESSION_EXAMPLE}]})

    session_id: str


@router.post(
    "/predict/answer-now", responses=error_responses(400, 401, 404, 408, 409, 413, 429, 503), openapi_extra=RESET_BODY
)
async def answer_now(
    store: OwnerStore, body: Annotated[ResetRequest, Depends(json_body(ResetRequest, b"{}"))], request: Request
) -> AnswerNowResponse:
    """End the thinking of a session's running reply within one token; its answer follows where it is awaited.

    Only a model of the server's own process can be told so; 409 says where nothing thinks, or a server does.
    """
    found_id = await run_in_threadpool(end_thinking, store, body.session_id, session.session_cookie(request))
    return AnswerNowResponse(session_id=found_id)


def end_thinking(store: Store, session_id: str | None, cookie: str | None) -> str:
    """Have the newest running reply of a session answer; returns the session's id. Raises ApiError 404 and 409."""
    conversation = session.find_session(store, session_id, cookie)
    running = [] if conversation is None else watch.running_in(store, conversation.id)
    if conversation is None or not running:
        raise ApiError(409, "No reply of this session is running.", code="not_thinking")
    try:
        watch.answer_now(store, running[-1])
    except MessageError as error:
        raise ApiError(409, str(error), code="not_thinking") from error
    return conversation.id
