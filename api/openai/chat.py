"""`POST /v1/chat/completions`: the reply to a chat, whole or as it comes. Nothing is added, dropped or kept."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http.answers import NOTICE
from api.http.auth import OwnerStore
from api.http.body import json_body_schema
from api.http.functions import Tools, tool_options
from api.http.models import resolve_model
from api.http.open_model import request_body
from api.http.pictures import show_pictures
from api.http.sources import NumberedCitation
from api.http.sse import EventStream, with_error_event
from api.http.state import StateDep
from api.openai.annotations import FileCitation
from api.openai.choices import Choices, FinishReason, Usage, finish_reason
from api.openai.chunks import completion_chunks
from api.openai.control import register
from api.openai.files import FileIds
from api.openai.message import InputMessage, to_langchain_messages
from api.openai.picture_part import addresses
from api.openai.request import MultiChoiceRequest, text_responses
from api.openai.thinking import DeltaWriter, Style, ThinkingParams, inline_text
from api.openai.tool_calls import Choice, MessageToolCall, whole_calls
from conversations.library import files

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class ChatCompletionRequest(ThinkingParams, MultiChoiceRequest):
    """A chat to answer; a last message that is the assistant's is continued."""

    asks_when_empty = frozenset({"files"})  # no passage, and the answer says so

    messages: list[InputMessage] = Field(min_length=1)
    chat_template_kwargs: dict[str, Any] | None = Field(
        None, description="variables for the model's chat template, as enable_thinking"
    )
    tools: Tools | None = Field(None, description="functions that the model may call, and the client carries out")
    tool_choice: Choice | None = Field(None, description="auto, none, required, or a function")
    parallel_tool_calls: bool | None = Field(None, description="false: one call at most")
    files: FileIds | None = Field(
        None, description="ids of /v1/files to answer from; the answer then names its `sources`"
    )
    whole: bool | None = Field(None, description="read the files whole where they fit; `notice` says where not")

    def options(self) -> dict[str, Any]:
        """The options, with those of the chat template and the tools. Raises ApiError 400."""
        own = {**self.thinking_options(), "chat_template_kwargs": self.chat_template_kwargs}
        own |= tool_options(self.tools, self.tool_choice, self.parallel_tool_calls)
        return {**super().options(), **{name: value for name, value in own.items() if value is not None}}


class ChatMessage(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | None = Field(
        None, exclude_if=lambda value: value is None, description="what the model thought before it answered"
    )
    tool_calls: list[MessageToolCall] | None = Field(
        None, exclude_if=lambda value: value is None, description="functions that the client is to carry out"
    )
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
    notice: str | None = Field(None, exclude_if=lambda notice: notice is None, description=NOTICE)


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
    "tools": {
        "model": "default",
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
                },
            }
        ],
        "tool_choice": "required",
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
    body: Annotated[ChatCompletionRequest, Depends(request_body(ChatCompletionRequest, pictures=True))],
) -> Any:
    """The assistant's next message in a chat, made from files where some are named."""
    backend = await resolve_model(state, body.model)
    pictures = await show_pictures(state, backend, addresses([message.content for message in body.messages]))
    retriever = None if body.files is None else await run_in_threadpool(files.document_retriever, store, body.files)
    prompts, whole = [to_langchain_messages(body.messages, pictures)], bool(body.whole)
    choices = Choices.start(state, backend, prompts, body.options(), body.n or 1, retriever, whole=whole)
    if body.stream:
        await choices.job.wait_first(request)
        envelope = {**choices.envelope("chatcmpl", body), "object": "chat.completion.chunk"}
        register(state, store.owner, envelope["id"], choices.replies)
        chunks = completion_chunks(body, choices, envelope, DeltaWriter(body.style), FIRST_DELTA)
        return EventStream(with_error_event(chunks), choices.job)
    await choices.job.wait(request)
    answers = [
        ChatChoice(
            index=number,
            message=await to_message(choices, number, body.style),
            finish_reason=finish_reason(reply),
        )
        for number, reply in enumerate(choices.replies)
    ]
    envelope = choices.envelope("chatcmpl", body)
    return ChatCompletion(
        **envelope, choices=answers, usage=choices.usage(), sources=await choices.sources(), notice=choices.notice()
    )


async def to_message(choices: Choices, number: int, style: Style) -> ChatMessage:
    """The message of a reply that has ended; without a text where it only calls."""
    reply = choices.replies[number]
    calls, thinking = whole_calls(reply.calls) or None, reply.report.thinking.text
    text = inline_text(thinking, reply.text, bool(reply.text or calls)) if style.inline else reply.text
    return ChatMessage(
        content=text or (None if calls else ""),
        reasoning_content=(thinking or None) if style.apart else None,
        tool_calls=calls,
        annotations=await choices.annotations(number, offset=len(text) - len(reply.text)),
    )
