"""A text that is no Markdown as blocks of HTML, a line each, so that a growing one is drawn like a reply."""

from html import escape

from blocks.markdown import Blocks


def plain_blocks(text: str) -> Blocks:
    """HTML of each line, in which every character stands for itself."""
    return tuple(escape(line) or "<br>" for line in text.split("\n"))
