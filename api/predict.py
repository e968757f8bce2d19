"""`POST /predict` and `POST /reset`, as the source systems' users call them: a text in, a reply out, and a session.

Knows sessions and replies; nothing of how a reply is made.
"""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool

from api import session, setup
from api.body import body, documented
from api.caller import Mine
from api.error import Problem
from api.error import documented as failures
from api.sampling import Sampling
from api.setup import Here, Setup
from api.work import Work
from conversations import text, turn, watch
from conversations.answer import Ask, continued
from conversations.reply import Reply
from conversations.store import Store

router = APIRouter(tags=["predict"])
SESSION = "the session's id; without one the session of the cookie, or a new one"
SHOWN: dict[str, JsonValue] = {
    "reply": "I am fine, thank you!", "session_id": "pQ4Xw2mZ0sB7tKcN1yVd9A", "backend": "llamacpp",
    "model": "model-f16.gguf", "prompt_tokens": 21, "completion_tokens": 7, "stop_reason": "stop", "dropped_turns": 0,
}  # fmt: skip


def beside(name: str) -> dict[str, JsonValue]:
    """What does not go together, as JSON Schema says it: mode=complete and this field."""
    return {"properties": {"mode": {"const": "complete"}, name: {"type": "string"}}, "required": ["mode", name]}


class Predict(Sampling):
    """A text to be answered, or continued."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"not": {"anyOf": [beside("session_id"), beside("persona")]}}
    )

    text: str = Field(
        description="what you say, or with mode=complete the text to go on with",
        json_schema_extra={"minLength": 1, "maxLength": text.LONGEST, "pattern": r"\S"},
    )
    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)
    persona: str | None = Field(None, min_length=1, max_length=80, description="who answers in a new session: a slug")
    mode: Literal["chat", "complete"] | None = Field(
        None, description="chat answers within a session, complete goes on with the text; unset: PREDICT_MODE"
    )


class Predicted(BaseModel):
    """The reply and what stands beside it; `session_id` is null where a text was completed."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    reply: str
    session_id: str | None
    backend: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    stop_reason: str | None
    dropped_turns: int


class Reset(BaseModel):
    """Which session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)


class Emptied(BaseModel):
    """The session that begins anew; null where the caller had none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": SHOWN["session_id"]}]})

    session_id: str | None


ASKED = documented(
    Predict,
    text={"text": "Data Science is"},
    session={"text": "And what do you like?", "session_id": SHOWN["session_id"], "temperature": 0.7},
    persona={"text": "Who are you?", "persona": "beekeeper"},
    complete={"text": "Once upon a time", "mode": "complete", "max_tokens": 40, "seed": 1},
)
NAMED = documented(Reset, cookie={}, session={"session_id": SHOWN["session_id"]})
NAMED["requestBody"]["required"] = False
PROBLEMS = failures(400, 401, 404, 408, 413, 429, 500, 502, 503, 504)


@router.post("/predict", responses=PROBLEMS, openapi_extra=ASKED)
async def predict(
    here: Here, store: Mine, asked: Annotated[Predict, Depends(body(Predict))], request: Request, response: Response
) -> Predicted:
    """Answer a text. A session remembers what was said before; turns that no longer fit are dropped and counted."""
    ask = Ask(here.settings, setup.backend(here), asked.options())
    if (asked.mode or here.knobs.predict_mode) == "complete":
        return await complete(here, asked, ask, request)
    cookie = session.sent(request)
    work, identity = await Work.written(here, ask.backend, partial(say, store, asked, cookie, ask))
    if identity not in {asked.session_id, cookie}:
        session.remember(request, response, identity)
    return await answered(work, request, identity)


async def complete(here: Setup, asked: Predict, ask: Ask, request: Request) -> Predicted:
    """Go on with the text; nothing is kept."""
    for name in ("session_id", "persona"):
        if getattr(asked, name) is not None:
            raise Problem(400, f"{name}: a text that is completed has none. Leave it out, or send mode=chat.",
                          code="invalid_value", param=name)  # fmt: skip
    before = text.message(asked.text)
    work = Work(here, ask.backend, [lambda: Reply(lambda reply: continued(before, ask, reply))])
    return await answered(work, request, None)


def say(store: Store, asked: Predict, cookie: str | None, ask: Ask) -> tuple[str, Reply]:
    """Put the text into its session, or a new one; its id, and the reply on its way."""
    text.message(asked.text)  # a text that cannot be sent changes no session
    talk = session.found(store, asked.session_id, cookie)
    new = session.talking(store, talk, asked.persona)
    row, reply = turn.begin(store, talk.id if talk else None, asked.text, ask, new)
    return row.conversation_id, reply


async def answered(work: Work, request: Request, identity: str | None) -> Predicted:
    """The whole reply. Raises Problem as Work does."""
    await work.over(request)
    reply = work.replies[0]
    figures: dict[str, Any] = {name: value for name, value in reply.report.summary().items() if name in SHOWN}
    return Predicted(reply=reply.text, session_id=identity, **figures)


@router.post("/reset", responses=failures(400, 401, 404, 408, 413, 429, 500, 503), openapi_extra=NAMED)
async def reset(store: Mine, asked: Annotated[Reset, Depends(body(Reset, b"{}"))], request: Request) -> Emptied:
    """End a session's memory: what was said is deleted, and its id goes on as a new session's."""
    return Emptied(session_id=await run_in_threadpool(forget, store, asked.session_id, session.sent(request)))


def forget(store: Store, given: str | None, cookie: str | None) -> str | None:
    """The id of the emptied session."""
    talk = session.found(store, given, cookie)
    if talk is None:
        return None
    watch.hush(store, talk.id)
    store.empty(talk.id)
    return talk.id
