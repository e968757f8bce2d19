"""A conversation as one HTML file for people: it fetches nothing, runs nothing, and looks the same without a network.

Replies are the blocks that the page draws, formulas are MathML, code has its colours by classes; what people, tools and
documents said is text. A policy in the file forbids all that is not in it. Knows our form; nothing reads this back.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from blocks import render_blocks
from blocks.markers import link_markers, source_key
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
from documents.source import Source

STYLE = Path(__file__).with_name("html.css")
SIDES = ("left", "center", "right")  # of the cells of a table, which are told by attributes
NAMES = 3  # of passages in the line that unfolds them


def render_html(conversation: Mapping[str, Any], foot: str = "") -> str:
    """The shown branch (of a comparison all replies) as a document; `foot` is HTML of ours below it."""
    title = escape(conversation["title"] or "Untitled")
    shown = shown_messages(conversation)
    body = [
        f"<header><h1>{title}</h1>{''.join(_render_header(conversation))}</header>",
        "<main>",
        *map(_render_message, shown),
        *(f'<p class="note">{escape(note)}</p>' for note in omission_notes(conversation, shown)),
        "</main>",
        foot,
    ]
    return document(title, body)


def document(title: str, body: Iterable[str]) -> str:
    """A whole document with our style; `title` and `body` are HTML."""
    style, policy = _style()
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="robots" content="noindex, nofollow">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
    ]
    return "\n".join(
        ["<!doctype html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *body, "</body></html>\n"]
    )


@cache
def _style() -> tuple[str, str]:
    """The style, and the policy that allows it, where a table's cells stand, and pictures in the file: nothing else."""
    style = STYLE.read_text(encoding="utf-8")
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in (style, *(f"text-align:{side}" for side in SIDES)))
    rules = ("default-src 'none'", f"style-src 'unsafe-hashes' {hashes}", "img-src data:", "base-uri 'none'")
    return style, "; ".join((*rules, "form-action 'none'"))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def content_policy() -> str:
    """The policy of such a document, for a server that sends one."""
    return _style()[1]


def _render_header(conversation: Mapping[str, Any]) -> Iterator[str]:
    """Who the assistant is, and what there is to read."""
    persona = conversation["persona"]
    if persona:
        yield f"<p>Persona: {escape(persona['name'])}, {escape(persona['description'])}</p>"
        yield _folded("Its sentences", _typed("\n".join(persona["sentences"])))
    elif conversation["system"]:
        yield _folded("System prompt", _typed(conversation["system"]))
    if names := ", ".join(escape(document["name"]) for document in conversation.get("documents", ())):
        yield f"<p>Documents: {names}</p>"


def _render_message(shown: ShownMessage) -> str:
    """A message with all that hangs on it."""
    message, role = shown.form, shown.form["role"]
    heading = ", ".join(map(escape, shown.heading))
    parts = [f"<h2>{heading}</h2>", *map(_render_picture, pictures(message))]
    parts += map(_render_call, message.get("calls", ()))
    if role == "assistant":
        parts.append(_render_reply(shown))
    elif role == "user":
        parts.append(_typed(shown.text))
    else:
        parts.append(_folded(role.capitalize(), _typed(shown.text)))
    parts += [f'<p class="note">{escape(note)}</p>' for note in message_notes(message)]
    parts += _render_sources(shown)
    return f'<article class="{role}" id="message-{shown.number}">{"".join(parts)}</article>'


def _render_picture(picture: Mapping[str, Any]) -> str:
    """A picture, which is in the file itself."""
    address = f"data:{picture['mime_type']};base64,{picture['data']}"
    return f'<img src="{escape(address)}" alt="{escape("Picture: " + picture["name"])}">'


def _render_reply(shown: ShownMessage) -> str:
    """What was thought, folded, and the words."""
    text = link_markers(shown.text, shown.sources, shown.number, shown.question) if shown.text else ""
    thought = "".join(_folded(line, _typed(words)) for words, line in thoughts(shown.form))
    blocks = "".join(f"<div>{block}</div>" for block in render_blocks(text))
    return f'{thought}<div class="reply">{blocks}</div>'


def _render_call(call: Mapping[str, Any]) -> str:
    """A call of a tool, its arguments and result word for word."""
    texts = [text for text in (call["arguments"], call["result"]) if text]
    return _folded(call_title(call), "".join(f"<pre>{escape(text)}</pre>" for text in texts))


def _render_sources(shown: ShownMessage) -> Iterator[str]:
    """The passages that a reply was made from, folded up: first those that it names."""
    if not shown.sources:
        return
    ordered = ordered_sources(shown)
    places = list(dict.fromkeys(each.location for each in ordered))
    more = [f"{len(places) - NAMES} more"] if len(places) > NAMES else []
    ours = [f'<p class="note">{OURS_NOTE}</p>'] if any(marker.is_ours for marker in shown.markers) else []
    passages = [_render_source(source, shown.number) for source in ordered]
    yield _folded(f"Sources: {' · '.join([*places[:NAMES], *more])}", "".join([*ours, *passages]))


def _render_source(source: Source, message: int) -> str:
    key = source_key(message, source.number)
    title = escape(f"[{source.number}] {source.location}")
    return f'<section id="{key}"><h3>{title}</h3>{_typed(source.quote)}</section>'


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _typed(text: str) -> str:
    """A text in which every character stands for itself."""
    return f'<div class="typed">{escape(text)}</div>'
