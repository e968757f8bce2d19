"""A conversation of ours out of messages that an importer has read. Knows our form; no foreign one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conversations.exchange.branches import (
    Node,
    extract_system_prompt,
    first_time,
    first_valid_id,
    last_time,
    number_messages,
)
from conversations.exchange.draft import Draft
from conversations.exchange.fields import is_empty, storable
from conversations.exchange.schema import validate_conversation
from conversations.store import store
from conversations.store.tree import Tree


def chain(drafts: Iterable[Draft]) -> tuple[dict[str, Node], str | None]:
    """Messages one below the other, and the last one's name."""
    nodes: dict[str, Node] = {}
    last: str | None = None
    for number, draft in enumerate(drafts):
        name = str(number)
        nodes[name] = Node(last, [], draft.message())
        last = name
    return nodes, last


def build_conversation(
    nodes: Mapping[str, Node],
    head: str | None,
    *,
    source: str,
    ids: Sequence[str] = (),
    title: str = "",
    created: float | None = None,
    updated: float | None = None,
    pinned: bool = False,
    system: Sequence[str] = (),
    persona: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A conversation with every field; `head` may stand above the branch's last message. Raises ExchangeError.

    `system` stands before the prompts that the messages begin with. Blanks around a title and a prompt are no part of
    it, and what stands beside such a prompt is kept beside the conversation.
    """
    nodes, opening = extract_system_prompt(nodes)
    begun = created or first_time(nodes)
    messages, last = number_messages(nodes, head, begun)
    _date_calls(messages)
    told = {"system": [each["extra"] for each in opening if each["extra"]]}
    beside = {name: storable(value) for name, value in [*(extra or {}).items(), *told.items()] if not is_empty(value)}
    return validate_conversation(
        {
            "id": first_valid_id(*ids),
            "title": title.strip() or store.make_title(_first_question(messages)),
            "created": begun,
            "updated": updated or last_time(nodes) or begun,
            "pinned": pinned,
            "system": _join_prompts([*system, *(each["text"] for each in opening)]),
            "persona": None if persona is None else dict(persona),
            "extra": {"source": source, **beside},
            "head": None if last is None else Tree((m["number"], m["parent"]) for m in messages).leaf(last),
            "messages": messages,
        }
    )


def _join_prompts(texts: Iterable[str]) -> str | None:
    """One prompt of all, each once; None where none says anything."""
    return "\n\n".join(dict.fromkeys(text.strip() for text in texts if text.strip())) or None


def _date_calls(messages: Iterable[dict[str, Any]]) -> None:
    """Give each call of a tool that has no time its message's."""
    for message in messages:
        for call in message.get("calls", ()):
            call["asked"] = message["created"] if call["asked"] is None else call["asked"]


def _first_question(messages: Iterable[Mapping[str, Any]]) -> str:
    """What somebody first said, as far as it is shown."""
    asked = (each for each in messages if each["role"] == "user" and not (each["extra"] or {}).get("hidden"))
    return next((each["text"] for each in asked), "")
