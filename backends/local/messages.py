"""LangChain's messages as rows of a chat template: who says and thinks what, what is called, and what came of it.

Knows messages; no template and no tokens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from backends.local.picture import KINDS
from backends.local.recall import THOUGHT

ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "AIMessageChunk": "assistant",
    "tool": "tool",
}
# Blocks of an assistant's message that stand beside its text: calls, which `tool_calls` has, and what it thought.
BESIDE_TEXT = (
    *("tool_use", "tool_call", "tool_call_chunk", "function_call", "non_standard"),
    *("reasoning", "thinking", "redacted_thinking"),
)
THOUGHT_BLOCKS = ("reasoning", "thinking")  # the types of those, and their field with the words
Row = dict[str, Any]
Draw = Callable[[Mapping[str, Any]], str]  # what stands for a picture in a text
PromptKey = tuple[tuple[str, str, str], ...]


def to_rows(messages: Sequence[BaseMessage], engine: str, draw: Draw | None = None) -> list[Row]:
    """The messages as rows with role and content; an assistant's may have `tool_calls` and, as `THOUGHT`, what it
    thought, a tool's says of which call. `draw` makes a text of pictures, where the model sees them.

    Raises ModelInvalidRequestError for what the model cannot read, and for a result without its call.
    """
    rows, called = list[Row](), dict[str, str]()
    for message in messages:
        if message.type not in ROLES:
            raise ModelInvalidRequestError(f"{engine} takes no message of type {message.type}.")
        row: Row = {"role": ROLES[message.type], "content": message_text(message, draw)}
        if isinstance(message, ToolMessage):
            row |= _result_of(message, called)
        elif isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
            row["tool_calls"] = calls = list(_calls(message))
            called |= {call["id"]: call["function"]["name"] for call in calls}
        has_more = bool(message.additional_kwargs) or not isinstance(message.content, str)
        if has_more and (thought := message_thought(message)):
            row[THOUGHT] = thought
        rows.append(row)
    if rows and "tool_calls" in rows[-1]:
        raise ModelInvalidRequestError(
            f"The call {rows[-1]['tool_calls'][0]['id']} at the end has no result: send a message of the tool."
        )
    return rows


def _result_of(message: ToolMessage, called: Mapping[str, str]) -> Row:
    identity = message.tool_call_id
    if identity not in called:
        raise ModelInvalidRequestError(
            f"The message of a tool for the call {identity!r} follows no such call: send the assistant's message with "
            "its tool_calls before it."
        )
    return {"tool_call_id": identity, "name": called[identity]}


def _calls(message: AIMessage) -> Iterator[Row]:
    """The calls in OpenAI's form, arguments as an object; those that could not be read have none."""
    for call in message.tool_calls:
        yield _call(call["id"], call["name"], call["args"])
    for broken in message.invalid_tool_calls:
        yield _call(broken["id"], broken["name"] or "", {})


def _call(identity: str | None, name: str, arguments: Any) -> Row:
    return {"id": identity or "", "type": "function", "function": {"name": name, "arguments": arguments}}


def message_text(message: BaseMessage, draw: Draw | None = None) -> str:
    """The text of a message, lone surrogates replaced; what `draw` makes of its pictures stands in lines of its own.

    Raises ModelInvalidRequestError for pictures without it, and for sound and the like.
    """
    beside, said = BESIDE_TEXT if isinstance(message, AIMessage) else (), str(message.text)
    if isinstance(message.content, list):
        kinds = {block.get("type", "text") for block in message.content if isinstance(block, dict)}
        if unread := sorted(kinds - {"text", *beside, *(KINDS if draw is not None else ())}):
            raise ModelInvalidRequestError(f"This model reads text only; the message holds {unread[0]!r}.")
        if draw is not None and not kinds.isdisjoint(KINDS):
            said = _with_pictures(message.content, draw)
    return said.encode("utf-8", "replace").decode("utf-8")


def _with_pictures(blocks: Sequence[Any], draw: Draw) -> str:
    """The text of blocks, pictures in lines of their own; texts that follow each other are one, as LangChain has it."""
    lines, is_text = [""], True
    for block in blocks:
        said = block if isinstance(block, str) else block.get("text", "") if block.get("type") == "text" else None
        if said is None and block.get("type") not in KINDS:
            continue
        if said is None or not is_text:
            lines.append("")
        is_text = said is not None
        lines[-1] += draw(block) if said is None else said
    return "\n".join(line for line in lines if line)


def message_thought(message: BaseMessage) -> str:
    """What an assistant's message says that it thought, beside its text or in blocks; lone surrogates replaced."""
    if not isinstance(message, AIMessage):
        return ""
    beside = message.additional_kwargs.get(THOUGHT)
    if not isinstance(beside, str) and isinstance(message.content, list):
        blocks = [block for block in message.content if isinstance(block, dict)]
        found = (block.get(block["type"]) for block in blocks if block.get("type") in THOUGHT_BLOCKS)
        beside = "\n\n".join(each for each in found if isinstance(each, str))
    return beside.encode("utf-8", "replace").decode("utf-8") if isinstance(beside, str) else ""


def thought_so_far(messages: Sequence[BaseMessage]) -> str:
    """What the reply at the end has thought, where it has said nothing: it goes on inside its thinking."""
    last = messages[-1] if len(messages) > 1 else None
    if not isinstance(last, AIMessage) or message_text(last) or last.tool_calls:
        return ""
    return message_thought(last)


def prompt_key(messages: Sequence[BaseMessage]) -> PromptKey | None:
    """Who says and thinks what; None where a message is more than a string."""
    plain = (m for m in messages if isinstance(m.content, str) and not isinstance(m, ToolMessage))
    key = tuple(
        (m.type, str(m.content), str(m.additional_kwargs.get(THOUGHT) or ""))
        for m in plain
        if not (isinstance(m, AIMessage) and (m.tool_calls or m.invalid_tool_calls))
    )
    return key if len(key) == len(messages) else None
