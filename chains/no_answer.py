"""Why a reply without a visible character has none, where asking once more would bring the same.

Knows LangChain's messages; nothing of backends or of who asks.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

from langchain_core.messages import AIMessageChunk

from chains.thinking import thought

LENGTH = ("length", "max_tokens")


class Cause(NamedTuple):
    """Why there is no answer, as a sentence after the backend's name.

    `is_told`: the reason of the reply's end says it to a program.
    """

    sentence: str
    is_told: bool


def no_answer_cause(chunks: Sequence[AIMessageChunk]) -> Cause | None:
    """Why the reply of these chunks says nothing; None where it just ended."""
    if not chunks:
        return None
    reply: AIMessageChunk = reduce(add, chunks)
    reason = reply.response_metadata.get("finish_reason") or reply.response_metadata.get("stop_reason")
    if reply.tool_calls or reply.invalid_tool_calls:
        names = ", ".join(str(call["name"]) for call in [*reply.tool_calls, *reply.invalid_tool_calls] if call["name"])
        sentence = f"asked for a tool ({names or 'without a name'}) and gave no answer; no tool is offered to it."
        return Cause(f"{sentence} Ask in other words, or choose another model.", is_told=False)
    if reason in LENGTH:
        spent = "for thinking before" if has_thought(reply) else "before the first word of"
        return Cause(f"used all of its {_tokens(reply)} {spent} an answer: raise MAX_TOKENS.", is_told=True)
    if reason == "content_filter":
        return Cause("held its reply back: a content filter stopped it. Ask in other words.", is_told=True)
    if has_thought(reply):
        return Cause("only thought and gave no answer. Ask in other words, or switch its thinking off.", is_told=False)
    return None


def has_thought(reply: AIMessageChunk) -> bool:
    """Whether a model spent tokens on thinking, as far as its reply tells."""
    details = reply.usage_metadata.get("output_token_details", {}) if reply.usage_metadata else {}
    return bool(thought(reply) or details.get("reasoning"))


def _tokens(reply: AIMessageChunk) -> str:
    count = reply.usage_metadata["output_tokens"] if reply.usage_metadata else 0
    return f"{count:,} tokens" if count else "tokens"
