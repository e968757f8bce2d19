"""Plain messages, and lines for fine-tuning: messages, prompt and completion, instruction and output, preferences.

Knows those forms and ours. An answer that was not preferred is a branch beside the one that was.
"""

from collections.abc import Iterable, Iterator
from itertools import chain as joined
from typing import Any

from conversations.exchange.branches import Node
from conversations.exchange.chat import is_message, read_chat
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation

ANSWERS = ("completion", "response", "output", "answer", "chosen", "preferred_output")
OTHERS = ("rejected", "non_preferred_output")
QUESTIONS = ("prompt", "instruction", "question")


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is a conversation, or a message of one."""
    if is_message(item) or _has_messages(item):
        return True
    return any(name in item for name in (*QUESTIONS, "input")) and any(name in item for name in ANSWERS)


def _has_messages(item: dict[str, Any]) -> bool:
    held = item.get("messages", item.get("contents"))
    return isinstance(held, list) and any(is_message(each) for each in held)


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The conversations; messages that stand alone, in a list or a line each, are one."""
    first = next(iterator := iter(items), None)
    if not (isinstance(first, dict) and is_message(first)):
        yield from joined([] if first is None else [first], iterator)
        return
    yield {**source.around, "messages": [first, *iterator]}


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    model = fields.take("model")
    messages, answers = _messages(fields), [_answer(fields, ANSWERS), _answer(fields, OTHERS)]
    name = Fields(model).text("id", "name") if isinstance(model, dict) else model
    nodes, last = read_chat([*messages, *answers[0]], source, name if isinstance(name, str) else None)
    if answers[1]:
        other, _ = read_chat(answers[1], source)
        parent = str(len(messages) - 1) if messages else None
        nodes |= {f"other {at}": _moved(node, parent) for at, node in other.items()}
    return build_conversation(
        nodes,
        last,
        source="messages",
        ids=[fields.text("id", "conversation_id")],
        title=fields.text("title", "name"),
        created=fields.time("created_at", "created", "createdAt"),
        system=[fields.text("system", "system_prompt"), _instruction(fields)],
        extra=fields.rest(),
    )


def _moved(node: Node, parent: str | None) -> Node:
    return Node(f"other {node.parent}" if node.parent else parent, [], node.message)


def _messages(fields: Fields) -> list[Any]:
    """What stands before the answer."""
    inner = Fields(fields.object("input"))
    held = fields.take("messages", "contents") or inner.take("messages")
    if held is not None and not isinstance(held, list):
        raise ExchangeError(f"messages: should be a list ({preview(held)})")
    if held is None:
        asked = fields.take(*QUESTIONS)
        if isinstance(asked, list):
            return asked
        more = fields.text("input", "context")
        earlier = [turn for pair in fields.items("history") for turn in _turns(pair)]
        words = "\n\n".join(each for each in (asked, more) if isinstance(each, str) and each)
        return [*earlier, {"role": "user", "content": words}]
    return held


def _turns(pair: Any) -> list[dict[str, str]]:
    """A question and its answer before."""
    if not isinstance(pair, list) or len(pair) != 2:
        return []
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant"), pair, strict=True)]


def _answer(fields: Fields, names: tuple[str, ...]) -> list[Any]:
    """An answer, as a text or as messages."""
    held = fields.take(*names)
    if isinstance(held, str):
        return [{"role": "assistant", "content": held}]
    return held if isinstance(held, list) else [held] if isinstance(held, dict) else []


def _instruction(fields: Fields) -> str:
    """Google's system instruction."""
    held = Fields(fields.take("systemInstruction", "system_instruction"))
    parts = [Fields(each).text("text") for each in held.items("parts")]
    return held.text("text") or "\n".join(filter(None, parts))


FORM = Form("messages (plain, or for fine-tuning)", recognizes, convert, gather)
