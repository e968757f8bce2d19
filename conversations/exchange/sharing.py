"""A conversation as others are shown it: the snapshot that a link holds, its page, and a copy to go on with.

Nothing is in a snapshot that its page does not show: no system prompt, no persona, no thumbs and no errors; names and
passages of documents, calls of tools, and what was thought, which may quote both, only where their owner wants it.
Knows our form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from typing import Any

from conversations.exchange.errors import ExchangeError
from conversations.exchange.exporter import export_conversation
from conversations.exchange.html import render_html
from conversations.exchange.importer import import_conversation
from conversations.exchange.shown import branch, is_hidden, passages_of
from conversations.store import links
from conversations.store.link_table import SharedLink
from conversations.store.store import Store
from conversations.store.tree import Tree

Form = dict[str, Any]
SHOWN = ("role", "text", "created", "state", "model", "stop_reason")  # of a message
THOUGHTS = ("thinking", "thinking_ms", "thinking_tokens")
NOT_COPIED = {"passages"}  # of a message: whoever goes on with a copy has no documents
EMPTY: Form = {"feedback": None, "summaries": [], "extra": None, "error": None}


def share(
    store: Store, conversation_id: str, days: float, *, branches: bool = False, documents: bool = False
) -> tuple[SharedLink, str]:
    """A link to the shown branch as it is now, or to all `branches`, and its token; `documents`: with what replies were
    made from. Raises NotFoundError, and ExchangeError where there is nothing to show.
    """
    body = snapshot(export_conversation(store, conversation_id), branches=branches, documents=documents)
    if not body["messages"]:
        raise ExchangeError("Nothing has been said in this conversation yet: there is nothing to share.")
    return links.create(store, conversation_id, body, days, branches=branches, documents=documents)


def snapshot(conversation: Mapping[str, Any], *, branches: bool, documents: bool) -> Form:
    """What a link shows, in our form; a message has its `passages` where it was made from some."""
    messages = conversation["messages"]
    chosen = messages if branches else branch(conversation)
    kept = [message for message in chosen if not is_hidden(message)]
    numbers = {message["number"]: number for number, message in enumerate(kept)}
    sources = passages_of(conversation) if documents else {}
    names = [{"name": each["name"]} for each in conversation.get("documents", ())] if documents else []
    head = branch(conversation)[-1:]
    return {
        **{name: conversation[name] for name in ("kind", "title", "created", "updated")},
        "persona": None,
        "system": None,
        "head": next((_above(message, messages, numbers) for message in head), None),
        "documents": names,
        "messages": [
            {
                **{name: message[name] for name in SHOWN},
                **EMPTY,
                "number": numbers[message["number"]],
                "parent": _above(_parent(message, messages), messages, numbers),
                **(_made_from(message, sources) if documents else {}),
                **_pictures(message, with_names=documents),
            }
            for message in kept
        ],
    }


def _parent(message: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return None if message["parent"] is None else messages[message["parent"]]


def _above(
    message: Mapping[str, Any] | None, messages: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]
) -> int | None:
    """The new number of a message, or of the nearest one above it that is kept."""
    while message is not None and message["number"] not in numbers:
        message = _parent(message, messages)
    return None if message is None else numbers[message["number"]]


def _pictures(message: Mapping[str, Any], *, with_names: bool) -> Form:
    found = message.get("pictures", ())
    return {"pictures": [each if with_names else {**each, "name": "picture"} for each in found]} if found else {}


def _made_from(message: Mapping[str, Any], sources: Mapping[int, Sequence[Any]]) -> Form:
    passages = [asdict(source) for source in sources.get(message["number"], ())]
    calls = message.get("calls")
    thoughts = {name: message[name] for name in THOUGHTS if message.get(name)}
    return {**thoughts, **({"passages": passages} if passages else {}), **({"calls": calls} if calls else {})}


def render_shared(link: SharedLink, copy_url: str, end: int | None = None) -> str:
    """The page of a link, on the branch of message `end`; `copy_url` is where its reader goes on with a copy."""
    body = {**link.body, "head": _end(link.body, end)}
    day = datetime.fromtimestamp(link.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    others = _other_ends(body)
    versions = "".join(f' <a href="?end={number}">{at}</a>' for at, number in enumerate(others, 1))
    listed = f"<p>Other branches:{versions}</p>" if others else ""
    copy = f'<a href="{escape(copy_url)}">Continue as my own copy</a>'
    return render_html(body, f"<footer>{listed}<p>A shared conversation, as it stood; until {day}. {copy}</p></footer>")


def _end(body: Mapping[str, Any], end: int | None) -> int | None:
    """The last message of the branch that is shown."""
    messages = body["messages"]
    if end is None or not 0 <= end < len(messages):
        head: int | None = body["head"]
        return head
    return Tree((message["number"], message["parent"]) for message in messages).leaf(end)


def _other_ends(body: Mapping[str, Any]) -> list[int]:
    """The last messages of the branches that are not shown; of a comparison none, which shows all."""
    if body["kind"] == "compare":
        return []
    tree = Tree((message["number"], message["parent"]) for message in body["messages"])
    return [number for number in tree.parents if number not in tree.children and number != body["head"]]


def copy_shared(store: Store, link: SharedLink) -> str:
    """The id of the owner's own copy, to go on with. Raises ExchangeError."""
    body = {name: value for name, value in link.body.items() if name != "documents"}
    messages = [
        {name: value for name, value in message.items() if name not in NOT_COPIED} for message in body["messages"]
    ]
    return import_conversation(store, {**body, "messages": messages})
