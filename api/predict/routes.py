"""`POST /predict` and `POST /reset`, as the source systems' users call them: a text in, a reply out, and a session.

Knows sessions and replies; nothing of how a reply is made.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.http.attachments import attach_files
from api.http.auth import ANONYMOUS, OwnerStore
from api.http.body import json_body
from api.http.errors import ApiError, error_responses
from api.http.jobs import Job
from api.http.pictures import read_pictures
from api.http.sse import EventStream
from api.http.state import AppState, StateDep
from api.predict import answer_now, calls, session
from api.predict import schemas as bodies
from api.predict.calls import ANSWER_BODY, AnswerRequest, check_session, check_tools, conversation_of_call
from api.predict.response import STREAM, PredictResponse, Turn, respond, still_waiting
from api.predict.schemas import PredictInput, ResetRequest
from conversations.replies import GenerationRequest, Reply, approval, steering, stream_completion, turn, watch
from conversations.store import Message, Store, check_message
from documents.pictures.picture import Picture

router = APIRouter(tags=["predict"])
router.include_router(calls.router)
router.include_router(answer_now.router)


class ResetResponse(BaseModel):
    """The session that was emptied; null where the caller had none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": bodies.SESSION_EXAMPLE}]})

    session_id: str | None


ERRORS = error_responses(400, 401, 404, 408, 413, 429, 500, 502, 503, 504)


@router.post(
    "/predict", response_model=PredictResponse, responses={**ERRORS, **STREAM}, openapi_extra=bodies.PREDICT_BODY
)
async def predict(
    state: StateDep,
    store: OwnerStore,
    body: Annotated[PredictInput, Depends(bodies.predict_input)],
    request: Request,
    response: Response,
) -> Any:
    """Answer a text. A session remembers what was said before; turns that no longer fit are dropped and counted.

    Files in a form stay with the session, and its replies are made from what fits the question in them; pictures are
    shown to the model, which has to be one that sees.
    """
    options = body.request.options()
    if (body.request.mode or state.api.predict_mode) == "complete":
        generation = GenerationRequest(state.settings, state.default_backend(), options)
        return await complete(state, body, generation, request)
    cookie = session.session_cookie(request)
    backend = await session.answering_backend(state, store, body.request.session_id or cookie, body.request.project)
    generation = GenerationRequest(state.settings, backend, options)
    start = partial(start_reply, state, store, body, cookie, generation)
    threads = state.readers if body.files else state.picture_readers if body.pictures else None
    job, row = await Job.start_in_thread(state, generation.backend, start, threads)
    session_id = row.conversation_id
    asked = Turn(session_id, body.request.text, partial(store.calls, row.id))
    answer = await respond(job, request, asked, bool(body.request.stream))
    if session_id not in {body.request.session_id, cookie}:
        session.set_session_cookie(request, answer if isinstance(answer, Response) else response, session_id)
    return answer


async def complete(
    state: AppState, body: PredictInput, generation: GenerationRequest, request: Request
) -> PredictResponse | EventStream:
    """The continuation of a text; nothing is kept. Raises ApiError 400 for what belongs to a session."""
    asked = body.request
    chat_fields: dict[str, object] = {"session_id": asked.session_id, "persona": asked.persona, "tools": asked.tools}
    chat_fields |= {"reasoning_effort": asked.reasoning_effort, "project": asked.project}
    chat_fields |= {"files": body.files or None, "pictures": body.pictures or None}
    for name in (name for name, value in chat_fields.items() if value is not None):
        text = f"{name}: a text that is completed has none. Leave it out, or send mode=chat."
        raise ApiError(400, text, code="invalid_value", param=name)
    prompt = check_message(body.request.text)
    job = Job(state, generation.backend, [lambda: Reply(lambda reply: stream_completion(prompt, generation, reply))])
    return await respond(job, request, Turn(None, prompt), bool(body.request.stream))


def start_reply(
    state: AppState, store: Store, body: PredictInput, cookie: str | None, generation: GenerationRequest
) -> tuple[Message, Reply]:
    """Add the text to its session, or to a new one; returns the reply's row and the reply. A refusal changes nothing.

    Raises MessageError, ApiError 400, 404 and 413, DocumentError, and ModelError kinds where how much to think is set,
    or pictures are shown to a model that cannot see.
    """
    message = check_message(body.request.text)
    conversation = session.find_session(store, body.request.session_id, cookie, body.request.project)
    fields = dict(session.persona_fields(store, conversation, body.request.persona))
    if body.request.tools is not None:
        fields["tools"] = check_tools(state.settings, body.request.tools)
    if conversation is None and body.request.project is not None:
        fields["project_id"] = body.request.project
    if body.request.whole is not None:
        fields["whole"] = body.request.whole
    if (effort := body.request.reasoning_effort) is not None:
        fields["reasoning_effort"] = None if effort == steering.USUAL else effort
        if effort != steering.USUAL:
            steering.check_effort(state.settings, generation.backend, effort)
    session_id = conversation.id if conversation else None
    shown = read_pictures(state, generation.backend, body.pictures)
    if not body.files:
        return send(store, session_id, message, generation, fields, shown)
    with attach_files(store, session_id, body.files, state.document_limits, fields) as attached_id:
        return send(store, attached_id, message, generation, fields if conversation else {}, shown)


def send(
    store: Store,
    session_id: str | None,
    message: str,
    generation: GenerationRequest,
    fields: Mapping[str, Any],
    pictures: Sequence[Picture],
) -> tuple[Message, Reply]:
    """Set the fields of a session, or begin one with them, and start a reply in it; returns its row and the reply."""
    if session_id is not None and fields:
        store.update(session_id, **fields)
    return turn.start_turn(store, session_id, message, generation, fields, pictures)


@router.post(
    "/predict/calls/{number}",
    response_model=PredictResponse,
    responses={**ERRORS, **error_responses(409), **STREAM},
    openapi_extra=ANSWER_BODY,
)
async def answer_call(
    state: StateDep,
    store: OwnerStore,
    number: Annotated[int, Path(ge=1, lt=2**31)],
    body: Annotated[AnswerRequest, Depends(json_body(AnswerRequest))],
    request: Request,
) -> Any:
    """Answer a call that waits; once none of its reply waits any more the same reply goes on, and is the response.

    The first answer counts, wherever it is given; every later one is refused with 409.
    """
    named = body.session_id or (session.session_cookie(request) if store.owner == ANONYMOUS else None)
    await run_in_threadpool(check_session, store, number, named)
    session_id = await run_in_threadpool(conversation_of_call, store, number)
    generation = GenerationRequest(state.settings, await session.answering_backend(state, store, session_id, None))
    start = partial(approval.answer, store, number, body.decision, "api", generation)
    job, row = await Job.start_in_thread(state, generation.backend, start)
    asked = Turn(row.conversation_id, "", partial(store.calls, row.id))
    if not job.replies:
        job.close()
        return await still_waiting(row, asked)
    return await respond(job, request, asked, bool(body.stream))


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


def forget(store: Store, session_id: str | None, cookie: str | None) -> str | None:
    """Empty a session; returns its id, or None where there is none. Raises ApiError 404."""
    conversation = session.find_session(store, session_id, cookie)
    if conversation is None:
        return None
    watch.stop_all(store, conversation.id)
    store.clear(conversation.id)
    return conversation.id
