"""`POST /v1/chat/completions`: the reply to a chat, whole or as it comes. Nothing is added, dropped or kept."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from api.body import body
from api.body import documented as shown
from api.error import documented
from api.setup import Here
from api.v1 import models
from api.v1.choices import Choices, Finish, Usage, begin, finish
from api.v1.events import DONE, Line, event, pieces, streamed, told
from api.v1.message import Message, chain
from api.v1.order import Count, Many, Nothing, Off, Only, Unset
from api.work import Stream

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class Chat(Many):
    """A chat whose next message is wanted; a last message of the assistant's is gone on with."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: Count | None = Field(None, description="the same as max_tokens, and goes before it")

    # Wishes about a manner that no text here breaks: models without reasoning have none to shorten.
    reasoning_effort: str | None = Field(None, description="ignored")
    verbosity: str | None = Field(None, description="ignored")

    audio: Unset = None
    function_call: Annotated[Any, Only(("none",))] = None
    functions: Nothing = None
    logprobs: Off = None
    modalities: Annotated[Any, Only((["text"],))] = None
    prediction: Unset = None
    response_format: Annotated[Any, Only(({"type": "text"},))] = None
    store: Off = None
    tool_choice: Annotated[Any, Only(("none",))] = None
    web_search_options: Unset = None

    def options(self) -> dict[str, Any]:
        """With the newer name of max_tokens."""
        newer = {} if self.max_completion_tokens is None else {"max_tokens": self.max_completion_tokens}
        return {**super().options(), **newer}


class Said(BaseModel):
    """What the assistant says."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """One of the answers."""

    index: int
    message: Said
    logprobs: None = None
    finish_reason: Finish


class ChatCompletion(BaseModel):
    """The answers; `model` is the name asked for, and `system_fingerprint` tells the backend behind it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str


EXAMPLES = {
    "whole": {"model": "default", "messages": [{"role": "user", "content": "hi, how are you?"}], "max_tokens": 40},
    "streamed": {
        "model": "default",
        "messages": [
            {"role": "system", "content": "You are a friendly assistant."},
            {"role": "user", "content": "What do you like?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.7,
        "seed": 1,
    },
}


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={**documented(400, 404, 408, 413, 500, 502, 503, 504), **streamed("chat.completion.chunk")},
    openapi_extra=shown(Chat, **EXAMPLES),
)
async def chat(here: Here, request: Request, order: Annotated[Chat, Depends(body(Chat))]) -> Any:
    """The assistant's next message in a chat."""
    backend = await models.find(here, order.model)
    choices = begin(here, backend, [chain(order.messages)], order, order.n or 1)
    if order.stream:
        await choices.work.begun(request)
        return Stream(told(chunks(order, choices)), choices.work)
    await choices.work.over(request)
    answers = [
        Choice(index=number, message=Said(content=reply.text), finish_reason=finish(reply))
        for number, reply in enumerate(choices.replies)
    ]
    return ChatCompletion(**choices.head("chatcmpl", order), choices=answers, usage=choices.usage())


async def chunks(order: Chat, choices: Choices) -> AsyncIterator[str]:
    """The events of a streamed answer. Raises Problem."""
    top: dict[str, Any] = {**choices.head("chatcmpl", order), "object": "chat.completion.chunk"}
    unknown = {"usage": None} if order.usage_wanted else {}

    def chunk(number: int, delta: dict[str, str], finish: Finish | None = None) -> dict[str, Any]:
        choice = {"index": number, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**top, "choices": [choice], **unknown}

    def said(number: int, text: str) -> dict[str, Any]:
        return chunk(number, {"content": text})

    count = len(choices.replies)
    lines = [Line(partial(said, number)) for number in range(count)]
    yield "".join(event(chunk(number, {"role": "assistant", "content": ""})) for number in range(count))
    async for number, piece in pieces(choices.work):
        yield lines[number].of(piece) if piece else event(chunk(number, {}, finish(choices.replies[number])))
    if order.usage_wanted:
        yield event({**top, "choices": [], "usage": choices.usage().model_dump()})
    yield DONE
