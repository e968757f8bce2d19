"""The grammar of calls: which tools, with which arguments, in which form; as llguidance's Lark has it.

Knows formats and schemas; nothing of tokens but which texts are special ones.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from backends.local.grammar import JSON_STYLE, FormError, Grammars
from backends.local.response_format import ResponseFormat, locate, with_disjoint_choices, without_keywords
from backends.local.sampling import UnsupportedOptionError
from backends.local.tools.formats import ID, Form
from backends.local.tools.offer import Offer, Tool

ID_PATTERN = "/[a-zA-Z0-9]{9}/"
Split = Callable[[str], list[tuple[str, int | None]]]  # pieces of a text, with the id of those that are special tokens


class Held(NamedTuple):
    """The schema that a tool's arguments are held to, and what of the tool's own they are not, each with its place."""

    schema: dict[str, Any]
    not_held: tuple[str, ...] = ()


class CallGrammar(NamedTuple):
    """The grammar of calls, and what of the tools' schemas it leaves to the model, for people."""

    form: ResponseFormat
    not_held: str | None = None


def held_to(tool: Tool, grammars: Grammars) -> Held:
    """What a tool's arguments are held to: all but the keywords that cannot be, unless the tool is strict.

    Raises UnsupportedOptionError, naming the tool, the keyword and its place.
    """
    own: dict[str, Any] = with_disjoint_choices(json.loads(tool.arguments))
    schema, left = own, list[str]()
    while True:
        form = ResponseFormat("json_schema", json.dumps(schema), tool.option)
        try:
            held = grammars.held_schema(form)
        except FormError as error:
            found = [keyword for keyword in error.keywords if keyword not in left]
            if tool.strict or not found:
                raise
            left += found
            schema = without_keywords(own, left)
        else:
            return Held(held, tuple(f"{keyword} at {locate(own, keyword)}" for keyword in left))


def call_grammar(
    forms: Sequence[Form], offer: Offer, grammars: Grammars, split: Split, text: ResponseFormat | None = None
) -> CallGrammar:
    """The grammar of calls in one of these forms; with `text` a reply may be a text of that form instead.

    Raises UnsupportedOptionError for arguments that cannot be held to, and for a grammar beside tools.
    """
    held = [held_to(tool, grammars) for tool in offer.callable]
    rules = [f"arguments_{number}: {_json_rule(each.schema)}" for number, each in enumerate(held)]
    starts = [f"form_{number}" for number in range(len(forms))]
    for number, form in enumerate(forms):
        rules += _form_rules(number, form, offer, split)
    if text is not None:
        starts.append("text")
        rules.append(f"text: {_text_rule(text, grammars)}")
    grammar = ResponseFormat("lark", "\n".join([f"start: {' | '.join(starts)}", *rules]), "tools")
    return CallGrammar(grammar, _tell(offer.callable, held))


def _tell(tools: Sequence[Tool], held: Sequence[Held]) -> str | None:
    """What of the schemas is left to the model; None where nothing is."""
    pairs = zip(tools, held, strict=True)
    left = "; ".join(f"{tool.option}: {', '.join(each.not_held)}" for tool, each in pairs if each.not_held)
    return f"{left} cannot be held to: the model is trusted with it, so check the arguments." if left else None


def _form_rules(number: int, form: Form, offer: Offer, split: Split) -> Iterator[str]:
    most = 1 if form.is_single else offer.most
    parts = [_literal(form.prefix, split), f"call_{number}"]
    if most > 1:
        parts.append(f"({_literal(form.separator, split)} call_{number}){{0,{most - 1}}}")
    yield f"form_{number}: {' '.join([*parts, _literal(form.suffix, split)])}"
    names = " | ".join(
        f"{_literal(tool.name + form.between, split)} arguments_{index}" for index, tool in enumerate(offer.callable)
    )
    yield f"call_{number}: {_literal(form.before, split)} ({names}) {_literal(form.after, split)}"


def _literal(text: str, split: Split) -> str:
    """A text as the grammar has it: strings, special tokens by their number, and the place of an id."""
    head, has_id, rest = text.partition(ID)
    parts = [json.dumps(piece, ensure_ascii=False) if token is None else f"<[{token}]>" for piece, token in split(head)]
    return " ".join([*parts, ID_PATTERN, _literal(rest, split)] if has_id else parts)


def _json_rule(schema: Any) -> str:
    styled = {**schema, "x-guidance": JSON_STYLE} if isinstance(schema, dict) else schema
    return f"%json {json.dumps(styled, ensure_ascii=False)}"


def _text_rule(form: ResponseFormat, grammars: Grammars) -> str:
    if form.kind == "json_schema":
        return _json_rule(grammars.held_schema(form))
    if form.kind == "choice":
        return " | ".join(json.dumps(each, ensure_ascii=False) for each in json.loads(form.text))
    if form.kind == "regex":
        pattern = re.sub(r"(?<!\\)/", r"\\/", form.text)
        return f"/{pattern}/"
    raise UnsupportedOptionError(
        form.option.split(".")[0], f"{form.option}: a grammar and tools ask for two forms of one reply: send one."
    )
