"""What a row of a reply adds to it, whatever shape a server gives it. Pure functions over JSON; knows no bytes."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from backends.remote import stop

REASONING = ("reasoning_content", "reasoning", "thinking")  # the same by three names: vLLM's, OpenRouter's, Ollama's
DETAILS = "reasoning_details"  # the same in parts, where OpenRouter sends no more than those
THINKING_PARTS = frozenset(
    (
        *("thinking", "reasoning", "reasoning_text", "summary_text", "redacted_thinking"),
        *("reasoning.text", "reasoning.summary", "reasoning.encrypted"),
    )
)
TEXT_FIELDS = ("text", "content", "output_text", "refusal", "value")
UNTOLD = frozenset({"", "null", "none"})  # reasons for the end that are none
FAILURES = frozenset({"error", "network_error", "insufficient_system_resource", "abort"})
# OpenAI's words for what others call otherwise: Anthropic, Google, Cohere, Mistral, TGI, Zhipu.
FINISH_REASONS = {
    "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop", "complete": "stop", "end": "stop",
    "max_tokens": "length", "max_length": "length", "model_length": "length", "safety": "content_filter",
    "sensitive": "content_filter", "recitation": "content_filter", "prohibited_content": "content_filter",
    "content_filtered": "content_filter", "tool_use": "tool_calls", "tool_call": "tool_calls",
}  # fmt: skip
LONGEST_REASON = 60  # characters
SHAPES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class WrongShapeError(ValueError):
    """A row that is no part of a reply: the text says what is wrong with it."""


class Chunk(NamedTuple):
    """What a row adds: text of the reply, what the model thinks, pieces of calls; and why the reply ended, if it did.

    `is_message`: it is the message itself, and no difference to it. `pieces`: how many rows its text is from.
    `stop_sequence`: as `stop.read` has it.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: Any = None
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    is_message: bool = False
    pieces: int = 1
    stop_sequence: str | None = None


def find_choice(row: Mapping[str, Any], index: Any) -> Mapping[str, Any] | None:
    """The row's choice with this index, the first where None is given; None where it has no such.

    Raises WrongShapeError.
    """
    choices = row.get("choices")
    if choices is None:
        return None
    if not isinstance(choices, list):
        raise WrongShapeError(f"choices is {describe_shape(choices)}, not a list")
    for choice in choices:
        if not isinstance(choice, dict):
            raise WrongShapeError(f"a choice is {describe_shape(choice)}, not an object")
    if index is None:
        return next((choice for choice in choices if choice.get("index") == 0), next(iter(choices), None))
    return next((choice for choice in choices if choice.get("index", index) in (index, None)), None)


def read_choice(choice: Mapping[str, Any]) -> Chunk:
    """What a choice adds. Raises WrongShapeError."""
    delta, message = (_part_of(choice, name) for name in ("delta", "message"))
    holder = delta if delta is not None else message
    end = read_finish_reason(choice.get("finish_reason"))
    chunk = Chunk(finish_reason=end, logprobs=_logprobs(choice), stop_sequence=stop.read(choice))
    if holder is None:  # of a text that is continued
        return chunk._replace(text=read_content(choice.get("text")).text)
    said = read_message(holder)
    chunk = chunk._replace(text=said.text, reasoning=said.reasoning, tool_calls=said.tool_calls)
    if delta is None:
        return chunk._replace(is_message=True)
    if message is not None and not (chunk.text or chunk.reasoning or chunk.tool_calls):
        whole = read_message(message)  # an empty difference beside the whole message
        return whole._replace(finish_reason=end, stop_sequence=chunk.stop_sequence, is_message=True)
    if not chunk.text and isinstance(choice.get("text"), str):
        return chunk._replace(text=choice["text"])
    return chunk


def read_message(message: Mapping[str, Any]) -> Chunk:
    """What a message, or the difference to one, says. Raises WrongShapeError."""
    content = read_content(message.get("content"))
    refusal = message.get("refusal")
    text = content.text + (refusal if isinstance(refusal, str) else "")
    told = (read_content(message.get(name)) for name in (*REASONING, DETAILS))
    reasoning = content.reasoning or next((each for part in told if (each := part.text or part.reasoning)), "")
    return Chunk(text, reasoning, message.get("tool_calls") or message.get("function_call"))


def read_content(content: Any) -> Chunk:
    """The text and the thinking in a content: a text, parts of one, or a value that a server left unquoted."""
    if isinstance(content, str):
        return Chunk(content)
    if content is None or content is False:
        return Chunk()
    if isinstance(content, list):
        parts = [read_content(part) for part in content]
        return Chunk("".join(part.text for part in parts), "".join(part.reasoning for part in parts))
    if isinstance(content, dict):
        return _read_part(content)
    return Chunk(json.dumps(content))


def read_finish_reason(value: Any) -> str | None:
    """Why a reply ended, in OpenAI's words as far as it has one; None where that is not told."""
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason") or "stop"
    if value is None or value is False:
        return None
    if not isinstance(value, str):
        return "stop"  # an end all the same
    known = value.strip().lower()
    if not known.isprintable() or len(known) > LONGEST_REASON:
        return "stop"
    return None if known in UNTOLD else FINISH_REASONS.get(known, known)


def describe_shape(value: Any) -> str:
    """What a value is, in a person's words."""
    return SHAPES.get(type(value), "a number")


def _part_of(choice: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    part = choice.get(name)
    if part in (None, "", []):  # [] is how PHP writes an object without fields
        return None
    if isinstance(part, dict):
        return part
    raise WrongShapeError(f"{name} is {describe_shape(part)}, not an object")


def _read_part(part: Mapping[str, Any]) -> Chunk:
    if not part:
        return Chunk()
    if str(part.get("type")) in THINKING_PARTS:
        fields = ("thinking", "reasoning", "summary", *TEXT_FIELDS)
        thought = next((read_content(part[name]) for name in fields if part.get(name)), Chunk())
        return Chunk(reasoning=thought.text + thought.reasoning)
    text = next((part[name] for name in TEXT_FIELDS if name in part), None)
    if text is not None or "type" in part:  # or a part of another kind, as a picture
        return read_content(text)
    return Chunk(json.dumps(part, ensure_ascii=False))


def _logprobs(choice: Mapping[str, Any]) -> dict[str, Any] | None:
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    return {"content": content} if content and isinstance(content, list) else None
