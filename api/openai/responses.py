"""`/v1/responses` in its text form: made, kept for whoever asked for it, gone on from, told again and deleted."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.body import json_body_schema
from api.http.errors import ApiError, error_responses, to_api_error
from api.http.sse import EventStream, encode, merge_pieces
from api.http.state import StateDep
from api.openai import models
from api.openai.choices import Choices, finish_reason, start_replies
from api.openai.context import keep, load_context
from api.openai.fields import Refused
from api.openai.files import FileIds
from api.openai.items import InputItem, new_id
from api.openai.request import CompletionRequest, OpenModel, request_body, text_responses
from api.openai.response import (
    ItemList,
    OutputMessage,
    OutputText,
    ReasoningConfig,
    Response,
    ResponseDeleted,
    Truncation,
    closing_events,
    opening_events,
    text_position,
)
from conversations.library import files
from conversations.store import DatabaseError, NotFoundError
from conversations.store import responses as kept

router = APIRouter(prefix="/v1", tags=["OpenAI"])


LOGPROBS = "message.output_text.logprobs"


def _reject_logprobs(value: list[str]) -> list[str]:
    """The value itself. Raises PydanticCustomError for what would be told of the one item that is made."""
    if LOGPROBS in value:
        raise PydanticCustomError(
            "unsupported_parameter", "This server cannot do that. Leave out {kind}.", {"kind": LOGPROBS}
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

    asks_when_empty = frozenset({"files"})  # no passage, and the answer is not from files

    input: Annotated[str, Field(min_length=1)] | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = Field(None, description="what stands before the input, as the system's")
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    include: Annotated[list[str], AfterValidator(_reject_logprobs)] | None = Field(
        None,
        description="more of items that are never made",
        json_schema_extra={"not": {"contains": {"const": LOGPROBS}}},
    )
    metadata: Any = Field(None, description="told again in the answer, where it is an object")
    store: bool | None = Field(None, description="false: the response is not kept, and none can go on from it")
    previous_response_id: str | None = Field(None, max_length=100, description="a kept response to go on from")
    truncation: Truncation | None = Field(
        None, description="auto: an input that does not fit loses its oldest turns; else it is refused"
    )
    files: FileIds | None = Field(
        None, description="ids of /v1/files to answer from; the text's annotations name what it quotes"
    )
    whole: bool | None = Field(None, description="read the files whole, where they fit")

    def options(self) -> dict[str, Any]:
        """The options, with how much is thought."""
        effort = self.reasoning.effort if self.reasoning else None
        return {**super().options(), **({} if effort is None else {"reasoning_effort": effort})}


EXAMPLES = {
    "text": {"model": "default", "input": "hi, how are you?", "max_output_tokens": 40},
    "streamed": {
        "model": "default",
        "instructions": "You are a friendly assistant.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "What do you like?"}]}],
        "stream": True,
    },
    "files": {
        "model": "default",
        "input": "When was the lighthouse built?",
        "files": ["file-pQ4Xw2mZ0sB7tKcN1yVd9A"],
    },
}


@router.post(
    "/responses",
    response_model=Response,
    responses=text_responses('{"object":"response", …}'),
    openapi_extra=json_body_schema(ResponseRequest, **EXAMPLES),
)
async def responses(
    state: StateDep,
    store: OwnerStore,
    request: Request,
    body: Annotated[ResponseRequest, Depends(request_body(ResponseRequest))],
) -> Any:
    """The answer to a text or a chat, which may go on from an earlier one."""
    backend = await models.resolve_model(state, body.model)
    context = await run_in_threadpool(load_context, store, body.input, body.previous_response_id)
    messages = context.messages(body.instructions)
    retriever = None if body.files is None else await run_in_threadpool(files.document_retriever, store, body.files)
    truncate, whole = body.truncation == "auto", bool(body.whole)
    choices = start_replies(state, backend, [messages], body, 1, retriever, truncate=truncate, whole=whole)
    days = state.api.response_retention_days
    draft = Draft(create_response(body, keeps=days > 0), choices, partial(keep, store, context=context, days=days))
    if body.stream:
        await choices.job.wait_first(request)
        return EventStream(response_events(draft), choices.job)
    await choices.job.wait(request)
    return await draft.finish()


@router.get("/responses/{response_id}", response_model=Response, responses=error_responses(400, 404, 503))
def retrieve(
    store: OwnerStore,
    response_id: str,
    stream: Annotated[Literal["false"] | None, Query(description="a kept response is told whole")] = None,
) -> Any:
    """A response that was kept."""
    return kept.get(store, response_id)


@router.delete("/responses/{response_id}", responses=error_responses(404, 503))
def delete(store: OwnerStore, response_id: str) -> ResponseDeleted:
    """Delete a response; nothing goes on from it any more, nor from those after it."""
    kept.remove(store, response_id)
    return ResponseDeleted(id=response_id)


@router.get("/responses/{response_id}/input_items", responses=error_responses(400, 404, 503))
def input_items(
    store: OwnerStore,
    response_id: str,
    after: Annotated[str | None, Query(max_length=64, description="the last id of what came before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> ItemList:
    """The items of a response's own input, without those of the responses before it."""
    rows = kept.input_items(store, response_id)
    rows = rows if order == "asc" else rows[::-1]
    ids = [row["id"] for row in rows]
    if after is not None and after not in ids:
        raise NotFoundError(f"Item with id '{after}' not found in the input of this response.")
    rest = rows[ids.index(after) + 1 :] if after is not None else rows
    page = rest[:limit]
    ends = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return ItemList(data=page, first_id=ends[0], last_id=ends[1], has_more=len(rest) > limit)


@dataclass(frozen=True)
class Draft:
    """A response whose reply is being made; `keep` keeps it once it has ended."""

    response: Response
    choices: Choices
    keep: Callable[[Response], None]
    message_id: str = field(default_factory=partial(new_id, "msg"))

    async def finish(self) -> Response:
        """The response with its text, kept where it is to be. Raises DatabaseError."""
        ended = finish_response(self.response, self.message_id, self.choices)
        if ended.store:
            await run_in_threadpool(self.keep, ended)
        return ended


def create_response(body: ResponseRequest, keeps: bool) -> Response:
    """A response before its text; `keeps`: the server keeps those that are not asked to be forgotten."""
    return Response(
        id=new_id("resp"),
        created_at=int(time.time()),
        model=body.model,
        instructions=body.instructions,
        max_output_tokens=body.longest,
        metadata=body.metadata if isinstance(body.metadata, dict) else {},
        previous_response_id=body.previous_response_id,
        reasoning=ReasoningConfig(effort=body.reasoning.effort if body.reasoning else None),
        store=keeps and body.store is not False,
        temperature=body.temperature,
        top_p=body.top_p,
        truncation=body.truncation or "disabled",
    )


def finish_response(response: Response, message_id: str, choices: Choices) -> Response:
    """The response with the text of its one reply."""
    reply = choices.replies[0]
    reason = finish_reason(reply)
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reason)
    content = OutputText(text=reply.text, annotations=choices.annotations(0) or [])
    message = OutputMessage(id=message_id, status="incomplete" if cut else "completed", content=[content])
    return response.finish(message, cut, choices.usage())


async def response_events(draft: Draft) -> AsyncIterator[str]:
    """The typed events of a streamed answer, numbered; a failure is the last one."""
    response, position, numbers = draft.response, text_position(draft.message_id), count()
    for value in opening_events(response, draft.message_id):
        yield _event(value, next(numbers))
    try:
        async for _, piece in merge_pieces(draft.choices.job):
            if piece:
                delta = {"type": "response.output_text.delta", **position, "logprobs": [], "delta": piece}
                yield _event(delta, next(numbers))
        for value in closing_events(await draft.finish()):
            yield _event(value, next(numbers))
    except (ApiError, DatabaseError) as error:
        failed = response.fail(to_api_error(error)).model_dump(mode="json")
        yield _event({"type": "response.failed", "response": failed}, next(numbers))


def _event(value: dict[str, Any], number: int) -> str:
    line = encode({**value, "sequence_number": number})
    return f"event: {value['type']}\ndata: {line}\n\n"
