"""A reply's Markdown as blocks of HTML, by markdown-it-py: safe by construction, since HTML in it stays text.

A link leads to a page, an address of mail, or a place of this page; an image is a link, which nobody fetches
unasked. Formulas and line breaks are what `blocks.prose` makes of them, as for Streamlit. Knows no page.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_block_dollar
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from blocks.code import render_code, render_growing_code
from blocks.formula import render_formula
from blocks.prose import BLOCKS, JOINER, rewrite
from blocks.tasks import tasks_plugin

Blocks = tuple[str, ...]  # HTML of each block of a text, in order
CACHED = 512  # replies: those of a page are drawn anew with each press
ALLOWED_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
COPY = '<button type="button" class="copy" aria-label="Copy code" title="Copy code"></button>'
FORMULA_BLOCK = math_block_dollar(allow_labels=False)
TAG = re.compile(r"^[ ]{0,3}<", re.MULTILINE)  # what may be a block of HTML for others
GROWING = "growing"  # in a rendering's environment: a block of code goes on


def parse(text: str) -> list[Token]:
    """The blocks of a reply's text, or of a part of it that ends with a block."""
    return MARKDOWN.parse(rewrite(text.replace("\x00", "\ufffd").replace(JOINER, "")).replace(JOINER, ""))


def write(tokens: Sequence[Token], *, growing: bool = False) -> list[str]:
    """HTML of each block; the last one may go on where `growing`."""
    groups = list(_top_level(tokens))
    return [
        MARKDOWN.renderer.render(group, MARKDOWN.options, {GROWING: growing and group is groups[-1]})
        for group in groups
    ]


def block_starts(text: str) -> list[int]:
    """The lines of a text, from 0, in which a block begins that stands in no other, for us and for `rewrite`."""
    starts = [_starts(parser, text) for parser in (OUTLINE, *((BLOCKS,) if TAG.search(text) else ()))]
    return sorted(set.intersection(*starts))


def _starts(parser: MarkdownIt, text: str) -> set[int]:
    return {token.map[0] for token in parser.parse(text) if token.level == 0 and token.map and token.nesting >= 0}


@lru_cache(CACHED)
def render_blocks(text: str) -> Blocks:
    """HTML of each block of a reply."""
    return tuple(write(parse(text)))


def _top_level(tokens: Iterable[Token]) -> Iterable[list[Token]]:
    """The tokens of each block that stands in no other."""
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []


def _render_fence(self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[at]
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    colour = render_growing_code if env.get(GROWING) else render_code
    return f'<div class="code"><pre tabindex="0"><code>{colour(token.content, language)}</code></pre>{COPY}</div>'


def _render_inline_formula(
    self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    return render_formula(tokens[at].content.strip(), display=False)


def _render_formula_block(
    self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    return f'<div class="formula" tabindex="0">{render_formula(tokens[at].content.strip(), display=True)}</div>'


def _render_link(self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    address = str(tokens[at].attrGet("href") or "")
    if address.startswith("#"):
        return f'<a href="{escape(address)}">'
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">'


def _render_table(self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    return '<div class="table" tabindex="0"><table>' if tokens[at].nesting == 1 else "</table></div>"


def _find_formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The plugin's rule, which also says whether a paragraph ends here."""
    tokens, line = len(state.tokens), state.line
    found = FORMULA_BLOCK(state, start, end, silent)
    if silent:
        del state.tokens[tokens:]
        state.line = line
    return found


def _new_markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.disable(["image", "html_block", "html_inline"])
    markdown.use(dollarmath_plugin, allow_labels=False, allow_blank_lines=False, double_inline=True)
    # A formula on lines of its own ends a paragraph, as it does for Streamlit.
    interrupted: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.at("math_block", _find_formula_block, interrupted)
    markdown.use(gfm_autolink_plugin)
    markdown.use(tasks_plugin)
    markdown.validateLink = _is_allowed  # type: ignore[method-assign]
    for name, rule in (
        ("fence", _render_fence),
        ("code_block", _render_fence),
        ("math_inline", _render_inline_formula),
        ("math_inline_double", _render_inline_formula),
        ("math_block", _render_formula_block),
        ("link_open", _render_link),
        ("table_open", _render_table),
        ("table_close", _render_table),
    ):
        markdown.add_render_rule(name, rule)
    return markdown


def _is_allowed(url: str) -> bool:
    return ALLOWED_LINK.match(url.strip()) is not None


MARKDOWN = _new_markdown()
OUTLINE = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["html_block", "inline"])
