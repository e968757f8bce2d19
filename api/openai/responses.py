"""`POST /v1/responses` in its basic text form. No response is kept, so none can be gone on with by its id."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from langchain_core.messages import BaseMessage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.http.body import body
from api.http.body import documented as shown
from api.http.errors import Problem, documented
from api.http.jobs import Stream
from api.http.state import Here
from api.openai import models
from api.openai.choices import Choices, begin, finish
from api.openai.message import Content, Role, plain
from api.openai.request import Count, Nothing, Off, Only, Order, Unset
from api.openai.response import OutputMessage, OutputText, Response, closing, opening, place
from api.openai.sse import MARK, pieces, streamed

router = APIRouter(prefix="/v1", tags=["OpenAI"])


def _message(value: Any) -> Any:
    """Raises PydanticCustomError for an item that is no message."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "message":
        raise PydanticCustomError(
            "unsupported_parameter", "Only messages are read here, not {kind}.", {"kind": kind[:100]}
        )
    return value


class Item(BaseModel):
    """A message, also one of an earlier response."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["message"] | None = None
    role: Role
    content: Content
    id: str | None = None
    phase: str | None = None
    status: str | None = None


class TextOptions(BaseModel):
    """Plain text, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Annotated[Any, Only(({"type": "text"},))] = None
    verbosity: str | None = Field(None, description="ignored")


class Respond(Order):
    """A text or a chat to answer."""

    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[Item, BeforeValidator(_message)]], Field(min_length=1)]
    )
    instructions: str | None = Field(None, description="what stands before the input, as the system's")
    max_output_tokens: Count | None = Field(None, description="the same as max_tokens, and goes before it")
    text: TextOptions | None = None

    reasoning: dict[str, Any] | None = Field(None, description="ignored")
    store: bool | None = Field(None, description="ignored: nothing is kept")

    background: Off = None
    context_management: Nothing = None
    conversation: Unset = None
    include: Nothing = None
    max_tool_calls: Unset = None
    previous_response_id: Unset = None
    prompt: Unset = None
    tool_choice: Annotated[Any, Only(("none", "auto"))] = None
    truncation: Annotated[Any, Only(("disabled",))] = None

    def options(self) -> dict[str, Any]:
        """With this route's name of max_tokens."""
        newer = {} if self.max_output_tokens is None else {"max_tokens": self.max_output_tokens}
        return {**super().options(), **newer}

    def messages(self) -> list[BaseMessage]:
        """For the chain."""
        before = [plain("system", self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return [*before, plain("user", self.input)]
        return [*before, *(plain(item.role, item.content) for item in self.input)]


EXAMPLES = {
    "text": {"model": "default", "input": "hi, how are you?", "max_output_tokens": 40},
    "streamed": {
        "model": "default",
        "instructions": "You are a friendly assistant.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "What do you like?"}]}],
        "stream": True,
    },
}


@router.post(
    "/responses",
    response_model=Response,
    responses={**documented(400, 404, 408, 413, 500, 502, 503, 504), **streamed("response")},
    openapi_extra=shown(Respond, **EXAMPLES),
)
async def responses(here: Here, request: Request, order: Annotated[Respond, Depends(body(Respond))]) -> Any:
    """The answer to a text or a chat."""
    backend = await models.find(here, order.model)
    choices = begin(here, backend, [order.messages()], order)
    if order.stream:
        await choices.work.begun(request)
        return Stream(events(order, choices), choices.work)
    await choices.work.over(request)
    return ended(started(order), f"msg_{secrets.token_hex(12)}", choices)


def started(order: Respond) -> Response:
    """The response before its text."""
    return Response(
        id=f"resp_{secrets.token_hex(12)}", created_at=int(time.time()), model=order.model,
        instructions=order.instructions, max_output_tokens=order.options().get("max_tokens"),
        metadata=order.metadata or {}, temperature=order.temperature, top_p=order.top_p,
    )  # fmt: skip


def ended(response: Response, identity: str, choices: Choices) -> Response:
    """The response with its text."""
    reply = choices.replies[0]
    why = finish(reply)
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(why)
    message = OutputMessage(
        id=identity, status="incomplete" if cut else "completed", content=[OutputText(text=reply.text)]
    )
    return response.ended(message, cut, choices.usage())


async def events(order: Respond, choices: Choices) -> AsyncIterator[str]:
    """The typed events of a streamed answer, numbered."""
    response, identity, number = started(order), f"msg_{secrets.token_hex(12)}", 0
    before, after = _delta(identity)
    for value in opening(response, identity):
        yield _event(value, number)
        number += 1
    try:
        async for _, piece in pieces(choices.work):
            if piece:
                yield f"{before}{json.dumps(piece)}{after}{number}}}\n\n"
                number += 1
        for value in closing(ended(response, identity, choices)):
            yield _event(value, number)
            number += 1
    except Problem as problem:
        shown = response.failed(problem).model_dump(mode="json")
        yield _event({"type": "response.failed", "response": shown}, number)


def _event(value: dict[str, Any], number: int) -> str:
    line = json.dumps({**value, "sequence_number": number}, separators=(",", ":"))
    return f"event: {value['type']}\ndata: {line}\n\n"


def _delta(identity: str) -> tuple[str, str]:
    """The constant parts of a piece's event: before its text, and between that and its number."""
    value = {"type": "response.output_text.delta", **place(identity), "logprobs": [], "delta": MARK}
    before, _, rest = _event(value, 0).partition(json.dumps(MARK))
    return before, rest.partition("0}")[0]
