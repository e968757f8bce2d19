"""The documents in our form: their passages, cut anew, and which of them replies quote. Knows our form; no table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conversations.exchange.errors import ExchangeError, shown
from conversations.exchange.schema import PAGED
from documents.settings import Limits
from documents.split import Passage, split


def passages(document: Mapping[str, Any]) -> Iterator[Passage]:
    """Where they stand is computed: no place in a text that a file names is believed."""
    return split(document["pages"], PAGED[document["kind"]])


def quotes(conversation: Mapping[str, Any]) -> dict[tuple[int, int], Passage]:
    """The passages that messages name as sources, by the document's number and where they begin."""
    wanted = {(s["document"], s["begins"]) for m in conversation["messages"] for s in m.get("sources", ())}
    found: dict[tuple[int, int], Passage] = {}
    for number in {number for number, _ in wanted}:
        if number < len(conversation.get("documents", ())):
            for passage in passages(conversation["documents"][number]):
                if (number, passage.start) in wanted:
                    found.setdefault((number, passage.start), passage)
    return found


def settled(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """The same without the sources that are no passage of a document, such as those of another way to cut."""
    there = quotes(conversation)
    return {**conversation, "messages": [_settled(message, there) for message in conversation["messages"]]}


def _settled(message: Mapping[str, Any], there: Mapping[tuple[int, int], Passage]) -> dict[str, Any]:
    others = {name: value for name, value in message.items() if name != "sources"}
    kept = [source for source in message.get("sources", ()) if (source["document"], source["begins"]) in there]
    return {**others, "sources": kept} if kept else others


def bounded(conversations: Sequence[Mapping[str, Any]], limits: Limits) -> None:
    """Raises ExchangeError for a document that would not be read from a file either."""
    for document in (document for each in conversations for document in each.get("documents", ())):
        pages, letters = len(document["pages"]), sum(map(len, document["pages"]))
        for count, most, what in (
            (pages, limits.max_pages, "pages"),
            (letters, limits.max_characters, "characters"),
        ):
            if count > most:
                knob = f"DOCUMENTS_MAX_{what.upper()}"
                raise ExchangeError(f"document {shown(document['name'])} has {count:,} {what}; {knob} is {most:,}")
