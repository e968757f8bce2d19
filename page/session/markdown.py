"""What others wrote, made safe for Streamlit: Markdown that fetches nothing, names and titles as plain words."""

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from markdown_it import MarkdownIt

from blocks.prose import rewrite

IMAGE = re.compile(r"!(?=\[)")
BROKEN = "!\u2060"  # an invisible joiner: what follows is a link, which nobody fetches unasked
OTHER_FENCES = re.compile(r"\$\$|:::|\[\^|\r")  # Streamlit's own blocks, which may end where CommonMark sees code go on
MARKDOWN = MarkdownIt("commonmark")
CACHED = 256  # texts: those of a page are drawn anew with each press
SYNTAX = re.compile(r"([\\`*_\[\]<>#|~$&])|^([-+=])|(?<=\d)([.)])(?=\s|$)")
# Streamlit reads :red[…], :material/…: and :smile: after any escaping, and makes links of what looks like an address
URL_SAFE = "%/:?#@!$&'*+,;=~-._"  # of an address inside a link: no space and no bracket
DIRECTIVE = re.compile(r"([:@]|\bwww)(?=\S)", re.IGNORECASE)


@lru_cache(CACHED)
def safe_markdown(text: str, *, keeps_lines: bool = True) -> str:
    """Markdown as Streamlit is to draw it, fetching nothing: no image is left, code stays as it is.

    `keeps_lines`: as `rewrite` has it.
    """
    return _break_images(rewrite(text.replace("\x00", "\ufffd"), keeps_lines=keeps_lines))


def _break_images(text: str) -> str:
    if not IMAGE.search(text):
        return text
    exempt: set[int] = set()
    if not OTHER_FENCES.search(text):
        for token in MARKDOWN.parse(text):
            if token.type == "fence" and token.level == 0 and token.map:
                exempt.update(range(*token.map))
    lines = text.split("\n")
    return "\n".join(line if n in exempt else IMAGE.sub(BROKEN, line) for n, line in enumerate(lines))


def link(title: str, url: str) -> str:
    """A link to a page under its title; the title alone where the address is none of a page."""
    words = escape_markdown(title or url)
    try:
        is_page = url.startswith(("https://", "http://")) and bool(urlsplit(url).netloc)
    except ValueError:
        is_page = False
    return f"[{words}]({quote(url, safe=URL_SAFE)})" if is_page else words


def escape_markdown(text: str) -> str:
    """One line for a label or a heading, which Streamlit reads as Markdown: every character stands for itself."""
    escaped = SYNTAX.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))
    return DIRECTIVE.sub("\\1\u2060", escaped)
