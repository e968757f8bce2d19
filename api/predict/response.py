"""The response of /predict: a reply and what stands beside it, whole or as events. Knows no route and no session."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool

from api.http.jobs import Job
from api.http.sources import MENTIONED_EXAMPLE, MentionedCitation, mentioned_citations
from api.http.sse import DONE, EventStream, event_stream_response, merge_pieces, sse_event, with_error_event
from api.predict.calls import Call
from api.predict.schemas import SESSION_EXAMPLE
from conversations.replies import Reply, excess_note
from conversations.store import Message, State, ToolCall

STREAM = event_stream_response('{"delta":"I am"}', '{"reply":"I am fine, thank you!", …}')
PREDICT_EXAMPLE: dict[str, JsonValue] = {
    "reply": "I am fine, thank you!",
    "session_id": SESSION_EXAMPLE,
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
    status: Literal["requires_action"] | None = Field(None, exclude_if=lambda status: status is None)
    calls: list[Call] | None = Field(None, exclude_if=lambda calls: calls is None)


@dataclass(frozen=True)
class Turn:
    """What a reply answers: a question in a session, where there is one; `calls` reads those of tools in the reply."""

    session_id: str | None
    question: str
    calls: Callable[[], Sequence[ToolCall]] = list


async def respond(job: Job, request: Request, turn: Turn, stream: bool) -> PredictResponse | EventStream:
    """The response with the whole reply, or the events of a stream. Raises ApiError as `Job.wait` does."""
    if stream:
        await job.wait_first(request)
        return EventStream(with_error_event(reply_events(job, turn)), job)
    await job.wait(request)
    return await to_response(job.replies[0], turn)


async def reply_events(job: Job, turn: Turn) -> AsyncIterator[str]:
    """The events of a streamed reply: its pieces, then what the whole response says, then `[DONE]`. Raises ApiError."""
    async for _, piece in merge_pieces(job):
        if piece and isinstance(piece, str):
            yield sse_event({"delta": piece})
    ended = await to_response(job.replies[0], turn)
    yield sse_event(ended.model_dump(mode="json"))
    yield DONE


async def to_response(reply: Reply, turn: Turn) -> PredictResponse:
    """The response with a reply that has ended, or waits for a person."""
    report = {name: value for name, value in reply.report.summary().items() if name in PREDICT_EXAMPLE}
    # In a thread, since reading a long reply's words would keep all other chats waiting.
    sources = await run_in_threadpool(mentioned_citations, reply.text, reply.report, turn.question)
    calls = [Call.of(row) for row in await run_in_threadpool(turn.calls)]
    return PredictResponse(
        reply=reply.text,
        session_id=turn.session_id,
        sources=sources,
        notice=excess_note(reply.report) or reply.report.notice,
        status="requires_action" if reply.state == State.REQUIRES_ACTION else None,
        calls=calls or None,
        **report,
    )


async def still_waiting(row: Message, turn: Turn) -> PredictResponse:
    """The response with a reply of which other calls still wait."""
    calls = [Call.of(each) for each in await run_in_threadpool(turn.calls)]
    return PredictResponse(
        reply=row.text,
        session_id=turn.session_id,
        backend=row.backend,
        model=row.model,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        stop_reason=row.stop_reason,
        dropped_turns=0,
        sources=[],
        status="requires_action",
        calls=calls,
    )
