"""The chat template: messages in, segments of plain text and special tokens out.

Training and every local backend build the model's input here and nowhere else. It knows no tokenizer and no model:
the caller turns each segment into token ids, a plain one always with special tokens switched off.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from jinja2 import Template, TemplateError, meta
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

Message = Mapping[str, str]


@dataclass(frozen=True)
class Segment:
    """A run of plain text, or one special token written by the template."""

    text: str
    special: bool


@dataclass(frozen=True)
class RenderedPrompt:
    """A prompt in segments, and the strings that end the reply (a template may set `stop`)."""

    segments: tuple[Segment, ...]
    stop: tuple[str, ...] = ()


def render(
    template: str,
    messages: Sequence[Message],
    specials: Collection[str],
    *,
    reply: bool = True,
    options: Mapping[str, Any] | None = None,
    **variables: Any,
) -> RenderedPrompt:
    """Render `messages` (role and content) with a Jinja chat template.

    `specials` are the tokenizer's special tokens; one that a message's content spells stays plain text. So does one in
    `options`, variables that whoever asks sets for this template, as `enable_thinking`. `reply` adds the start of the
    assistant's turn. Raises ValueError where the template refuses the messages, and for an option that is set here.
    """
    options = options or {}
    mark = _unused_character(template, messages, options)
    guarded = [{**m, "content": _break_specials(m["content"], specials, mark)} for m in messages]
    builtins = {
        "messages": guarded,
        "add_generation_prompt": reply,
        "raise_exception": _refuse,
        "strftime_now": _now,
    }
    own = {**builtins, **variables}
    if taken := sorted(own.keys() & options.keys()):
        raise ValueError(f"chat_template_kwargs.{taken[0]}: the server sets it itself; leave it out.")
    try:
        module = _compiled(template).make_module({**_guard(options, specials, mark), **own})
    except (TemplateError, ArithmeticError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"The chat template refuses these messages: {error}") from error
    stop_variable = getattr(module, "stop", ())
    stop = (stop_variable,) if isinstance(stop_variable, str) else tuple(map(str, stop_variable))
    return RenderedPrompt(tuple(_split(str(module), specials, mark)), stop)


def render_plain(text: str) -> RenderedPrompt:
    """A text as it stands, without template, for the model to continue."""
    return RenderedPrompt((Segment(text, special=False),))


@lru_cache(maxsize=8)
def free_variables(template: str) -> frozenset[str]:
    """The names that a template reads and somebody else has to set; none where it is no template."""
    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(template)))
    except TemplateError:
        return frozenset()


@lru_cache(maxsize=8)  # to compile one takes longer than all the rest of a prompt
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


def _environment() -> ImmutableSandboxedEnvironment:
    # The options that Hugging Face templates are written for.
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "extensions": [loopcontrols, Generation]}
    environment = ImmutableSandboxedEnvironment(**options)
    environment.filters["tojson"] = _to_json
    return environment


class Generation(Extension):
    """`{% generation %}`, by which training templates mark the assistant's part: shown as it stands."""

    tags = {"generation"}  # noqa: RUF012 (declared so by jinja2)

    def parse(self, parser: Parser) -> list[Node]:
        """The statements inside the tag, as nodes."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def check_template(template: str) -> None:
    """Check that a template is Jinja. Raises ValueError naming line and problem."""
    try:
        _compiled(template)
    except TemplateError as error:
        raise ValueError(f"line {getattr(error, 'lineno', '?')}: {error}") from error


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """The filter as transformers has it: Jinja's own is for HTML, and escapes what is not."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _unused_character(template: str, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
    """A private-use character that occurs nowhere in the prompt."""
    seen = set(template).union(*(m["content"] for m in messages), *_texts(options))
    return next(c for c in map(chr, chain(range(0xE000, 0xF900), range(0xF0000, 0x10FFFE))) if c not in seen)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, names among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in chain(value, value.values() if isinstance(value, Mapping) else ()):
            yield from _texts(part)


def _guard(value: Any, specials: Collection[str], mark: str) -> Any:
    """A value of JSON whose texts hold no special token."""
    if isinstance(value, str):
        return _break_specials(value, specials, mark)
    if isinstance(value, list):
        return [_guard(part, specials, mark) for part in value]
    if isinstance(value, Mapping):
        return {_break_specials(name, specials, mark): _guard(part, specials, mark) for name, part in value.items()}
    return value


def _break_specials(content: str, specials: Collection[str], mark: str) -> str:
    """Break every special token a user may have typed, by a mark after each character one can start with."""
    starts = {s[0] for s in specials if s}
    return "".join(c + mark if c in starts else c for c in content)


def _split(text: str, specials: Collection[str], mark: str) -> list[Segment]:
    if not specials:
        return [Segment(text.replace(mark, ""), special=False)]
    longest_first = sorted(filter(None, specials), key=len, reverse=True)
    parts = re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text)
    segments = (Segment(part.replace(mark, ""), special=i % 2 == 1) for i, part in enumerate(parts))
    return [segment for segment in segments if segment.text]
