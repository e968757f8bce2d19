"""Jinja as Hugging Face's chat templates are written for it, and as it is for one prompt in which tokens are spelled.

Knows no template and no messages.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Concat, Filter, Node, Scope
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.typed_text import StandIns


class Generation(Extension):
    """`{% generation %}`, by which training templates mark the assistant's part: shown as it stands."""

    tags = {"generation"}  # noqa: RUF012 (declared so by jinja2)

    def parse(self, parser: Parser) -> Node:
        """The statements inside the tag, as a node; what they set ends with them."""
        line = next(parser.stream).lineno
        return Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class Environment(ImmutableSandboxedEnvironment):
    """The sandbox, options, extensions and filters that transformers has."""

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
        self.filters["tojson"] = self.to_json

    def to_json(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """The filter as transformers has it: Jinja's own is for HTML, and escapes what is not."""
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


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


class TypedEnvironment(Environment):
    """The same for one prompt in which there is TypedText: what Jinja makes of that is such a text again."""

    code_generator_class = Generator
    intercepted_binops = frozenset("%*")

    def __init__(self, stand_ins: StandIns | None = None) -> None:
        """`stand_ins`: those of the prompt; None where a template is compiled alone."""
        super().__init__()
        self.filters["replace"] = _replace
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

    def to_json(self, value: Any, *arguments: Any, **named: Any) -> str:
        """The filter over the true letters, which may need an escape."""
        if self._stand_ins is None:
            return super().to_json(value, *arguments, **named)
        return str(self._stand_ins.guard(super().to_json(self._stand_ins.restore(value), *arguments, **named)))


def _replace(text: Any, old: str, new: str, count: int = -1) -> Any:
    """The filter as Jinja has it, which takes a text for one that nobody typed."""
    return (text if isinstance(text, str) else str(text)).replace(str(old), str(new), count)


def _now(layout: str) -> str:
    return datetime.now().strftime(layout)


def _refuse(message: str) -> None:
    raise TemplateError(message)


BUILT_IN = {"raise_exception": _refuse, "strftime_now": _now}
ABSENT = {"tools": None, "documents": None}  # what transformers hands to every template
