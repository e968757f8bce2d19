"""Messages as OpenAI's and Anthropic's languages have them, which many programs keep: a list of role and content.

Knows those languages and our form. Calls of tools, results and the words after them become one reply.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft, join_calls, join_parts, to_text
from conversations.exchange.fields import Fields, is_empty
from conversations.exchange.form import Source
from conversations.exchange.think import split_thinking

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
PICTURES = {"image", "image_url", "input_image", "video", "video_url", "audio", "input_audio", "file", "input_file"}
COUNTS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens"),
}
HELD = ("image_url", "source", "inlineData", "inline_data", "image", "data", "url")  # where a part has its bytes
TECHNICAL = ("id", "uuid", "object", "updatedAt", "annotations", "type")
Nodes = tuple[dict[str, Node], str | None]


def is_message(value: Any) -> bool:
    """Whether this is a message in one of these languages."""
    return (
        isinstance(value, dict)
        and str(value.get("role")).lower() in ROLES
        and ("content" in value or "tool_calls" in value or "parts" in value)
    )


def read_chat(messages: Iterable[Any], source: Source, model: str | None = None) -> Nodes:
    """The messages one below the other, and the last one's name."""
    nodes: dict[str, Node] = {}
    answers: dict[str, tuple[str, str]] = {}
    last: str | None = None
    for number, value in enumerate(each for each in messages if isinstance(each, dict)):
        name = str(number)
        fields = Fields(value)
        identity = fields.text("tool_call_id")
        draft = read_message(fields, source, model)
        if draft.role == "tool":
            answers[name] = identity, draft.text
            draft.keep({"tool_call_id": identity})
        if results := draft.beside.get("results"):
            draft.beside["results"] = _answer(nodes, results)
        nodes[name] = Node(last, [], draft.message())
        last = name
    return join_calls(nodes, answers), last


def read_message(fields: Fields, source: Source, model: str | None = None) -> Draft:
    """One message, and what stands beside it."""
    role = fields.text("role")
    draft = Draft(ROLES.get(role.lower(), "tool"), fields.time("createdAt", "created_at", "timestamp", "create_time"))
    draft.model = fields.text("model") or model
    content = fields.take("content", "parts")
    for part in content if isinstance(content, list) else [content]:
        _add_part(draft, part, source)
    if draft.role == "assistant":
        thought, draft.text = split_thinking(draft.text)
        draft.think(fields.text("reasoning_content", "reasoning", "thinking") or thought)
        _add_calls(draft, fields)
        usage = fields.object("usage")
        draft.count(**{ours: next((usage[n] for n in names if n in usage), None) for ours, names in COUNTS.items()})
    if role.lower() not in ROLES:
        draft.keep({"role": role})
    fields.drop(*TECHNICAL)
    draft.keep(fields.rest())
    return draft


def _add_calls(draft: Draft, fields: Fields) -> None:
    for call in (Fields(each) for each in fields.items("tool_calls")):
        function = Fields(call.object("function"))
        arguments = function.take("arguments") or call.take("args", "arguments") or {}
        draft.call(call.text("id"), function.text("name") or call.text("name"), arguments)
    older = Fields(fields.object("function_call"))
    if name := older.text("name"):
        draft.call("", name, older.take("arguments") or {})


def _add_part(draft: Draft, part: Any, source: Source) -> None:
    """A text, a file, a call or a result."""
    if not isinstance(part, dict):
        draft.say(part, between="\n")
        return
    fields = Fields(part)
    kind = fields.text("type")
    called, answered = fields.take("functionCall"), fields.take("functionResponse")
    if kind in {"thinking", "reasoning"}:
        draft.think(fields.text("thinking", "text", "reasoning"))
    elif kind == "tool_use" or called:
        call = Fields(called) if called else fields
        draft.call(call.text("id"), call.text("name"), call.take("input", "args") or {})
    elif kind == "tool_result" or answered:
        _add_result(draft, Fields(answered) if answered else fields)
    elif kind in PICTURES or "inlineData" in part or "inline_data" in part:
        name = fields.text("name", "filename") or Fields(part.get("file")).text("filename")
        held = next((part[each] for each in HELD if each in part), None)
        attach(draft, source, "image" if "image" in kind else "file", name, held=held)
    elif text := fields.text("text", "output_text", "refusal"):
        draft.say(text, between="\n")
    elif not is_empty(rest := fields.rest()):
        draft.beside.setdefault("content", []).append({**rest, "type": kind})


def _add_result(draft: Draft, answer: Fields) -> None:
    """What came of a call, which is another message's."""
    held = answer.take("content", "response")
    result = join_parts(held) if isinstance(held, list) else held
    draft.beside.setdefault("results", []).append({"id": answer.text("tool_use_id", "id"), "result": result})


def _answer(nodes: Mapping[str, Node], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give results, which stand in a person's message there, to the reply that asked; those that nobody did."""
    asked = [calls for node in nodes.values() if (calls := (node.message or {}).get("calls"))]
    left = list(results)
    for call in asked[-1] if asked else ():
        told = next((each for each in left if each["id"] in {call["call_id"], ""}), None)
        if told is not None and call["result"] is None:
            left.remove(told)
            call |= {"result": to_text(told["result"]), "status": "done"}
    return left
