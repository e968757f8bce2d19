"""Passages of documents as a terminal shows them, and as JSON. Knows sources; nothing of how they are found."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from documents.marker import Marker
    from documents.source import Source

OURS_NOTE = "The model named no source; the words of its sentences were found in those marked {}."


def format_cited(sources: Sequence["Source"], markers: Sequence["Marker"]) -> Iterator[str]:
    """A line for each source of a reply: first those that it names, then the others."""
    from documents.alignment import used_numbers
    from documents.marker import OURS

    by_number, is_ours = {source.number: source for source in sources}, any(marker.is_ours for marker in markers)
    used = [by_number[number] for number in used_numbers(markers)]
    others = [source for source in sources if source not in used]
    if is_ours:
        yield OURS_NOTE.format(OURS)
    yield from (f"{OURS if is_ours else ''}{line}" for line in format_sources(used))
    if used and others:
        yield "Also given to the model:"
    yield from format_sources(others)


def format_sources(sources: Sequence["Source"]) -> Iterator[str]:
    """A line for each source: number, place and quote, whose line ends are spaces."""
    for each in sources:
        yield f"[{each.number}] {each.location}: {' '.join(each.quote.split())}"


def sources_to_json(sources: Sequence["Source"]) -> list[dict[str, Any]]:
    """The sources as JSON objects: file, page, place, quote, score, number, and region (of a scan)."""
    from documents.source import source_values

    return [source_values(each) for each in sources]


def cited_to_json(sources: Sequence["Source"], markers: Sequence["Marker"]) -> list[dict[str, Any]]:
    """The same of a reply's, with `mentions`: where it names them, and who wrote that, the model or this program."""
    from documents.source import source_values

    return [{**source_values(each), "mentions": list(_mentions(each, markers))} for each in sources]


def _mentions(source: "Source", markers: Sequence["Marker"]) -> Iterator[dict[str, Any]]:
    for marker in markers:
        if source.number in marker.numbers:
            yield {"start": marker.start, "end": marker.end, "by": "server" if marker.is_ours else "model"}
