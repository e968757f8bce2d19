"""Calls of tools in sessions of /predict: which tools there are, which calls wait, and the answer to one.

Knows sessions and calls; nothing of how a call is carried out.
"""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.auth import ANONYMOUS, OwnerStore
from api.http.body import json_body_schema
from api.http.errors import ApiError, error_responses
from api.http.state import StateDep
from api.predict.session import session_cookie
from conversations.store import CallStatus, Decision, NotFoundError, Store, ToolCall
from settings import Settings
from tools import ToolInfo, list_tools

router = APIRouter(tags=["predict"])
CALL_EXAMPLE: dict[str, JsonValue] = {
    "id": 12,
    "name": "read_page",
    "origin": "own",
    "arguments": {"url": "https://example.org/"},
    "status": "waiting",
    "result": None,
    "decided_by": None,
    "seconds": None,
    "strangers": None,
}


class Call(BaseModel):
    """A call of a tool; one whose `status` is "waiting" waits for `POST /predict/calls/{id}`.

    `arguments` are text where the model wrote no JSON. `strangers`: words of strangers that stood last in the window
    when the call was asked for, with their source.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [CALL_EXAMPLE]})

    id: int
    name: str
    origin: str
    arguments: dict[str, Any] | str
    status: CallStatus
    result: str | None
    decided_by: str | None
    seconds: float | None
    strangers: dict[str, Any] | None

    @classmethod
    def of(cls, row: ToolCall) -> "Call":
        """The call of a row."""
        try:
            arguments = json.loads(row.arguments)
        except ValueError:
            arguments = row.arguments
        return cls(
            id=row.id,
            name=row.name,
            origin=row.origin,
            arguments=arguments if isinstance(arguments, dict) else row.arguments,
            status=CallStatus(row.status),
            result=row.result,
            decided_by=row.decided_by,
            seconds=row.seconds,
            strangers=row.passage,
        )


class CallList(BaseModel):
    """The calls that wait, the oldest first."""

    data: list[Call]


TOOL_EXAMPLE: dict[str, Any] = {
    "name": "date_time",
    "title": "Date and time",
    "description": "The date and time now.",
    "origin": "own",
    "needs_approval": False,
    "problem": None,
}


class Tool(BaseModel):
    """A tool that a session may switch on by its name; `problem` says why it cannot be used now."""

    model_config = ConfigDict(json_schema_extra={"example": TOOL_EXAMPLE})

    name: str
    title: str
    description: str
    origin: str
    needs_approval: bool
    problem: str | None

    @classmethod
    def of(cls, info: ToolInfo) -> "Tool":
        """The tool of what is known of it."""
        return cls(
            name=info.name,
            title=info.title,
            description=info.description,
            origin=info.origin,
            needs_approval=info.needs_approval,
            problem=info.availability_error,
        )


class ToolList(BaseModel):
    """Every tool there is."""

    data: list[Tool]


class AnswerRequest(BaseModel):
    """The answer to a call that waits."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision = Field(description="once, always (in this session), no, or never (in this session)")
    session_id: str | None = Field(None, min_length=1, max_length=64, description="the call's; without it the cookie's")
    stream: bool | None = Field(None, description="send what the reply goes on with as server-sent events")


ANSWER_BODY = json_body_schema(AnswerRequest, once={"decision": "once"}, no={"decision": "no"})


@router.get("/predict/tools", responses=error_responses(401, 429))
def tools(state: StateDep) -> ToolList:
    """The tools that `tools` of /predict may name."""
    return ToolList(data=[Tool.of(info) for info in list_tools(state.settings)])


@router.get("/predict/calls", responses=error_responses(400, 401, 429, 503))
def calls(store: OwnerStore, request: Request, session_id: str | None = None) -> CallList:
    """The caller's calls that wait for an answer; of one session where it is named, as it has to be without a key."""
    named = session_id or (session_cookie(request) if store.owner == ANONYMOUS else None)
    if named is None and store.owner == ANONYMOUS:
        text = "session_id: where nobody needs a key a session's id is the key to it. Send it, or its cookie."
        raise ApiError(400, text, code="session_required", param="session_id")
    return CallList(data=[Call.of(row) for row in store.waiting_calls(named)])


def check_session(store: Store, number: int, session_id: str | None) -> None:
    """Raise NotFoundError for a call of another session; without a key its session has to be named."""
    if session_id is None and store.owner != ANONYMOUS:
        return
    if number not in {row.id for row in store.calls_of(session_id or "")}:
        raise NotFoundError(f"There is no call {number} of yours: send the session_id that it is of, or its cookie.")


def conversation_of_call(store: Store, number: int) -> str:
    """The session of a call. Raises NotFoundError."""
    with store.database.reading() as database:
        return store.message_row(database, store.call_row(database, number).message_id).conversation_id


def check_tools(settings: Settings, names: Sequence[str]) -> list[str]:
    """The names of tools, each once. Raises ApiError 400 for one that is not there, or cannot be used."""
    found = {info.name: info for info in list_tools(settings)}
    for name in names:
        problem = found[name].availability_error if name in found else f"there is none; there is {', '.join(found)}"
        if problem:
            raise ApiError(400, f"tools: {name}: {problem}.", code="invalid_value", param="tools")
    return list(dict.fromkeys(names))
