"""`POST /v1/chat/completions`: the reply to a chat, whole or as it comes. Nothing is added, dropped or kept."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.body import json_body_schema
from api.http.sources import NumberedCitation
from api.http.sse import EventStream, with_error_event
from api.http.state import StateDep
from api.openai import models
from api.openai.annotations import FileCitation
from api.openai.choices import FinishReason, Usage, finish_reason, start_replies
from api.openai.chunks import completion_chunks
from api.openai.files import FileIds
from api.openai.message import InputMessage, to_langchain_messages
from api.openai.request import MultiChoiceRequest, request_body, text_responses
from conversations.library import files

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class ChatCompletionRequest(MultiChoiceRequest):
    """A chat to answer; a last message that is the assistant's is continued."""

    asks_when_empty = frozenset({"files"})  # no passage, and the answer says so

    messages: list[InputMessage] = Field(min_length=1)
    reasoning_effort: str | None = Field(
        None, max_length=20, description="how much a model thinks before it answers; one that does not takes none"
    )
    chat_template_kwargs: dict[str, Any] | None = Field(
        None, description="variables for the model's chat template, as enable_thinking"
    )
    files: FileIds | None = Field(
        None, description="ids of /v1/files to answer from; the answer then names its `sources`"
    )
    whole: bool | None = Field(None, description="read the files whole where they fit; `notice` says where not")

    def options(self) -> dict[str, Any]:
        """The options, with those of the chat template."""
        own = {"reasoning_effort": self.reasoning_effort, "chat_template_kwargs": self.chat_template_kwargs}
        return {**super().options(), **{name: value for name, value in own.items() if value is not None}}


class ChatMessage(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[FileCitation] | None = Field(
        None, exclude_if=lambda value: value is None, description="where the text names passages of the files"
    )


class ChatChoice(BaseModel):
    """One of the `n` answers to a chat."""

    index: int
    message: ChatMessage
    logprobs: None = None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """The answers; `model` is the name that was sent, and `system_fingerprint` names the backend behind it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str
    sources: list[NumberedCitation] | None = Field(
        None, exclude_if=lambda sources: sources is None, description="passages of the files, best first"
    )
    notice: str | None = Field(
        None, exclude_if=lambda notice: notice is None, description="that a server read less than it was sent"
    )


FIRST_DELTA = {"delta": {"role": "assistant", "content": ""}}
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
    responses=text_responses('{"object":"chat.completion.chunk", …}'),
    openapi_extra=json_body_schema(ChatCompletionRequest, **EXAMPLES),
)
async def chat(
    state: StateDep,
    store: OwnerStore,
    request: Request,
    body: Annotated[ChatCompletionRequest, Depends(request_body(ChatCompletionRequest))],
) -> Any:
    """The assistant's next message in a chat, made from files where some are named."""
    backend = await models.resolve_model(state, body.model)
    retriever = None if body.files is None else await run_in_threadpool(files.document_retriever, store, body.files)
    choices = start_replies(
        state, backend, [to_langchain_messages(body.messages)], body, body.n or 1, retriever, whole=bool(body.whole)
    )
    if body.stream:
        await choices.job.wait_first(request)
        envelope = {**choices.envelope("chatcmpl", body), "object": "chat.completion.chunk"}
        return EventStream(
            with_error_event(completion_chunks(body, choices, envelope, render_delta, FIRST_DELTA)), choices.job
        )
    await choices.job.wait(request)
    answers = [
        ChatChoice(
            index=number,
            message=ChatMessage(content=reply.text, annotations=choices.annotations(number)),
            finish_reason=finish_reason(reply),
        )
        for number, reply in enumerate(choices.replies)
    ]
    envelope = choices.envelope("chatcmpl", body)
    return ChatCompletion(
        **envelope, choices=answers, usage=choices.usage(), sources=choices.sources(), notice=choices.notice()
    )


def render_delta(text: str | None) -> dict[str, Any]:
    """A choice's fields in a chunk."""
    return {"delta": {} if text is None else {"content": text}}
