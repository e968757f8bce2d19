"""What our Markdown files hold: links, anchors, tables and pieces of code. Knows not where a link leads."""

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # a model card's data, which is no Markdown
NOT_OURS = {"runs", "data", "node_modules", "build", "dist"}


def documents(root: Path) -> list[Path]:
    """Every Markdown file of the tree, but what is hidden, made or fetched."""
    paths: list[Path] = []
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in NOT_OURS]
        paths += [Path(folder, name) for name in files if name.endswith(".md")]
    return sorted(paths)


class Link(NamedTuple):
    """Where a link or an image points to, and in which line, from 1."""

    line: int
    target: str


class Markup(HTMLParser):
    """The targets in a piece of HTML within Markdown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by feed() for each tag."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.targets.append(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


def read(path: Path) -> list[Token]:
    """The blocks of a file; tables are read, front matter is not."""
    text = FRONT.sub(lambda front: "\n" * front[0].count("\n"), path.read_text(encoding="utf-8"))
    return MarkdownIt("commonmark").enable("table").parse(text)


def _pieces(blocks: list[Token]) -> Iterator[tuple[int, Token]]:
    """Every block and what stands in it, with the block's line."""
    line = 1
    for block in blocks:
        line = block.map[0] + 1 if block.map else line
        yield line, block
        for piece in block.children or ():
            yield line, piece


def links(blocks: list[Token]) -> Iterator[Link]:
    """Links and images, also those written in HTML."""
    for line, piece in _pieces(blocks):
        if piece.type in {"link_open", "image"}:
            yield Link(line, str(piece.attrs["href" if piece.type == "link_open" else "src"]))
        elif piece.type in {"html_block", "html_inline"}:
            yield from (Link(line, target) for target in Markup(piece.content).targets)


def _headings(blocks: list[Token]) -> Iterator[str]:
    """The text of the headings, without its marks."""
    for block, inline in pairwise(blocks):
        if block.type == "heading_open":
            yield "".join(piece.content for piece in inline.children or ())


def anchors(blocks: list[Token]) -> set[str]:
    """What may follow a # in a link to this file: headings as code hosts name them, and ids in HTML."""
    names: set[str] = set()
    for heading in _headings(blocks):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(1 for name in names if name == slug or re.fullmatch(re.escape(slug) + r"-\d+", name))
        names.add(f"{slug}-{again}" if again else slug)
    html = (piece for _, piece in _pieces(blocks) if piece.type in {"html_block", "html_inline"})
    return names.union(*(Markup(piece.content).anchors for piece in html))


def tables(blocks: list[Token]) -> Iterator[list[list[Token]]]:
    """Each table as rows of cells, the header first."""
    rows: list[list[Token]] = []
    for place, block in enumerate(blocks):
        if block.type == "table_open":
            rows = []
        elif block.type == "tr_open":
            rows.append([])
        elif block.type in {"td_open", "th_open"}:
            rows[-1].append(blocks[place + 1])
        elif block.type == "table_close":
            yield rows


def codes(blocks: list[Token]) -> list[str]:
    """What stands between backticks in a line."""
    return [piece.content for _, piece in _pieces(blocks) if piece.type == "code_inline"]


def fences(blocks: list[Token], *kinds: str) -> Iterator[str]:
    """Whole pieces of code, of the kinds given (`sh`) or of all."""
    for block in blocks:
        kind = block.info.strip() if block.type == "fence" else ""
        if block.type in {"fence", "code_block"} and (not kinds or kind in kinds):
            yield block.content
