"""Items of lists that begin with `[ ]` or `[x]` as boxes that nobody can tick: a rule for markdown-it-py."""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

BOX = re.compile(r"\[([ xX])\](?=[ \t])")
ITEM = ("list_item_open", "paragraph_open", "inline")


def tasks_plugin(markdown: MarkdownIt) -> None:
    """Have boxes found and drawn."""
    markdown.core.ruler.after("text_join", "tasks", _find_boxes)
    markdown.add_render_rule("task_box", _render_box)


def _find_boxes(state: StateCore) -> None:
    for item in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        children = item[2].children
        if tuple(token.type for token in item) == ITEM and children and (box := BOX.match(children[0].content)):
            children[0].content = children[0].content[box.end() :]
            children.insert(0, Token("task_box", "", 0, content=box[1].strip()))
            item[0].attrSet("class", "task")


def _render_box(self: RendererProtocol, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    state = 'checked aria-label="Done"' if tokens[at].content else 'aria-label="To do"'
    return f'<input type="checkbox" disabled {state}>'
