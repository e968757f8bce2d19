"""The documents in our form: their passages, cut anew, and which of them replies quote. Knows our form; no table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.schema import HAS_PAGES
from documents.settings import DocumentSettings
from documents.split import Passage, split_pages


def split_document(document: Mapping[str, Any]) -> Iterator[Passage]:
    """Where they stand is computed: no place in a text that a file names is believed."""
    return split_pages(document["pages"], HAS_PAGES[document["kind"]])


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
    sources = [source for source in message.get("sources", ()) if (source["document"], source["begins"]) in there]
    return {**others, "sources": sources} if sources else others


def check_limits(conversations: Sequence[Mapping[str, Any]], settings: DocumentSettings) -> None:
    """Check each document against the limits of a file that is read. Raises ExchangeError."""
    for document in (document for each in conversations for document in each.get("documents", ())):
        pages, letters = len(document["pages"]), sum(map(len, document["pages"]))
        for count, most, what in (
            (pages, settings.max_pages, "pages"),
            (letters, settings.max_characters, "characters"),
        ):
            if count > most:
                variable = f"DOCUMENTS_MAX_{what.upper()}"
                raise ExchangeError(
                    f"document {preview(document['name'])} has {count:,} {what}; {variable} is {most:,}"
                )
