"""Markers in a reply as links to the passages below it. Knows texts and numbers; draws nothing.

A link leads to the part of the page that `source_key` names; what happens there, `sources.js` says.
"""

from collections.abc import Sequence

from documents.alignment import mark, written_markers
from documents.marker import OURS, Marker
from documents.source import Source


def source_key(message_id: int, number: int) -> str:
    """The key under which a passage of a message is drawn, and the end of a link to it."""
    return f"source-{message_id}-{number}"


def link_markers(text: str, sources: Sequence[Source], message_id: int, question: str) -> str:
    """The Markdown of a reply that has ended, each marker a link to its passage."""
    return _link(text, mark(text, tuple(sources), question), message_id)


def link_growing_markers(text: str, sources: Sequence[Source], message_id: int) -> str:
    """The Markdown of a growing reply; only its model's own markers are known before its end."""
    return _link(text, written_markers(text, sources), message_id)


def _link(text: str, markers: Sequence[Marker], message_id: int) -> str:
    done, at = [], 0
    for marker in markers:
        links = [_format_link(number, message_id, marker.is_ours) for number in marker.numbers]
        others = [f"[{number}]" for number in marker.unknown]
        done += [text[at : marker.start], " " if marker.is_ours else "", *links, *others]
        at = marker.end
    return "".join([*done, text[at:]])


def _format_link(number: int, message_id: int, is_ours: bool) -> str:
    return f"[[{OURS if is_ours else ''}{number}]](#{source_key(message_id, number)})"
