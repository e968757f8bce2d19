"""`POST /predict` and `POST /reset`, as the source systems' users call them: a text in, a reply out, and a session.

Knows sessions and replies; nothing of how a reply is made.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.concurrency import run_in_threadpool

from api.http.attachments import attach_files
from api.http.auth import OwnerStore
from api.http.body import json_body
from api.http.errors import ApiError, error_responses
from api.http.jobs import Job
from api.http.sources import EXAMPLE, Citation, to_citations
from api.http.state import AppState, StateDep
from api.predict import schemas as bodies
from api.predict import session
from api.predict.schemas import PredictInput, ResetRequest
from conversations.replies import GenerationRequest, Reply, stream_completion, turn, watch
from conversations.store import Store, check_message

router = APIRouter(tags=["predict"])
PREDICT_EXAMPLE: dict[str, JsonValue] = {
    "reply": "I am fine, thank you!",
    "session_id": bodies.SESSION_EXAMPLE,
    "backend": "llamacpp",
    "model": "model-f16.gguf",
    "prompt_tokens": 21,
    "completion_tokens": 7,
    "stop_reason": "stop",
    "dropped_turns": 0,
    "sources": [EXAMPLE],
}


class PredictResponse(BaseModel):
    """The reply and what stands beside it; `session_id` is null where a text was completed.

    `sources` are the passages of the session's documents that the model read, best first.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [PREDICT_EXAMPLE]})

    reply: str
    session_id: str | None
    backend: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    stop_reason: str | None
    dropped_turns: int
    sources: list[Citation]


class ResetResponse(BaseModel):
    """The session that begins anew; null where the caller had none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": bodies.SESSION_EXAMPLE}]})

    session_id: str | None


ERRORS = error_responses(400, 401, 404, 408, 413, 429, 500, 502, 503, 504)


@router.post("/predict", responses=ERRORS, openapi_extra=bodies.PREDICT_BODY)
async def predict(
    state: StateDep,
    store: OwnerStore,
    body: Annotated[PredictInput, Depends(bodies.predict_input)],
    request: Request,
    response: Response,
) -> PredictResponse:
    """Answer a text. A session remembers what was said before; turns that no longer fit are dropped and counted.

    Files in a form stay with the session, and its replies are made from what fits the question in them.
    """
    said = body.request
    ask = GenerationRequest(state.settings, state.default_backend(), said.options())
    if (said.mode or state.api.predict_mode) == "complete":
        return await complete(state, body, ask, request)
    cookie = session.session_cookie(request)
    threads = state.readers if body.files else None
    begin = partial(start_reply, state, store, body, cookie, ask)
    work, identity = await Job.start_in_thread(state, ask.backend, begin, threads)
    if identity not in {said.session_id, cookie}:
        session.set_session_cookie(request, response, identity)
    return await wait_response(work, request, identity)


async def complete(state: AppState, body: PredictInput, ask: GenerationRequest, request: Request) -> PredictResponse:
    """Go on with the text; nothing is kept."""
    given = {"session_id": body.request.session_id, "persona": body.request.persona, "files": body.files or None}
    for name in (name for name, value in given.items() if value is not None):
        raise ApiError(
            400,
            f"{name}: a text that is completed has none. Leave it out, or send mode=chat.",
            code="invalid_value",
            param=name,
        )
    before = check_message(body.request.text)
    work = Job(state, ask.backend, [lambda: Reply(lambda reply: stream_completion(before, ask, reply))])
    return await wait_response(work, request, None)


def start_reply(
    state: AppState, store: Store, body: PredictInput, cookie: str | None, ask: GenerationRequest
) -> tuple[str, Reply]:
    """Put the text into its session, or a new one; its id, and the reply on its way. A refusal changes no session."""
    said = body.request
    check_message(said.text)
    talk = session.find_session(store, said.session_id, cookie)
    new = session.persona_fields(store, talk, said.persona)
    if not body.files:
        return send(store, talk.id if talk else None, said.text, ask, new)
    with attach_files(store, talk.id if talk else None, body.files, state.document_limits, new) as identity:
        return send(store, identity, said.text, ask, new if talk else {})


def send(
    store: Store, identity: str | None, said: str, ask: GenerationRequest, new: Mapping[str, Any]
) -> tuple[str, Reply]:
    """The same, once all is known to be right."""
    if identity is not None and new:
        store.update(identity, **new)
    row, reply = turn.start_turn(store, identity, said, ask, new)
    return row.conversation_id, reply


async def wait_response(work: Job, request: Request, identity: str | None) -> PredictResponse:
    """The whole reply. Raises ApiError as Work does."""
    await work.wait(request)
    reply = work.replies[0]
    figures: dict[str, Any] = {name: value for name, value in reply.report.summary().items() if name in PREDICT_EXAMPLE}
    sources = to_citations(reply.report.passages)
    return PredictResponse(reply=reply.text, session_id=identity, sources=sources, **figures)


@router.post(
    "/reset", responses=error_responses(400, 401, 404, 408, 413, 429, 500, 503), openapi_extra=bodies.RESET_BODY
)
async def reset(
    store: OwnerStore, body: Annotated[ResetRequest, Depends(json_body(ResetRequest, b"{}"))], request: Request
) -> ResetResponse:
    """End a session's memory: what was said is deleted, and its id goes on as a new session's."""
    return ResetResponse(
        session_id=await run_in_threadpool(forget, store, body.session_id, session.session_cookie(request))
    )


def forget(store: Store, given: str | None, cookie: str | None) -> str | None:
    """The id of the emptied session."""
    talk = session.find_session(store, given, cookie)
    if talk is None:
        return None
    watch.stop_all(store, talk.id)
    store.clear(talk.id)
    return talk.id
