"""The documents in our form: their passages, cut anew, and which of them replies quote. Knows our form; no table."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from conversations.exchange.errors import ExchangeError, preview
from documents.kind import UNITS
from documents.part import Part, number_parts
from documents.settings import DocumentSettings
from documents.split import Passage, split_parts


def split_document(document: Mapping[str, Any]) -> Iterator[Passage]:
    """Where they begin and end is computed: nothing that a file says of it is believed."""
    return split_parts(parts_of(document))


def parts_of(document: Mapping[str, Any]) -> list[Part]:
    """The parts of a document, with their places."""
    texts, unit = document["pages"], UNITS[document["kind"]]
    if unit is not None:
        return number_parts(texts, unit)
    return [Part(text, place=place) for text, place in zip_longest(texts, document.get("places") or ())]


def cited_passages(conversation: Mapping[str, Any]) -> dict[tuple[int, int], Passage]:
    """The passages that messages name as sources, by the document's number and where they begin."""
    wanted = {(s["document"], s["begins"]) for m in conversation["messages"] for s in m.get("sources", ())}
    passages: dict[tuple[int, int], Passage] = {}
    for number in {number for number, _ in wanted}:
        if number < len(conversation.get("documents", ())):
            for passage in split_document(conversation["documents"][number]):
                if (number, passage.start) in wanted:
                    passages.setdefault((number, passage.start), passage)
    return passages


def drop_dangling_sources(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """The conversation without sources that are no passage of a document, such as those of another way to cut."""
    there = cited_passages(conversation)
    return {**conversation, "messages": [_drop_dangling(message, there) for message in conversation["messages"]]}


def _drop_dangling(message: Mapping[str, Any], there: Mapping[tuple[int, int], Passage]) -> dict[str, Any]:
    others = {name: value for name, value in message.items() if name != "sources"}
    sources = [
        (number, source)
        for number, source in numbered_sources(message)
        if (source["document"], source["begins"]) in there
    ]
    kept = [source if number == at else {**source, "number": number} for at, (number, source) in enumerate(sources, 1)]
    return {**others, "sources": kept} if kept else others


def numbered_sources(message: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The sources of a message with the numbers that its markers name; by their places, where two have one number."""
    sources = list(message.get("sources", ()))
    numbers = [source.get("number") or place for place, source in enumerate(sources, 1)]
    return list(zip(numbers if len(set(numbers)) == len(numbers) else range(1, len(sources) + 1), sources, strict=True))


def check_limits(conversations: Sequence[Mapping[str, Any]], settings: DocumentSettings) -> None:
    """Check each document against the limits of a file that is read. Raises ExchangeError."""
    for document in (document for each in conversations for document in each.get("documents", ())):
        pages = len(document["pages"]) if UNITS[document["kind"]] else 1
        letters = sum(map(len, document["pages"]))
        for count, most, what in (
            (pages, settings.max_pages, "pages"),
            (letters, settings.max_characters, "characters"),
        ):
            if count > most:
                variable = f"DOCUMENTS_MAX_{what.upper()}"
                raise ExchangeError(
                    f"document {preview(document['name'])} has {count:,} {what}; {variable} is {most:,}"
                )
