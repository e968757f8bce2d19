"""What a Markdown file holds: its links, headings, tables and pieces of code. Knows not where a link leads."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # a model card's data, which is no Markdown


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


def front(path: Path) -> dict[str, str]:
    """The `name: value` lines that a model card begins with."""
    found = FRONT.match(path.read_text(encoding="utf-8"))
    rows = (line.partition(":") for line in found[0].splitlines() if ":" in line) if found else ()
    return {name.strip(): value.strip() for name, _, value in rows}


def read(path: Path) -> list[Token]:
    """The blocks of a file; tables are read, front matter is not."""
    text = FRONT.sub(lambda found: "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"))
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


def plain(inline: Token) -> str:
    """A piece of text without its marks."""
    return "".join(piece.content for piece in inline.children or ())


def headings(blocks: list[Token], tag: str = "") -> list[str]:
    """The text of the headings, all or those of one level (`h2`)."""
    opened = (place for place, block in enumerate(blocks) if block.type == "heading_open" and tag in {"", block.tag})
    return [plain(blocks[place + 1]) for place in opened]


def anchors(blocks: list[Token]) -> set[str]:
    """What may follow a # in a link to this file: headings as code hosts name them, and ids in HTML."""
    found: set[str] = set()
    for heading in headings(blocks):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(1 for name in found if name == slug or re.fullmatch(re.escape(slug) + r"-\d+", name))
        found.add(f"{slug}-{again}" if again else slug)
    html = (piece for _, piece in _pieces(blocks) if piece.type in {"html_block", "html_inline"})
    return found.union(*(Markup(piece.content).anchors for piece in html))


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
