"""A message as Anthropic's clients get it: its blocks, why it ended, and its tokens. Knows replies; no route."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from langchain_core.messages.tool import ToolCallChunk
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel, Field

from api.anthropic.thinking import signature
from api.http.answers import NOTICE, Answers
from api.http.calls import whole
from conversations.replies import Reply

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
STOP_REASONS: dict[str | None, StopReason] = {
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}


class TextOutput(BaseModel):
    """What the assistant says."""

    type: Literal["text"] = "text"
    text: str


class ThinkingOutput(BaseModel):
    """What the model thought; empty where the client wants it omitted."""

    type: Literal["thinking"] = "thinking"
    thinking: str
    signature: str


class ToolUseOutput(BaseModel):
    """A call that the client is to carry out."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: dict[str, Any]


class OutputTokensDetails(BaseModel):
    """Which of the tokens are no part of the answer."""

    thinking_tokens: int


class Usage(BaseModel):
    """Tokens; those that the backend's server does not tell are estimated. `input_tokens` are those of no cache."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = Field(None, exclude_if=lambda value: value is None)
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where some are an estimate")


class Message(BaseModel):
    """The assistant's message; `model` is the name that was sent."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[ThinkingOutput | TextOutput | ToolUseOutput]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: Usage
    notice: str | None = Field(None, exclude_if=lambda notice: notice is None, description=NOTICE)


def stop_reason(reply: Reply) -> StopReason:
    """Anthropic's word for why a reply ended."""
    if reply.report.stop_sequence is not None:
        return "stop_sequence"
    reason = STOP_REASONS.get(reply.report.stop_reason, "end_turn")
    return "tool_use" if reason == "end_turn" and reply.calls else reason


def to_blocks(reply: Reply, tells_thinking: bool, omits: bool) -> Iterator[ThinkingOutput | TextOutput | ToolUseOutput]:
    """The blocks of a reply that has ended: one at least."""
    thought = reply.report.thinking.text if tells_thinking else ""
    if thought:
        yield ThinkingOutput(thinking="" if omits else thought, signature=signature(thought))
    calls = whole(reply.calls)
    if reply.text or not calls:
        yield TextOutput(text=reply.text)
    yield from map(_call, calls)


def _call(call: ToolCallChunk) -> ToolUseOutput:
    return ToolUseOutput(id=call["id"] or "", name=call["name"] or "", input=_arguments(call["args"] or ""))


def _arguments(text: str) -> dict[str, Any]:
    """The arguments of a call, as far as they were written where the reply was cut."""
    try:
        value = parse_partial_json(text or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def usage(answers: Answers) -> Usage:
    """The tokens of the one reply."""
    thought, read, written = answers.thinking_tokens, answers.cached_tokens, answers.cache_writes
    return Usage(
        input_tokens=answers.prompt_tokens - read - written,
        output_tokens=answers.completion_tokens,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        output_tokens_details=OutputTokensDetails(thinking_tokens=thought) if thought else None,
        estimated=answers.has_estimates,
    )
