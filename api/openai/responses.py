"""`POST /v1/responses` in its basic text form. No response is kept, so none can be continued by its id."""

import secrets
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from langchain_core.messages import BaseMessage
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.http.body import json_body_schema
from api.http.errors import ApiError, error_responses
from api.http.sse import EventStream, encode, event_stream_response, merge_pieces
from api.http.state import StateDep
from api.openai import models
from api.openai.choices import Choices, finish_reason, start_replies
from api.openai.fields import Refused, Unsupported
from api.openai.message import InputMessage, make_message, to_langchain_messages
from api.openai.request import CompletionRequest, OpenModel, request_body
from api.openai.response import OutputMessage, OutputText, Response, closing_events, opening_events, text_position

router = APIRouter(prefix="/v1", tags=["OpenAI"])


LOGPROBS = "message.output_text.logprobs"


def _reject_logprobs(value: list[str]) -> list[str]:
    """The value itself. Raises PydanticCustomError for what would be told of the one item that is made."""
    if LOGPROBS in value:
        raise PydanticCustomError(
            "unsupported_parameter", "This server cannot do that. Leave out {kind}.", {"kind": LOGPROBS}
        )
    return value


def _reject_non_message(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for an item that is no message."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "message":
        raise PydanticCustomError(
            "unsupported_parameter", "Only messages are read here, not {kind}.", {"kind": kind[:100]}
        )
    return value


class TextOptions(OpenModel):
    """The settings of the output's text, which can be plain alone."""

    format: Annotated[Any, Refused(({"type": "text"},))] = None


class ReasoningOptions(OpenModel):
    """How much a model thinks before it answers."""

    effort: str | None = Field(None, max_length=20, description="a model that does not think takes none")
    generate_summary: Any = Field(None, description="no answer depends on it")
    summary: Any = Field(None, description="no answer depends on it")


class ResponseRequest(CompletionRequest):
    """A text or a chat to answer."""

    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[InputMessage, BeforeValidator(_reject_non_message)]], Field(min_length=1)]
    )
    instructions: str | None = Field(None, description="what stands before the input, as the system's")
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    include: Annotated[list[str], AfterValidator(_reject_logprobs)] | None = Field(
        None,
        description="more of items that are never made",
        json_schema_extra={"not": {"contains": {"const": LOGPROBS}}},
    )
    metadata: dict[str, str] | None = Field(None, description="told again in the answer")
    store: bool | None = Field(None, description="ignored: nothing is kept")

    previous_response_id: Unsupported = None
    truncation: Annotated[Any, Refused(("disabled",))] = None

    def options(self) -> dict[str, Any]:
        """The options, with how much is thought."""
        effort = self.reasoning.effort if self.reasoning else None
        return {**super().options(), **({} if effort is None else {"reasoning_effort": effort})}

    def messages(self) -> list[BaseMessage]:
        """The messages for the chain, instructions first."""
        system = [make_message("system", self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return [*system, make_message("user", self.input)]
        return [*system, *to_langchain_messages(self.input)]


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
    responses={
        **error_responses(400, 404, 408, 413, 500, 502, 503, 504),
        **event_stream_response('{"object":"response", …}'),
    },
    openapi_extra=json_body_schema(ResponseRequest, **EXAMPLES),
)
async def responses(
    state: StateDep, request: Request, body: Annotated[ResponseRequest, Depends(request_body(ResponseRequest))]
) -> Any:
    """The answer to a text or a chat."""
    backend = await models.resolve_model(state, body.model)
    choices = start_replies(state, backend, [body.messages()], body)
    if body.stream:
        await choices.job.wait_first(request)
        return EventStream(response_events(body, choices), choices.job)
    await choices.job.wait(request)
    return finish_response(create_response(body), f"msg_{secrets.token_hex(12)}", choices)


def create_response(body: ResponseRequest) -> Response:
    """A response before its text."""
    return Response(
        id=f"resp_{secrets.token_hex(12)}",
        created_at=int(time.time()),
        model=body.model,
        instructions=body.instructions,
        max_output_tokens=body.longest,
        metadata=body.metadata or {},
        temperature=body.temperature,
        top_p=body.top_p,
    )


def finish_response(response: Response, message_id: str, choices: Choices) -> Response:
    """The response with the text of its one reply."""
    reply = choices.replies[0]
    reason = finish_reason(reply)
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reason)
    message = OutputMessage(
        id=message_id, status="incomplete" if cut else "completed", content=[OutputText(text=reply.text)]
    )
    return response.finish(message, cut, choices.usage())


async def response_events(body: ResponseRequest, choices: Choices) -> AsyncIterator[str]:
    """The typed events of a streamed answer, numbered; a failure is the last one."""
    response, message_id, numbers = create_response(body), f"msg_{secrets.token_hex(12)}", count()
    position = text_position(message_id)
    for value in opening_events(response, message_id):
        yield _event(value, next(numbers))
    try:
        async for _, piece in merge_pieces(choices.job):
            if piece:
                delta = {"type": "response.output_text.delta", **position, "logprobs": [], "delta": piece}
                yield _event(delta, next(numbers))
        for value in closing_events(finish_response(response, message_id, choices)):
            yield _event(value, next(numbers))
    except ApiError as error:
        failed = response.fail(error).model_dump(mode="json")
        yield _event({"type": "response.failed", "response": failed}, next(numbers))


def _event(value: dict[str, Any], number: int) -> str:
    line = encode({**value, "sequence_number": number})
    return f"event: {value['type']}\ndata: {line}\n\n"
