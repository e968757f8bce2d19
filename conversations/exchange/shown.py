"""What of a conversation people read: the shown branch, and the passages that its replies name. Knows our form only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from blocks import thought_line
from conversations.exchange.citations import cited_passages, numbered_sources
from conversations.store.tree import Tree
from documents.alignment import mark, used_numbers
from documents.marker import OURS, Marker
from documents.source import Source
from documents.split import Passage

OURS_NOTE = f"{OURS} before a number: the model named no source; the words of the sentence were found there."
DRAWABLE = ("image/png", "image/jpeg")
ROLE_NAMES = {"user": "You", "assistant": "Assistant", "system": "System", "tool": "Tool"}


@dataclass(frozen=True)
class ShownMessage:
    """A message in our form, the passages that it was made from, and where its text names them."""

    form: Mapping[str, Any]
    sources: Sequence[Source] = ()
    markers: Sequence[Marker] = ()
    question: str = ""

    @property
    def number(self) -> int:
        """Its number in the conversation."""
        return int(self.form["number"])

    @property
    def text(self) -> str:
        """What it says."""
        return str(self.form["text"])

    @property
    def heading(self) -> list[str]:
        """Who said it, with what model, when, and how it ended where it did not end well."""
        model = [self.form["model"]] if self.form["model"] else []
        state = [] if self.form["state"] == "done" else [self.form["state"]]
        return [ROLE_NAMES[self.form["role"]], *model, written_time(self.form["created"]), *state]


def branch(conversation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The messages of the shown branch; of a comparison all."""
    messages = conversation["messages"]
    if conversation["kind"] == "compare":
        return list(messages)
    path = Tree((m["number"], m["parent"]) for m in messages).path(conversation["head"])
    return [messages[number] for number in path]


def is_hidden(message: Mapping[str, Any]) -> bool:
    """Whether nobody is shown it."""
    return (message["extra"] or {}).get("hidden") is True


def shown_messages(conversation: Mapping[str, Any]) -> list[ShownMessage]:
    """The messages of the shown branch that are shown."""
    messages, passages = conversation["messages"], passages_of(conversation)
    shown = []
    for message in branch(conversation):
        if not is_hidden(message):
            sources = passages.get(message["number"], [])
            question = "" if message["parent"] is None else messages[message["parent"]]["text"]
            markers = mark(message["text"], tuple(sources), question)
            shown.append(ShownMessage(message, sources, markers, question))
    return shown


def omission_notes(conversation: Mapping[str, Any], shown: Sequence[ShownMessage]) -> list[str]:
    """What is to be said of messages that are not among those shown."""
    everywhere, here = len(conversation["messages"]), len(branch(conversation))
    counts = ((here - len(shown), "hidden"), (everywhere - here, "on other branches"))
    return [f"{n} {'message' if n == 1 else 'messages'} {where} not shown" for n, where in counts if n]


def passages_of(conversation: Mapping[str, Any]) -> dict[int, list[Source]]:
    """The passages that messages were made from, by their numbers; a snapshot's messages have them at hand."""
    passages = cited_passages(conversation)
    found = {message["number"]: _sources(message, conversation, passages) for message in conversation["messages"]}
    return {number: sources for number, sources in found.items() if sources}


def _sources(
    message: Mapping[str, Any], conversation: Mapping[str, Any], passages: Mapping[tuple[int, int], Passage]
) -> list[Source]:
    sources = [Source(**each) for each in message.get("passages", ())]
    for number, each in numbered_sources(message):
        if passage := passages.get((each["document"], each["begins"])):
            name = conversation["documents"][each["document"]]["name"]
            sources.append(Source(name, passage.page, passage.place, passage.text, each["score"], number))
    return sources


def entries(message: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list that an import brought beside a message."""
    held = (message["extra"] or {}).get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def pictures(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Its pictures that can be drawn anywhere, each with its `name`, `mime_type`, and `data` in base64."""
    return [each for each in message.get("pictures", ()) if each.get("mime_type") in DRAWABLE]


def attachments(message: Mapping[str, Any]) -> str:
    """The names of what was attached; empty where nothing was."""
    found = entries(message, "attachments")
    return ", ".join(" ".join(str(each[n]) for n in ("kind", "name", "prompt") if each.get(n)) for each in found)


def references(message: Mapping[str, Any]) -> str:
    """The pages that it was made from; empty where it was from none."""
    found = entries(message, "references")
    return ", ".join(" ".join(str(each[n]) for n in ("title", "url") if each.get(n)) for each in found)


def call_title(call: Mapping[str, Any]) -> str:
    """Which tool was called, what became of it, who allowed it, and when."""
    origin = f" of {call['origin']}" if call["origin"] not in {"", "own"} else ""
    by = f" ({call['decided_by']})" if call["decided_by"] else ""
    return f"Called {call['name']}{origin}: {call['status']}{by}, {written_time(call['asked'])}"


def written_time(seconds: float) -> str:
    """A moment in words that mean the same everywhere."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def thoughts(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a model thought before it answered, also where an import brought it as texts, with how long that took."""
    if thinking := message.get("thinking"):
        milliseconds = message.get("thinking_ms")
        yield thinking, thought_line(None if milliseconds is None else milliseconds / 1000)
    held = [(message["extra"] or {}).get(name) for name in ("reasoning", "details")]
    texts = [text for each in held if isinstance(each, list) for text in each if isinstance(text, str)]
    if texts:
        yield "\n\n".join(texts), thought_line(None)


def message_notes(message: Mapping[str, Any]) -> Iterator[str]:
    """What stands beside the words: files, pages, an error, what went wrong."""
    if names := attachments(message):
        yield f"Attached: {names}"
    if pages := references(message):
        yield f"From: {pages}"
    if message["error"]:
        yield f"Error: {message['error']}"
    if note := (message["extra"] or {}).get("note"):
        yield str(note)


def ordered_sources(shown: ShownMessage) -> list[Source]:
    """The passages that a reply was made from: first those that it names."""
    used = used_numbers(shown.markers)
    return sorted(shown.sources, key=lambda each: used.index(each.number) if each.number in used else len(used))
