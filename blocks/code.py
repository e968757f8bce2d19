"""Code with its words in colours, by Pygments: classes alone, whose colours the page's style has. Knows no Markdown."""

from functools import cache, lru_cache
from html import escape
from typing import Any

MAX_LENGTH = 100_000  # characters of a block; a longer one has no colours
PIECE = 20  # lines of a growing block that are coloured by themselves


def render_code(code: str, language: str) -> str:
    """HTML of a block of code, a span for each word of a known language."""
    lexer = _lexer(language)
    if lexer is None or len(code) > MAX_LENGTH:
        return escape(code)
    from pygments import highlight  # when the first code comes

    return str(highlight(code, lexer, _formatter()))


def render_growing_code(code: str, language: str) -> str:
    """The same of a block that is still written: piece by piece, so that only the last one is read again.

    What reaches over pieces (a long comment) has its colours at the end.
    """
    lines = code.splitlines(keepends=True)
    return "".join(_render_piece("".join(lines[at : at + PIECE]), language) for at in range(0, len(lines), PIECE))


@lru_cache(1024)
def _render_piece(code: str, language: str) -> str:
    return render_code(code, language)


@lru_cache(256)
def _lexer(language: str) -> Any:
    """What reads this language; None where nothing does."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None


@cache
def _formatter() -> Any:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True, classprefix="hl-")
