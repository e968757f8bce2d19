"""`POST /v1/chat/completions/control`: a completion that is being streamed ends its thinking, as llama-server has it.

Knows the replies that this process makes for a caller; no form of an answer.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.http.auth import OwnerStore
from api.http.body import json_body, json_body_schema
from api.http.errors import error_responses
from api.http.state import AppState, StateDep
from conversations.replies import Reply, watch
from conversations.store import MessageError

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class ControlRequest(BaseModel):
    """What is to become of a completion that is being streamed; `id` is that of its chunks."""

    id: str = Field(min_length=1, max_length=100)
    action: Literal["reasoning_end"]
    model: Any = Field(None, description="no answer depends on it")


class ControlAnswer(BaseModel):
    """Whether it was done, and why not."""

    success: bool
    message: str | None = Field(None, exclude_if=lambda value: value is None)


EXAMPLE = {"answer now": {"id": "chatcmpl-0ad02558a60a5f4c02e70835", "action": "reasoning_end"}}


def register(state: AppState, owner: str, identity: str, replies: list[Reply]) -> None:
    """Have these replies, of a completion with this id, be found as long as they are made."""
    for number, reply in enumerate(replies):
        state.replies[owner, f"{identity}/{number}"] = reply


def _running(state: AppState, owner: str, identity: str) -> Iterator[Reply]:
    number = 0
    while (reply := state.replies.get((owner, f"{identity}/{number}"))) is not None:
        number += 1
        if reply.running:
            yield reply


@router.post(
    "/chat/completions/control",
    responses=error_responses(400, 408, 413),
    openapi_extra=json_body_schema(ControlRequest, **EXAMPLE),
)
def control(
    state: StateDep, store: OwnerStore, body: Annotated[ControlRequest, Depends(json_body(ControlRequest))]
) -> ControlAnswer:
    """End the thinking of a completion within one token; the answer follows in its stream.

    Only the process that makes the completion can be asked, and only for a model of its own.
    """
    found, told = list(_running(state, store.owner, body.id)), list[str]()
    for reply in found:
        try:
            watch.end_thinking(reply)
        except MessageError as error:
            told.append(str(error))
    if found and len(told) < len(found):
        return ControlAnswer(success=True)
    return ControlAnswer(success=False, message=next(iter(told), "No such completion is being made here."))
