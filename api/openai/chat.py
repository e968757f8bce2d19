"""`POST /v1/chat/completions`: the reply to a chat, whole or as it comes. Nothing is added, dropped or kept."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http.auth import Mine
from api.http.body import body
from api.http.body import documented as shown
from api.http.errors import documented
from api.http.jobs import Stream
from api.http.sources import Cited
from api.http.state import Here
from api.openai import models
from api.openai.choices import Finish, Usage, begin, finish
from api.openai.chunks import chunks
from api.openai.files import Files
from api.openai.message import Message, chain
from api.openai.request import Count, Many, Nothing, Off, Only, Unset
from api.openai.sse import streamed, told
from conversations.library import files

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class Chat(Many):
    """A chat whose next message is wanted; a last message of the assistant's is gone on with."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: Count | None = Field(None, description="the same as max_tokens, and goes before it")

    files: Files | None = Field(
        None, description="ids of /v1/files to answer from; the answer then names its `sources`"
    )

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
    sources: list[Cited] | None = Field(
        None, exclude_if=lambda found: found is None, description="passages of the files, best first"
    )


OPENING = {"delta": {"role": "assistant", "content": ""}}
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
    "files": {
        "model": "default",
        "messages": [{"role": "user", "content": "When was the lighthouse built?"}],
        "files": ["file-pQ4Xw2mZ0sB7tKcN1yVd9A"],
    },
}


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={**documented(400, 404, 408, 413, 500, 502, 503, 504), **streamed("chat.completion.chunk")},
    openapi_extra=shown(Chat, **EXAMPLES),
)
async def chat(here: Here, store: Mine, request: Request, order: Annotated[Chat, Depends(body(Chat))]) -> Any:
    """The assistant's next message in a chat, made from files where some are named."""
    backend = await models.find(here, order.model)
    found = None if order.files is None else await run_in_threadpool(files.among, store, order.files)
    choices = begin(here, backend, [chain(order.messages)], order, order.n or 1, found)
    if order.stream:
        await choices.work.begun(request)
        top = {**choices.head("chatcmpl", order), "object": "chat.completion.chunk"}
        return Stream(told(chunks(order, choices, top, delta, OPENING)), choices.work)
    await choices.work.over(request)
    answers = [
        Choice(index=number, message=Said(content=reply.text), finish_reason=finish(reply))
        for number, reply in enumerate(choices.replies)
    ]
    top = choices.head("chatcmpl", order)
    return ChatCompletion(**top, choices=answers, usage=choices.usage(), sources=choices.sources())


def delta(text: str | None) -> dict[str, Any]:
    """What a chunk holds of a text."""
    return {"delta": {} if text is None else {"content": text}}
