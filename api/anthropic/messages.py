"""`POST /v1/messages`, whole or as it comes, and `/v1/messages/count_tokens`. Nothing is added, dropped or kept."""

import secrets
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Request
from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict

import backends
from api.anthropic.errors import PATH, ErrorBody
from api.anthropic.events import BlockWriter, message_events, ping
from api.anthropic.message import to_langchain_messages
from api.anthropic.reading import BlockReader
from api.anthropic.request import MessageRequest, PromptRequest
from api.anthropic.response import Message, Usage, stop_reason, to_blocks, usage
from api.anthropic.thinking import is_told, omits
from api.http.answers import Answers
from api.http.auth import OwnerStore
from api.http.body import json_body_schema
from api.http.context import request_context
from api.http.errors import error_responses
from api.http.models import resolve_model
from api.http.open_model import IGNORED_HEADER, request_body, stream_response
from api.http.pictures import show_pictures
from api.http.sse import EventStream
from api.http.state import AppState, StateDep
from chains import window
from conversations.store import Store


async def tell_request_id(request: Request) -> None:
    """A dependency that has every answer name the request as these clients look for it."""
    request_context(request.scope).headers["request-id"] = correlation_id.get() or ""


named = Depends(tell_request_id)
router = APIRouter(prefix=PATH, tags=["Anthropic"])
TOOL = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
EXAMPLES = {
    "whole": {"model": "default", "max_tokens": 40, "messages": [{"role": "user", "content": "hi, how are you?"}]},
    "streamed": {
        "model": "default",
        "max_tokens": 40,
        "system": "You are a friendly assistant.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What do you like?"}]}],
        "stop_sequences": ["\n\n"],
        "stream": True,
    },
    "tools": {
        "model": "default",
        "max_tokens": 200,
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [TOOL],
        "tool_choice": {"type": "any"},
    },
}
COUNTED = {"count": {"model": "default", "messages": [{"role": "user", "content": "hi, how are you?"}]}}
FAILURES = error_responses(400, 404, 408, 413, 500, 502, 503, 504, model=ErrorBody)
RESPONSES = {**FAILURES, **stream_response('{"type":"message_start", …}')}


class TokenCount(BaseModel):
    """How many tokens a prompt has, with the tools in it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input_tokens": 12}]})

    input_tokens: int


@router.post(
    "", response_model=Message, responses=RESPONSES, openapi_extra=json_body_schema(MessageRequest, **EXAMPLES)
)
async def create(
    state: StateDep,
    store: OwnerStore,
    request: Request,
    body: Annotated[MessageRequest, Depends(request_body(MessageRequest, pictures=True))],
) -> Any:
    """The assistant's next message in a conversation."""
    backend = await resolve_model(state, body.model)
    here = backends.computes_here(backend)
    if body.unused_budget(here):
        _name_ignored(request, "thinking.budget_tokens")
    messages = await _read(state, store, backend, body)
    answers = Answers.start(state, backend, [messages], body.chain_options(here))
    tells, identity = is_told(body.thinking), f"msg_{secrets.token_hex(12)}"
    if body.stream:
        await answers.job.wait_first(request)
        begun = Message(
            id=identity,
            model=body.model,
            content=[],
            stop_reason=None,
            stop_sequence=None,
            usage=Usage(input_tokens=answers.prompt_tokens, output_tokens=0),
        )
        events = message_events(begun, answers, BlockWriter(tells, omits(body.thinking)))
        return EventStream(events, answers.job, heartbeat=ping)
    await answers.job.wait(request)
    reply = answers.replies[0]
    return Message(
        id=identity,
        model=body.model,
        content=list(to_blocks(reply, tells, omits(body.thinking))),
        stop_reason=stop_reason(reply),
        stop_sequence=reply.report.stop_sequence,
        usage=usage(answers),
        notice=answers.notice(),
    )


@router.post("/count_tokens", responses=FAILURES, openapi_extra=json_body_schema(PromptRequest, **COUNTED))
async def count_tokens(
    state: StateDep,
    store: OwnerStore,
    body: Annotated[PromptRequest, Depends(request_body(PromptRequest, pictures=True))],
) -> TokenCount:
    """The tokens of a prompt: exact where the model is on this machine, without a reply."""
    backend = await resolve_model(state, body.model)
    messages = await _read(state, store, backend, body)
    tools: list[dict[str, Any]] = body.prompt_options(backends.computes_here(backend)).get("tools", [])
    with state.queues.reserve(backend, state.api.max_queue), await backends.lease(backend, state.settings) as lease:
        model = await backends.measured(lease.model)
        counted = await to_thread.run_sync(partial(window.count_with_tools, model, messages, tools))
    return TokenCount(input_tokens=counted)


async def _read(state: AppState, store: Store, backend: str, body: PromptRequest) -> list[BaseMessage]:
    """The messages for the chain; documents are read in one of few threads, pictures by a process of their own."""
    read = BlockReader(store, state.document_limits, await show_pictures(state, backend, body.pictures))
    convert = partial(to_langchain_messages, body.system, body.messages, read)
    return await to_thread.run_sync(convert, limiter=state.readers) if body.needs_reading else convert()


def _name_ignored(request: Request, name: str) -> None:
    """Tell of another field that did nothing."""
    headers = request_context(request.scope).headers
    headers[IGNORED_HEADER] = ", ".join(filter(None, [headers.get(IGNORED_HEADER), name]))
