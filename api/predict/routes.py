"""`POST /predict` and `POST /reset`, as the source systems' users call them: a text in, a reply out, and a session.

Knows sessions and replies; nothing of how a reply is made.
"""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool

from api.http.attachments import attach_files
from api.http.auth import OwnerStore
from api.http.body import json_body
from api.http.errors import ApiError, error_responses
from api.http.jobs import Job
from api.http.sources import MENTIONED_EXAMPLE, MentionedCitation, mentioned_citations
from api.http.sse import DONE, EventStream, event_stream_response, merge_pieces, sse_event, with_error_event
from api.http.state import AppState, StateDep
from api.predict import schemas as bodies
from api.predict import session
from api.predict.schemas import PredictInput, PredictRequest, ResetRequest
from conversations.replies import GenerationRequest, Reply, excess_note, stream_completion, turn, watch
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
    "sources": [MENTIONED_EXAMPLE],
}


class PredictResponse(BaseModel):
    """A reply and its report; `session_id` is null where a text was completed.

    `sources` are the passages of the session's documents that the model read, best first, with the places where the
    reply names them. `notice` stands there only
    where the reader has to know something of the reply: that a server read less than it was sent.
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
    sources: list[MentionedCitation]
    notice: str | None = Field(None, exclude_if=lambda notice: notice is None)


class ResetResponse(BaseModel):
    """The session that was emptied; null where the caller had none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": bodies.SESSION_EXAMPLE}]})

    session_id: str | None


ERRORS = error_responses(400, 401, 404, 408, 413, 429, 500, 502, 503, 504)


STREAM = event_stream_response('{"delta":"I am"}', '{"reply":"I am fine, thank you!", …}')


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

    Files in a form stay with the session, and its replies are made from what fits the question in them.
    """
    generation = GenerationRequest(state.settings, state.default_backend(), body.request.options())
    if (body.request.mode or state.api.predict_mode) == "complete":
        return await complete(state, body, generation, request)
    cookie = session.session_cookie(request)
    start = partial(start_reply, state, store, body, cookie, generation)
    threads = state.readers if body.files else None
    job, session_id = await Job.start_in_thread(state, generation.backend, start, threads)
    answer = await respond(job, request, session_id, body.request)
    if session_id not in {body.request.session_id, cookie}:
        session.set_session_cookie(request, answer if isinstance(answer, Response) else response, session_id)
    return answer


async def complete(
    state: AppState, body: PredictInput, generation: GenerationRequest, request: Request
) -> PredictResponse | EventStream:
    """The continuation of a text; nothing is kept. Raises ApiError 400 for what belongs to a session."""
    chat_fields = {"session_id": body.request.session_id, "persona": body.request.persona, "files": body.files or None}
    for name in (name for name, value in chat_fields.items() if value is not None):
        text = f"{name}: a text that is completed has none. Leave it out, or send mode=chat."
        raise ApiError(400, text, code="invalid_value", param=name)
    prompt = check_message(body.request.text)
    job = Job(state, generation.backend, [lambda: Reply(lambda reply: stream_completion(prompt, generation, reply))])
    return await respond(job, request, None, body.request)


def start_reply(
    state: AppState, store: Store, body: PredictInput, cookie: str | None, generation: GenerationRequest
) -> tuple[str, Reply]:
    """Add the text to its session, or to a new one; returns the session's id and the reply. A refusal changes nothing.

    Raises MessageError, ApiError 400, 404 and 413, DocumentError.
    """
    message = check_message(body.request.text)
    conversation = session.find_session(store, body.request.session_id, cookie)
    fields = dict(session.persona_fields(store, conversation, body.request.persona))
    if body.request.whole is not None:
        fields["whole"] = body.request.whole
    session_id = conversation.id if conversation else None
    if not body.files:
        return send(store, session_id, message, generation, fields)
    with attach_files(store, session_id, body.files, state.document_limits, fields) as attached_id:
        return send(store, attached_id, message, generation, fields if conversation else {})


def send(
    store: Store, session_id: str | None, message: str, generation: GenerationRequest, fields: Mapping[str, Any]
) -> tuple[str, Reply]:
    """Set the fields of a session, or begin one with them, and start a reply in it; returns its id and the reply."""
    if session_id is not None and fields:
        store.update(session_id, **fields)
    row, reply = turn.start_turn(store, session_id, message, generation, fields)
    return row.conversation_id, reply


async def respond(
    job: Job, request: Request, session_id: str | None, asked: PredictRequest
) -> PredictResponse | EventStream:
    """The response with the whole reply, or the events of a stream. Raises ApiError as `Job.wait` does."""
    if asked.stream:
        await job.wait_first(request)
        return EventStream(with_error_event(reply_events(job, session_id, asked.text)), job)
    await job.wait(request)
    return to_response(job.replies[0], session_id, asked.text)


async def reply_events(job: Job, session_id: str | None, question: str) -> AsyncIterator[str]:
    """The events of a streamed reply: its pieces, then what the whole response says, then `[DONE]`. Raises ApiError."""
    async for _, piece in merge_pieces(job):
        if piece:
            yield sse_event({"delta": piece})
    yield sse_event(to_response(job.replies[0], session_id, question).model_dump(mode="json"))
    yield DONE


def to_response(reply: Reply, session_id: str | None, question: str) -> PredictResponse:
    """The response with a reply that has ended."""
    report = {name: value for name, value in reply.report.summary().items() if name in PREDICT_EXAMPLE}
    sources = mentioned_citations(reply.text, reply.report, question)
    notice = excess_note(reply.report) or reply.report.notice
    return PredictResponse(reply=reply.text, session_id=session_id, sources=sources, notice=notice, **report)


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
