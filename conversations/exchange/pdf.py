"""A conversation as PDF, set by Typst, which brings its fonts along: formulas, code and tables as the page draws them.

What anybody said is handed over as data, so nothing of it is read as markup, and nothing is fetched. Fonts of this
machine draw the letters that Typst's own have not. Knows our form; nothing reads this back.
"""

import json
import logging
from base64 import b64decode
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from blocks.tree import parse_tree
from conversations.exchange.errors import ExchangeError
from conversations.exchange.shown import (
    OURS_NOTE,
    ShownMessage,
    call_title,
    message_notes,
    omission_notes,
    ordered_sources,
    pictures,
    shown_messages,
    thoughts,
)
from documents.marker import OURS
from settings import install_hint

log = logging.getLogger(__name__)
TEMPLATE = Path(__file__).with_name("pdf.typ")
INSTALL = "pip install -r requirements-pdf.txt"
Part = dict[str, Any]


def render_pdf(conversation: Mapping[str, Any]) -> bytes:
    """The shown branch (of a comparison all replies). Raises ExchangeError where Typst is not there."""
    if problem := availability_error():
        raise ExchangeError(problem)
    shown = shown_messages(conversation)
    said = {
        "title": conversation["title"] or "Untitled",
        "header": list(_header(conversation)),
        "messages": [{"heading": ", ".join(each.heading), "parts": list(_parts(each))} for each in shown],
        "notes": omission_notes(conversation, shown),
    }
    return _compile(json.dumps(said, ensure_ascii=False))


def _compile(said: str) -> bytes:
    """The pages; formulas stand as they were typed where one of them is none for Typst."""
    import typst

    def compile(formulas: str) -> bytes:
        inputs = {"conversation": said, "formulas": formulas}
        return bytes(typst.compile(TEMPLATE.read_bytes(), format="pdf", sys_inputs=inputs))

    try:
        return compile("drawn")
    except typst.TypstError:
        log.warning("a formula could not be drawn in a PDF")
        return compile("typed")


def availability_error() -> str | None:
    """Why none can be made; None where Typst is installed."""
    if find_spec("typst") is not None:
        return None
    return install_hint("PDF", f"run `{INSTALL}`, or export as html", "EXTRAS=pdf")


def _header(conversation: Mapping[str, Any]) -> Iterator[Part]:
    """Who the assistant is, and what there is to read."""
    persona = conversation["persona"]
    if persona:
        title = f"Persona: {persona['name']}, {persona['description']}"
        yield {"kind": "folded", "title": title, "text": "\n".join(persona["sentences"])}
    elif conversation["system"]:
        yield {"kind": "folded", "title": "System prompt", "text": conversation["system"]}
    if names := ", ".join(document["name"] for document in conversation.get("documents", ())):
        yield {"kind": "note", "text": f"Documents: {names}"}


def _parts(shown: ShownMessage) -> Iterator[Part]:
    """A message with all that hangs on it."""
    message = shown.form
    for picture in pictures(message):
        yield {"kind": "picture", "name": picture["name"], "data": list(b64decode(picture["data"]))}
    for call in message.get("calls", ()):
        text = "\n".join(filter(None, (call["arguments"], call["result"])))
        yield {"kind": "folded", "title": call_title(call), "text": text}
    if message["role"] != "assistant":
        yield {"kind": "typed", "text": shown.text}
    else:
        for text, line in thoughts(message):
            yield {"kind": "folded", "title": line, "text": text}
        yield {"kind": "reply", "nodes": parse_tree(_with_markers(shown))}
    yield from ({"kind": "note", "text": note} for note in message_notes(message))
    if any(marker.is_ours for marker in shown.markers):
        yield {"kind": "note", "text": OURS_NOTE}
    for source in ordered_sources(shown):
        yield {"kind": "folded", "title": f"[{source.number}] {source.location}", "text": source.quote}


def _with_markers(shown: ShownMessage) -> str:
    """The text, with ours among its markers."""
    done, at = [], 0
    for marker in shown.markers:
        numbers = "".join(f"\\[{OURS}{number}\\]" for number in marker.numbers) if marker.is_ours else ""
        written = shown.text[marker.start : marker.end]
        done += [shown.text[at : marker.start], f" {numbers}" if marker.is_ours else written]
        at = marker.end
    return "".join([*done, shown.text[at:]])
