"""A reply's Markdown as a tree of plain values, for what is drawn elsewhere than in a browser. Knows no such drawing.

Each node is a mapping with its `kind`: paragraph, heading (`level`), list (`start`, None for bullets), item, quote,
code (`text`, `language`), table (its `cells`, the `aligns` of a row), rule, formula (`tex`, `tree`, `display`); within
lines text, strong, emphasis, strike, code, link (`url`), break and box (`done`). Links lead where the page's do.
"""

from collections.abc import Sequence
from typing import Any

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from blocks.formula import parse_formula
from blocks.markdown import parse

Node = dict[str, Any]
SPANS = {"strong": "strong", "em": "emphasis", "s": "strike", "paragraph": "paragraph", "list_item": "item"}
MATHS = {"math_inline": False, "math_inline_double": False, "math_block": True}


def parse_tree(text: str) -> list[Node]:
    """The blocks of a reply."""
    tokens: Sequence[Token] = parse(text)
    return _nodes(SyntaxTreeNode(tokens).children)


def _nodes(nodes: Sequence[SyntaxTreeNode]) -> list[Node]:
    return [each for node in nodes for each in _convert(node)]


def _convert(node: SyntaxTreeNode) -> list[Node]:
    """What stands for a node: itself as one of ours, or what is in it."""
    kind = node.type
    if kind == "text":
        return [{"kind": "text", "text": node.content}] if node.content else []
    if kind in SPANS:
        return [{"kind": SPANS[kind], "children": _nodes(node.children)}]
    if kind in MATHS:
        tex = node.content.strip()
        return [{"kind": "formula", "tex": tex, "tree": parse_formula(tex), "display": MATHS[kind]}]
    if kind in {"fence", "code_block"}:
        language = node.info.split(maxsplit=1)[0] if node.info.strip() else ""
        return [{"kind": "code", "text": node.content.removesuffix("\n"), "language": language, "block": True}]
    return _convert_other(node)


def _convert_other(node: SyntaxTreeNode) -> list[Node]:
    kind = node.type
    if kind == "code_inline":
        return [{"kind": "code", "text": node.content, "language": "", "block": False}]
    if kind in {"softbreak", "hardbreak"}:
        return [{"kind": "break"} if kind == "hardbreak" else {"kind": "text", "text": " "}]
    if kind == "heading":
        return [{"kind": "heading", "level": int(node.tag[1:]), "children": _nodes(node.children)}]
    if kind == "link":
        return [{"kind": "link", "url": str(node.attrs.get("href") or ""), "children": _nodes(node.children)}]
    if kind in {"bullet_list", "ordered_list"}:
        start = int(node.attrs.get("start") or 1) if kind == "ordered_list" else None
        return [{"kind": "list", "start": start, "children": _nodes(node.children)}]
    if kind == "blockquote":
        return [{"kind": "quote", "children": _nodes(node.children)}]
    if kind == "table":
        return [_convert_table(node)]
    if kind == "hr":
        return [{"kind": "rule"}]
    if kind == "task_box":
        return [{"kind": "box", "done": bool(node.content)}]
    return _nodes(node.children)


def _convert_table(node: SyntaxTreeNode) -> Node:
    """A table's cells, row by row, and on which side those of each column stand."""
    rows = [row for part in node.children for row in part.children]
    sides = [str(cell.attrs.get("style") or "").removeprefix("text-align:") for cell in rows[0].children]
    cells = [_nodes(cell.children) for row in rows for cell in row.children]
    return {"kind": "table", "cells": cells, "aligns": sides}
