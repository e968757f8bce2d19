"""Thoughts of ChatGPT's, which are messages of their own there, as what was thought before the reply that they led to.

Of several replies below the same thoughts the first one has them. Thoughts that led to none are a reply without a word.
Knows messages in our form and their tree.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from conversations.exchange.branches import Node, children_of, parents_of

RECAP = "reasoning_recap"  # says how long
KINDS = ("thoughts", RECAP)
TIME = re.compile(r"(\d+)\s*(h|m|s)")
SECONDS = {"h": 3600, "m": 60, "s": 1}
Message = dict[str, Any]


def join_thoughts(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes, of which no shown one is a thought."""
    joined, parents = dict(nodes), parents_of(nodes)
    below = children_of(nodes, parents)
    begun: dict[str | None, list[str]] = {None: []}  # the thoughts that led to a node, and no reply has yet
    waiting = below.get(None, [])[::-1]
    while waiting:
        at = waiting.pop()
        message, pending = nodes[at].message, begun[parents[at]]
        waiting += below.get(at, [])[::-1]
        begun[at] = pending
        if is_thought(message):
            pending.append(at)
        elif message is not None and message["role"] == "assistant" and not _is_hidden(message):
            joined |= _give(nodes, at, message, pending)
        if message is not None and message["role"] == "user":
            begun[at] = []
    for pending in begun.values():
        joined |= _give_to_none(nodes, pending)
    return joined


def is_thought(message: Message | None) -> bool:
    """Whether a message is a thought, or says how long it took, and is shown."""
    kind = (message["extra"] or {}).get("content_type") if message is not None else None
    return message is not None and kind in KINDS and not _is_hidden(message)


def _is_hidden(message: Message) -> bool:
    return (message["extra"] or {}).get("hidden") is True


def _give(nodes: Mapping[str, Node], at: str, reply: Message, pending: list[str]) -> dict[str, Node]:
    """The node of a reply with its thoughts, and those without a message; afterwards they are pending no more."""
    if not pending:
        return {}
    taken = {each: replace(nodes[each], message=None) for each in pending}
    thoughts = [thought for each in pending if (thought := nodes[each].message) is not None]
    pending.clear()
    return {**taken, at: replace(nodes[at], message={**reply, **_thinking(thoughts, reply)})}


def _give_to_none(nodes: Mapping[str, Node], pending: list[str]) -> dict[str, Node]:
    """The last of some thoughts as a reply that was cut before its first word; a time alone stays what it is."""
    thoughts = [thought for each in pending if (thought := nodes[each].message) is not None]
    if all((thought["extra"] or {})["content_type"] == RECAP for thought in thoughts):
        return {}
    last, thought = pending[-1], thoughts[-1]
    reply = {**thought, "role": "assistant", "text": "", "extra": None, "state": "interrupted"}
    return _give(nodes, last, reply, pending)


def _thinking(thoughts: list[Message], reply: Message) -> Message:
    words = [thought["text"] for thought in thoughts if (thought["extra"] or {})["content_type"] != RECAP]
    spans = [seconds for thought in thoughts if (seconds := _seconds(thought)) is not None]
    beside = list(filter(None, map(_beside, thoughts)))
    return {
        "thinking": "\n\n".join(words) or None,
        "thinking_ms": sum(spans) * 1000 or None,
        "extra": {**(reply["extra"] or {}), **({"thoughts": beside} if beside else {})} or None,
    }


def _seconds(thought: Message) -> float | None:
    """How long was thought, as a recap says; None where this is none, or says it in other words."""
    extra = thought["extra"] or {}
    if extra["content_type"] != RECAP:
        return None
    metadata = extra.get("metadata")
    told = metadata.get("finished_duration_sec") if isinstance(metadata, dict) else None
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e9:
        return float(told)
    spans = [int(number) * SECONDS[unit] for number, unit in TIME.findall(thought["text"][:100])]
    return float(sum(spans)) if spans else None


def _beside(thought: Message) -> dict[str, Any]:
    """What stands beside a thought's words; of a recap that says no time its words as well."""
    extra = dict(_rest(thought["extra"] or {}))
    is_untold = (thought["extra"] or {})["content_type"] == RECAP and _seconds(thought) is None
    return {**extra, **({"text": thought["text"]} if is_untold else {})}


def _rest(extra: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in extra.items() if name != "content_type")
