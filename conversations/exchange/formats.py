"""The formats of an export: how a file of each is named, and what writes it. Knows no format itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from conversations.exchange.html import render_html
from conversations.exchange.jsonl import jsonl_chunks
from conversations.exchange.markdown import render_markdown
from conversations.exchange.pdf import availability_error, render_pdf
from conversations.exchange.schema import json_chunks

Conversations = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class FileFormat:
    """`label` is what people call it; `write` gives the pieces of a file, of one conversation where it `is_single`."""

    name: str
    label: str
    media_type: str
    write: Callable[[Conversations], Iterator[bytes]]
    is_single: bool = False

    @property
    def problem(self) -> str | None:
        """Why no file can be made; None where one can."""
        return availability_error() if self.name == "pdf" else None


def _texts(chunks: Callable[[Conversations], Iterable[str]], conversations: Conversations) -> Iterator[bytes]:
    for text in chunks(conversations):
        yield text.encode()


def _markdown(conversations: Conversations) -> Iterator[str]:
    for position, conversation in enumerate(conversations):
        yield ("\n" if position else "") + render_markdown(conversation)


def _html(conversations: Conversations) -> Iterator[str]:
    yield from map(render_html, conversations)


def _pdf(conversations: Conversations) -> Iterator[bytes]:
    yield from map(render_pdf, conversations)


FORMATS = {
    form.name: form
    for form in (
        FileFormat("json", "JSON", "application/json", partial(_texts, json_chunks)),
        FileFormat("markdown", "Markdown", "text/markdown", partial(_texts, _markdown)),
        FileFormat("html", "HTML", "text/html", partial(_texts, _html), is_single=True),
        FileFormat("pdf", "PDF", "application/pdf", _pdf, is_single=True),
        FileFormat("jsonl", "JSONL for training", "application/jsonl", partial(_texts, jsonl_chunks)),
        FileFormat(
            "jsonl-liked",
            "JSONL of liked replies",
            "application/jsonl",
            partial(_texts, partial(jsonl_chunks, liked=True)),
        ),
    )
}  # of which json alone can be imported again
ENDINGS = {"markdown": "md", "jsonl-liked": "jsonl"}


def ending(name: str) -> str:
    """How the name of a file of this format ends, with the dot."""
    return f".{ENDINGS.get(name, name)}"
