"""The chat template: messages in, segments of plain text and special tokens out.

Training and every local backend build the model's input here and nowhere else. It knows no tokenizer and no model:
the caller turns each segment into token ids, a plain one always with special tokens switched off.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from types import CodeType
from typing import Any

from jinja2 import Template, TemplateError, meta
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Concat, Const, Filter, Node, Scope, TemplateData
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.special_tokens import SpecialTokens, named
from prompts.typed_text import StandIns

Message = Mapping[str, str]
FAILURES = (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)  # of a template's code


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
    specials: SpecialTokens | Collection[str],
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
    own = {"messages": messages, "add_generation_prompt": reply, **BUILT_IN, **variables}
    if taken := sorted(own.keys() & options.keys()):
        raise ValueError(f"chat_template_kwargs.{taken[0]}: the server sets it itself; leave it out.")
    known = specials if isinstance(specials, SpecialTokens) else named(frozenset(specials))
    typed = [*(m["content"] for m in messages), *_texts(options)]
    stand_ins = StandIns(known, [template, *typed]) if any(map(known.spelled, typed)) else None
    if stand_ins is not None:
        messages = [{**m, "content": stand_ins.guard(m["content"])} for m in messages]
        own, options = {**own, "messages": messages}, stand_ins.guard(options)
    text, stop = _render(template, {**ABSENT, **options, **own}, stand_ins)
    restore = stand_ins.restore if stand_ins is not None else str
    return RenderedPrompt(tuple(Segment(restore(part), special) for part, special in known.split(text)), stop)


def render_plain(text: str) -> RenderedPrompt:
    """A text as it stands, without template, for the model to continue."""
    return RenderedPrompt((Segment(text, special=False),))


@lru_cache(maxsize=8)
def free_variables(template: str) -> frozenset[str]:
    """The names that a template reads and somebody else has to set; none where it is no template."""
    try:
        return frozenset(meta.find_undeclared_variables(Environment().parse(template)))
    except TemplateError:
        return frozenset()


def literals(template: str) -> list[str]:
    """The texts that stand in a template, to be written or compared. Raises TemplateError where it is none."""
    tree = Environment().parse(template)
    constants = (node.value for node in tree.find_all(Const) if isinstance(node.value, str))
    return [*(node.data for node in tree.find_all(TemplateData)), *constants]


def check_template(template: str) -> None:
    """Check that a template is Jinja. Raises ValueError naming line and problem."""
    try:
        _compiled(template)
    except TemplateError as error:
        raise ValueError(f"line {getattr(error, 'lineno', '?')}: {error}") from error


def _render(template: str, variables: Mapping[str, Any], stand_ins: StandIns | None) -> tuple[str, tuple[str, ...]]:
    """The text that a template writes, and the strings that it says end a reply."""
    try:
        if stand_ins is None:
            compiled = _compiled(template)
        else:
            environment = Environment(stand_ins)
            compiled = Template.from_code(environment, _code(template), environment.globals)
        module = compiled.make_module(dict(variables))
    except (TemplateError, *FAILURES) as error:
        raise ValueError(f"The chat template refuses these messages: {error}") from error
    stop = getattr(module, "stop", ())
    return str(module), (stop,) if isinstance(stop, str) else tuple(map(str, stop))


@lru_cache(maxsize=8)  # to compile one takes longer than all the rest of a prompt
def _code(template: str) -> CodeType:
    return Environment().compile(template)


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    environment = Environment()
    return Template.from_code(environment, _code(template), environment.globals)


class Generation(Extension):
    """`{% generation %}`, by which training templates mark the assistant's part: shown as it stands."""

    tags = {"generation"}  # noqa: RUF012 (declared so by jinja2)

    def parse(self, parser: Parser) -> Node:
        """The statements inside the tag, as a node; what they set ends with them."""
        line = next(parser.stream).lineno
        return Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class Generator(CodeGenerator):
    """Jinja's compiler; what `~` and filters return goes through the environment."""

    def visit_Concat(self, node: Concat, frame: Frame) -> None:
        """Write the code of a `~`."""
        self.write("environment.retype(")
        super().visit_Concat(node, frame)
        self.write(")")

    def visit_Filter(self, node: Filter, frame: Frame) -> None:
        """Write the code of a filter."""
        self.write("environment.retype(")
        super().visit_Filter(node, frame)
        self.write(")")


class Environment(ImmutableSandboxedEnvironment):
    """Jinja with the options and filters that Hugging Face's templates are written for."""

    code_generator_class = Generator
    intercepted_binops = frozenset("%*")

    def __init__(self, stand_ins: StandIns | None = None) -> None:
        """`stand_ins`: those in the variables of the one prompt that is rendered in it."""
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
        self.filters.update(tojson=self._to_json, replace=_replace)
        self._stand_ins = stand_ins

    def retype(self, value: Any) -> Any:
        """A text that Jinja joined: what was typed in it is known as such again."""
        return value if self._stand_ins is None else self._stand_ins.retype(value)

    def concat(self, parts: Iterable[str]) -> Any:
        """The text of a macro or a block."""
        return self.retype("".join(parts))

    def call(self, context: Context, function: Any, /, *arguments: Any, **named: Any) -> Any:
        """What a function or method of the template returns."""
        return self.retype(super().call(context, function, *arguments, **named))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """What `%` and `*` return."""
        return self.retype(super().call_binop(context, operator, left, right))

    def _to_json(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """The filter as transformers has it: Jinja's own is for HTML, and escapes what is not."""
        written = value if self._stand_ins is None else self._stand_ins.restore(value)
        text = json.dumps(written, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
        return text if self._stand_ins is None else str(self._stand_ins.guard(text))


def _replace(text: Any, old: str, new: str, count: int = -1) -> Any:
    """The filter as Jinja has it, which takes a text for one that nobody typed."""
    return (text if isinstance(text, str) else str(text)).replace(str(old), str(new), count)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _refuse(message: str) -> None:
    raise TemplateError(message)


BUILT_IN = {"raise_exception": _refuse, "strftime_now": _now}
ABSENT = {"tools": None, "documents": None}  # what transformers hands to every template


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, names among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in chain(value, value.values() if isinstance(value, Mapping) else ()):
            yield from _texts(part)
