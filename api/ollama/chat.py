"""`POST /api/chat`: the reply to a chat, whole or line by line."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

import backends
from api.http.answers import Answers
from api.http.body import json_body_schema
from api.http.functions import Tools, tool_options
from api.http.open_model import request_body
from api.http.pictures import show_pictures
from api.http.state import StateDep
from api.ollama import names
from api.ollama.answer import Answer, Fields, loaded, ndjson_response, stream, whole
from api.ollama.errors import error_responses
from api.ollama.message import CallAnswer, Messages, check_pictures, to_langchain_messages
from api.ollama.picture import addresses
from api.ollama.request import TextRequest
from api.ollama.tools import with_listed_types

router = APIRouter(prefix="/api", tags=["Ollama"])
FAILURES = error_responses(400, 404, 408, 413, 500, 502, 503, 504)


class ChatRequest(TextRequest):
    """A chat to answer; a last message that is the assistant's is continued."""

    messages: Messages = Field([], description="the chat; none: the model is loaded")
    tools: Tools | None = Field(None, description="functions that the model may call, and the client carries out")

    def options(self) -> dict[str, Any]:
        """The options, with those of the tools."""
        return {**super().options(), **tool_options(with_listed_types(self.tools or []), None, None)}


class ChatMessage(BaseModel):
    """What the assistant said, or a piece of it."""

    role: Literal["assistant"] = "assistant"
    content: str
    thinking: str | None = Field(None, exclude_if=lambda value: value is None)
    tool_calls: list[CallAnswer] | None = Field(None, exclude_if=lambda value: value is None)


class ChatAnswer(Answer):
    """The answer, or a line of it."""

    message: ChatMessage


def chat_fields(text: str, thinking: str, calls: Sequence[Fields]) -> Fields:
    """What a line says."""
    message: Fields = {"role": "assistant", "content": text}
    message |= {"thinking": thinking} if thinking else {}
    message |= {"tool_calls": list(calls)} if calls else {}
    return {"message": message}


HI: Fields = {"role": "user", "content": "hi, how are you?"}
EXAMPLES: Fields = {
    "whole": {"model": "default", "messages": [HI], "stream": False, "options": {"num_predict": 40}},
    "streamed": {"model": "default", "messages": [HI], "options": {"temperature": 0.7, "seed": 1}, "keep_alive": "5m"},
}
LINE: Fields = {
    "model": "default",
    "created_at": "2026-11-30T20:15:00.000000Z",
    "done": False,
    **chat_fields("I", "", ()),
}


@router.post(
    "/chat",
    response_model=ChatAnswer,
    responses={**FAILURES, **ndjson_response(ChatAnswer, LINE)},
    openapi_extra=json_body_schema(ChatRequest, **EXAMPLES),
)
async def chat(
    state: StateDep, request: Request, body: Annotated[ChatRequest, Depends(request_body(ChatRequest, pictures=True))]
) -> Any:
    """The assistant's next message in a chat; without a message the model is loaded."""
    backend = await names.resolve(state, body.model)
    if not body.messages:
        (await backends.lease(backend, state.settings)).release(was_used=False)
        return loaded(body.model, chat_fields)
    check_pictures(body.messages)
    shown = addresses([message.images for message in body.messages], state.picture_limits)
    prompt = to_langchain_messages(body.messages, await show_pictures(state, backend, shown))
    answers = Answers.start(state, backend, [prompt], body.options(), truncate=body.truncates)
    if body.is_streamed:
        await answers.job.wait_first(request)
        return stream(answers, body.model, chat_fields)
    await answers.job.wait(request)
    return whole(answers, body.model, chat_fields)
