"""`POST /predict` and `POST /reset`, as the source systems' users call them: a text in, a reply out, and a session.

Knows sessions and replies; nothing of how a reply is made.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.concurrency import run_in_threadpool

from api.http import state
from api.http.auth import Mine
from api.http.body import body
from api.http.errors import Problem, documented
from api.http.jobs import Work
from api.http.sources import EXAMPLE, Cited, cited
from api.http.state import Here, Setup
from api.predict import schemas as bodies
from api.predict import session
from api.predict.attachments import attached
from api.predict.schemas import Asked, Reset
from conversations.replies import turn, watch
from conversations.replies.generation import GenerationRequest, stream_completion
from conversations.replies.reply import Reply
from conversations.store import text
from conversations.store.store import Store

router = APIRouter(tags=["predict"])
SHOWN: dict[str, JsonValue] = {
    "reply": "I am fine, thank you!", "session_id": bodies.SHOWN, "backend": "llamacpp",
    "model": "model-f16.gguf", "prompt_tokens": 21, "completion_tokens": 7, "stop_reason": "stop", "dropped_turns": 0,
    "sources": [EXAMPLE],
}  # fmt: skip


class Predicted(BaseModel):
    """The reply and what stands beside it; `session_id` is null where a text was completed.

    `sources` are the passages of the session's documents that the model read, best first.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    reply: str
    session_id: str | None
    backend: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    stop_reason: str | None
    dropped_turns: int
    sources: list[Cited]


class Emptied(BaseModel):
    """The session that begins anew; null where the caller had none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": bodies.SHOWN}]})

    session_id: str | None


PROBLEMS = documented(400, 401, 404, 408, 413, 429, 500, 502, 503, 504)


@router.post("/predict", responses=PROBLEMS, openapi_extra=bodies.ASKED)
async def predict(
    here: Here, store: Mine, asked: Annotated[Asked, Depends(bodies.asked)], request: Request, response: Response
) -> Predicted:
    """Answer a text. A session remembers what was said before; turns that no longer fit are dropped and counted.

    Files in a form stay with the session, and its replies are made from what fits the question in them.
    """
    said = asked.said
    ask = GenerationRequest(here.settings, state.backend(here), said.options())
    if (said.mode or here.knobs.predict_mode) == "complete":
        return await complete(here, asked, ask, request)
    cookie = session.sent(request)
    threads = here.reading if asked.files else None
    begin = partial(say, here, store, asked, cookie, ask)
    work, identity = await Work.written(here, ask.backend, begin, threads)
    if identity not in {said.session_id, cookie}:
        session.remember(request, response, identity)
    return await answered(work, request, identity)


async def complete(here: Setup, asked: Asked, ask: GenerationRequest, request: Request) -> Predicted:
    """Go on with the text; nothing is kept."""
    given = {"session_id": asked.said.session_id, "persona": asked.said.persona, "files": asked.files or None}
    for name in (name for name, value in given.items() if value is not None):
        raise Problem(400, f"{name}: a text that is completed has none. Leave it out, or send mode=chat.",
                      code="invalid_value", param=name)  # fmt: skip
    before = text.message(asked.said.text)
    work = Work(here, ask.backend, [lambda: Reply(lambda reply: stream_completion(before, ask, reply))])
    return await answered(work, request, None)


def say(here: Setup, store: Store, asked: Asked, cookie: str | None, ask: GenerationRequest) -> tuple[str, Reply]:
    """Put the text into its session, or a new one; its id, and the reply on its way. A refusal changes no session."""
    said = asked.said
    text.message(said.text)
    talk = session.found(store, said.session_id, cookie)
    new = session.talking(store, talk, said.persona)
    if not asked.files:
        return spoken(store, talk.id if talk else None, said.text, ask, new)
    with attached(store, talk, asked.files, here.documents, new) as identity:
        return spoken(store, identity, said.text, ask, new if talk else {})


def spoken(
    store: Store, identity: str | None, said: str, ask: GenerationRequest, new: Mapping[str, Any]
) -> tuple[str, Reply]:
    """The same, once all is known to be right."""
    if identity is not None and new:
        store.change(identity, **new)
    row, reply = turn.start_turn(store, identity, said, ask, new)
    return row.conversation_id, reply


async def answered(work: Work, request: Request, identity: str | None) -> Predicted:
    """The whole reply. Raises Problem as Work does."""
    await work.over(request)
    reply = work.replies[0]
    figures: dict[str, Any] = {name: value for name, value in reply.report.summary().items() if name in SHOWN}
    sources = cited(reply.report.passages)
    return Predicted(reply=reply.text, session_id=identity, sources=sources, **figures)


@router.post("/reset", responses=documented(400, 401, 404, 408, 413, 429, 500, 503), openapi_extra=bodies.NAMED)
async def reset(store: Mine, asked: Annotated[Reset, Depends(body(Reset, b"{}"))], request: Request) -> Emptied:
    """End a session's memory: what was said is deleted, and its id goes on as a new session's."""
    return Emptied(session_id=await run_in_threadpool(forget, store, asked.session_id, session.sent(request)))


def forget(store: Store, given: str | None, cookie: str | None) -> str | None:
    """The id of the emptied session."""
    talk = session.found(store, given, cookie)
    if talk is None:
        return None
    watch.stop_all(store, talk.id)
    store.empty(talk.id)
    return talk.id
