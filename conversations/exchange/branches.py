"""A foreign tree of messages as ours: parents first, numbered, without placeholders. Knows ids and links; no format."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.schema import ID


@dataclass(frozen=True)
class Node:
    """`message` is in our form but for number and parent; None: left out, and what hangs on it moves up."""

    parent: str | None
    children: Sequence[str]
    message: dict[str, Any] | None


def first_valid_id(*ids: str | None) -> str:
    """The first id that can be ours; empty where there is none, and the conversation gets one."""
    return next((each for each in ids if each and re.fullmatch(ID, each)), "")


def number_messages(
    nodes: Mapping[str, Node], head: str | None, since: float
) -> tuple[list[dict[str, Any]], int | None]:
    """The messages, and the number of `head`; one without a time has its parent's, or `since`.

    Raises ExchangeError where messages are each other's ancestors.
    """
    parents = parents_of(nodes)
    below = children_of(nodes, parents)
    messages: list[dict[str, Any]] = []
    numbers: dict[str, int | None] = {}
    waiting = below.get(None, [])[::-1]
    while waiting:
        at = waiting.pop()
        parent, message = parents[at], nodes[at].message
        above = None if parent is None else numbers[parent]
        numbers[at] = above
        if message is not None:
            numbers[at] = len(messages)
            time = since if above is None else messages[above]["created"]
            created = time if message["created"] is None else message["created"]
            messages.append({"number": len(messages), "parent": above, **message, "created": created})
        waiting += below.get(at, [])[::-1]
    if len(numbers) < len(nodes):
        lost = next(at for at in nodes if at not in numbers)
        raise ExchangeError(f"message {preview(lost)} is its own ancestor")
    return messages, None if head is None else numbers.get(head)


def extract_system_prompt(nodes: Mapping[str, Node]) -> tuple[dict[str, Node], list[dict[str, Any]]]:
    """The nodes without the system messages that everything hangs on, and these; hidden ones stay where they are."""
    remaining, system = dict(nodes), list[dict[str, Any]]()
    below = children_of(nodes, parents_of(nodes))
    at: str | None = None
    while len(children := below.get(at, [])) == 1:
        at = children[0]
        message = remaining[at].message
        if message is not None and message["role"] != "system":
            break
        if message is not None and not (message["extra"] or {}).get("hidden"):
            system.append(message)
            remaining[at] = replace(remaining[at], message=None)
    return remaining, system


def unused_name(name: str, nodes: Mapping[str, Node]) -> str:
    """The name, or another one where it is taken: of two messages with one id, none is lost."""
    number = len(nodes)
    unused = name
    while unused in nodes:
        unused, number = f"{name} {number}", number + 1
    return unused


def first_time(nodes: Mapping[str, Node]) -> float:
    """The earliest time of a message; 0 where none has one."""
    return min((time for node in nodes.values() if node.message and (time := node.message["created"])), default=0.0)


def last_time(nodes: Mapping[str, Node]) -> float:
    """The latest time of a message; 0 where none has one."""
    return max((time for node in nodes.values() if node.message and (time := node.message["created"])), default=0.0)


def parents_of(nodes: Mapping[str, Node]) -> dict[str, str | None]:
    """Each one's parent by its own word, else by the word of whoever lists it as a child."""
    listed = {child: at for at, node in nodes.items() for child in node.children}
    return {at: node.parent if node.parent in nodes else listed.get(at) for at, node in nodes.items()}


def children_of(nodes: Mapping[str, Node], parents: Mapping[str, str | None]) -> dict[str | None, list[str]]:
    """Children by parent, in the parent's order; None has the first messages."""
    below: dict[str | None, list[str]] = {}
    for at, parent in parents.items():
        below.setdefault(parent, []).append(at)
    for parent, children in below.items():
        if parent is not None:
            order = {child: position for position, child in enumerate(nodes[parent].children)}
            children.sort(key=lambda child, order=order: order.get(child, len(order)))  # type: ignore[misc]
    return below
