"""Passages of documents as a terminal shows them, and as JSON. Knows sources; nothing of how they are found."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from documents.source import Source


def format_sources(sources: Sequence["Source"]) -> Iterator[str]:
    """A line for each source: number, place and quote, whose line ends are spaces."""
    for number, each in enumerate(sources, 1):
        yield f"[{number}] {each.location}: {' '.join(each.quote.split())}"


def sources_to_json(sources: Sequence["Source"]) -> list[dict[str, Any]]:
    """The sources as JSON objects: file, page, place, quote and score."""
    return [asdict(each) for each in sources]
