"""`/v1/responses`, texts and functions: made, kept for whoever asked for it, gone on from, told again and deleted."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.body import json_body_schema
from api.http.calls import joined
from api.http.errors import ApiError, error_responses, to_api_error
from api.http.functions import Tools, tool_options
from api.http.jobs import Job
from api.http.models import resolve_model
from api.http.open_model import OpenModel, request_body
from api.http.pictures import show_pictures
from api.http.sse import EventStream, Piece, encode, merge_pieces
from api.http.state import AppState, StateDep
from api.openai import own_turns
from api.openai.choices import Choices, finish_reason
from api.openai.context import ResponseContext, keep, load_context
from api.openai.files import FileIds
from api.openai.items import InputItem, approvals, new_id, picture_addresses
from api.openai.own_tools import offers_own, own_names
from api.openai.own_turns import OwnDraft
from api.openai.reasoning_item import SUMMARIES
from api.openai.request import NO_LIMIT, CompletionRequest, text_responses
from api.openai.response import (
    ItemList,
    OutputMessage,
    OutputText,
    ReasoningConfig,
    Response,
    ResponseDeleted,
    Status,
    TextConfig,
    Truncation,
)
from api.openai.response_events import OutputItems
from api.openai.thinking import Budget
from api.openai.tool_calls import Choice, flat_choice, flat_tools, whole_calls
from conversations.library import files
from conversations.replies import GenerationRequest, ThinkingPart
from conversations.store import DatabaseError, NotFoundError, Store
from conversations.store import responses as kept
from tools import ready

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
    """The settings of the output's text."""

    format: dict[str, Any] | None = Field(
        None, description="json_object, or json_schema with name and schema, which the text is held to"
    )


def chat_format(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """`text.format` as `response_format` has it: what is flat there stands below `json_schema`."""
    if form is None or form.get("type") != "json_schema":
        return form
    return {"type": "json_schema", "json_schema": {name: value for name, value in form.items() if name != "type"}}


class ReasoningOptions(OpenModel):
    """How much a model thinks before it answers."""

    effort: str | None = Field(None, max_length=20, description="a model that does not think takes none")
    max_tokens: Budget | None = Field(None, description="tokens that a model of this machine may think")
    generate_summary: Any = Field(None, description="the same as summary, after it")
    summary: Any = Field(
        None, description="auto, concise or detailed: what is thought stands in `summary`, not `content`"
    )

    def options(self) -> dict[str, Any]:
        """The chain's options, None where the model decides."""
        budget = None if self.max_tokens == NO_LIMIT else self.max_tokens
        return {"reasoning_effort": self.effort, "reasoning_budget": budget}

    @property
    def as_summary(self) -> str | None:
        """The summary that is asked for; None for none."""
        given = self.generate_summary if self.summary is None else self.summary
        return given if given in SUMMARIES else None


class ResponseRequest(CompletionRequest):
    """A text or a chat to answer."""

    asks_when_empty = frozenset({"files"})  # no passage, and the answer is not from files

    input: Annotated[str, Field(min_length=1)] | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = Field(None, description="what stands before the input, as the system's")
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    include: Annotated[list[str], AfterValidator(_reject_logprobs)] | None = Field(
        None,
        description="more of items that are never made; nothing is encrypted here",
        json_schema_extra={"not": {"contains": {"const": LOGPROBS}}},
    )
    metadata: Any = Field(None, description="told again in the answer, where it is an object")
    store: bool | None = Field(None, description="false: the response is not kept, and none can go on from it")
    previous_response_id: str | None = Field(None, max_length=100, description="a kept response to go on from")
    truncation: Truncation | None = Field(
        None, description="auto: an input that does not fit loses its oldest turns; else it is refused"
    )
    tools: Tools | None = Field(None, description="functions of the client, or tools of this server (mcp)")
    tool_choice: Choice | None = Field(None, description="auto, none, required, or a function")
    parallel_tool_calls: bool | None = Field(None, description="false: one call at most")
    files: FileIds | None = Field(
        None, description="ids of /v1/files to answer from; the text's annotations name what it quotes"
    )
    whole: bool | None = Field(None, description="read the files whole, where they fit")

    def options(self) -> dict[str, Any]:
        """The options, with how much is thought, and the form of the text and the tools by the names that chat has.

        Raises ApiError 400.
        """
        own: dict[str, Any] = {"response_format": chat_format(self.text.format if self.text else None)}
        own |= self.reasoning.options() if self.reasoning else {}
        if not offers_own(self.tools):  # which the loop of the conversation offers
            own |= tool_options(flat_tools(self.tools), flat_choice(self.tool_choice), self.parallel_tool_calls)
        return {**super().options(), **{name: value for name, value in own.items() if value is not None}}


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
    responses={**text_responses('{"object":"response", …}'), **error_responses(409)},
    openapi_extra=json_body_schema(ResponseRequest, **EXAMPLES),
)
async def responses(
    state: StateDep,
    store: OwnerStore,
    request: Request,
    body: Annotated[ResponseRequest, Depends(request_body(ResponseRequest, pictures=True))],
) -> Any:
    """The answer to a text or a chat, which may go on from an earlier one."""
    backend = await resolve_model(state, body.model)
    shown = await show_pictures(state, backend, picture_addresses(body.input))
    context = await run_in_threadpool(load_context, store, body.input, body.previous_response_id, shown)
    if offers_own(body.tools) or approvals(body.input):
        return await own_response(state, store, request, body, backend, context)
    messages = context.messages(body.instructions)
    retriever = None if body.files is None else await run_in_threadpool(files.document_retriever, store, body.files)
    truncate, whole = body.truncation == "auto", bool(body.whole)
    choices = Choices.start(state, backend, [messages], body.options(), 1, retriever, truncate=truncate, whole=whole)
    days = state.api.response_retention_days
    response = create_response(body, keeps=days > 0)
    state.replies[store.owner, response.id] = choices.replies[0]
    items = OutputItems(as_summary=response.reasoning.summary is not None)
    draft = Draft(response, choices, partial(keep, store, context=context, days=days), items)
    if body.stream:
        await choices.job.wait_first(request)
        return EventStream(response_events(draft), choices.job)
    await choices.job.wait(request)
    return await draft.finish()


async def own_response(
    state: AppState, store: Store, request: Request, body: ResponseRequest, backend: str, context: ResponseContext
) -> Any:
    """The answer of a model that calls tools of this server, or its rest once a person has answered for a call."""
    days, given = state.api.response_retention_days, approvals(body.input)
    reject_unkept(body, days)
    generation = GenerationRequest(state.settings, backend, body.options())
    if given:
        answer = partial(own_turns.answer, store, given, body.previous_response_id, generation)
        job, told = await Job.start_in_thread(state, backend, answer)
    else:
        await ready(state.settings)
        names = await run_in_threadpool(own_names, state.settings, body.tools or [], body.tool_choice)
        begin = partial(own_turns.begin, store, context, names, body.instructions, generation)
        job, told = await Job.start_in_thread(state, backend, begin)
    response = create_response(body, keeps=True)
    items = OutputItems(as_summary=response.reasoning.summary is not None)
    draft = OwnDraft(response, store, job, told, context, days, items)
    if body.stream:
        await job.wait_first(request)
        return EventStream(own_events(draft), job)
    await job.wait(request)
    return await run_in_threadpool(draft.finish)


def reject_unkept(body: ResponseRequest, days: int) -> None:
    """Raise ApiError 400 for what cannot be where a call may wait for a person."""
    wrong = {
        "store": body.store is False or days == 0,  # nobody could answer
        "files": body.files is not None,
        "whole": body.whole is not None,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        text = f"{name}: a response that calls this server's own tools is kept, and reads no files of the request."
        raise ApiError(400, text, code="invalid_value", param=name)


@router.get("/responses/{response_id}", response_model=Response, responses=error_responses(400, 404, 503))
def retrieve(
    store: OwnerStore,
    response_id: str,
    stream: Annotated[Literal["false"] | None, Query(description="a kept response is told whole")] = None,
) -> Any:
    """A response that was kept; one that waited for a person as it is by now."""
    row = kept.get(store, response_id)
    return row.body if row.message_id is None else own_turns.as_of_now(store, row.body, row.message_id)


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
    items: OutputItems

    async def finish(self) -> Response:
        """The response with all that it says, kept where it is to be. Raises DatabaseError."""
        ended = await finish_response(self.response, self.items, self.choices)
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
        reasoning=ReasoningConfig(
            effort=body.reasoning.effort if body.reasoning else None,
            summary=body.reasoning.as_summary if body.reasoning else None,
        ),
        store=keeps and body.store is not False,
        temperature=body.temperature,
        text=TextConfig(format=body.text.format) if body.text and body.text.format else TextConfig(),
        tool_choice=(body.tool_choice or "auto") if body.tools else "none",
        tools=body.tools or [],
        parallel_tool_calls=bool(body.tools) and body.parallel_tool_calls is not False,
        top_p=body.top_p,
        truncation=body.truncation or "disabled",
    )


async def finish_response(response: Response, items: OutputItems, choices: Choices) -> Response:
    """The response with what was thought, the text and the calls of its one reply."""
    reply = choices.replies[0]
    reason = finish_reason(reply)
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reason)
    content = OutputText(text=reply.text, annotations=await choices.annotations(0) or [])
    status: Status = "incomplete" if cut else "completed"
    calls = items.of_calls(whole_calls(reply.calls), status)
    message = OutputMessage(id=items.message_id, status=status, content=[content])
    says_nothing = not reply.text and not calls
    thoughts = items.of_thoughts(reply.report.thinking.text, is_cut=bool(cut) and says_nothing)
    is_silent = bool(calls) or bool(thoughts and cut)  # where it has no text, that is all there is
    said = [] if is_silent and not reply.text else [message]
    output = items.in_order([*thoughts, *said, *calls])
    return response.finish(output, cut, choices.usage(), choices.notice())


async def response_events(draft: Draft) -> AsyncIterator[str]:
    """The typed events of a streamed answer, numbered; a failure is the last one."""
    response, items, numbers = draft.response, draft.items, count()
    for value in items.open(response):
        yield _event(value, next(numbers))
    try:
        async for _, piece in merge_pieces(draft.choices.job):
            for value in _piece_events(items, piece):
                yield _event(value, next(numbers))
        for value in items.close(await draft.finish()):
            yield _event(value, next(numbers))
    except (ApiError, DatabaseError) as error:
        failed = response.fail(to_api_error(error)).model_dump(mode="json")
        yield _event({"type": "response.failed", "response": failed}, next(numbers))


async def own_events(draft: OwnDraft) -> AsyncIterator[str]:
    """The events of a streamed answer with calls of this server's, which are told when they are over, or wait."""
    response, items, numbers, told = draft.response, draft.items, count(), draft.turn.since.text
    thought = draft.turn.since.thinking
    for value in items.open(response):
        yield _event(value, next(numbers))
    try:
        async for _, piece in merge_pieces(draft.job):
            new: Piece = piece[told:] if isinstance(piece, str) else None
            if isinstance(piece, str):
                told = max(0, told - len(piece))
            elif isinstance(piece, ThinkingPart):
                rest, thought = piece.text.removeprefix(thought), ""
                new = ThinkingPart(rest if items.has_thought else rest.lstrip())
            for value in _piece_events(items, new):
                yield _event(value, next(numbers))
        for value in items.close(await run_in_threadpool(draft.finish)):
            yield _event(value, next(numbers))
    except (ApiError, DatabaseError) as error:
        failed = response.fail(to_api_error(error)).model_dump(mode="json")
        yield _event({"type": "response.failed", "response": failed}, next(numbers))


def _piece_events(items: OutputItems, piece: Piece) -> Iterator[dict[str, Any]]:
    if isinstance(piece, list):
        for each in joined(piece):
            yield from items.call(each)
    elif isinstance(piece, ThinkingPart):
        yield from items.thought(piece.text) if piece.text else ()
    elif piece:
        yield from items.text(piece)


def _event(value: dict[str, Any], number: int) -> str:
    line = encode({**value, "sequence_number": number})
    return f"event: {value['type']}\ndata: {line}\n\n"
