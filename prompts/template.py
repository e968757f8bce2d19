"""The chat template: messages in, segments of plain text and special tokens out.

Training and every local backend build the model's input here and nowhere else. It knows no tokenizer and no model:
the caller turns each segment into token ids, a plain one always with special tokens switched off.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from types import CodeType
from typing import Any

from jinja2 import Template, TemplateError, meta
from jinja2.nodes import Const, TemplateData

from prompts.environment import ABSENT, BUILT_IN, Environment, TypedEnvironment
from prompts.special_tokens import SpecialTokens, named
from prompts.typed_text import StandIns

Message = Mapping[str, Any]  # role and content; calls of tools and what they gave may stand beside
PLAIN = {"role", "content"}  # the fields of a message that is a text and no more
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
    hidden: bool = False,
    **variables: Any,
) -> RenderedPrompt:
    """Render `messages` (role and content) with a Jinja chat template.

    `specials` are the tokenizer's special tokens; one that a message spells stays plain text. So does one in `options`,
    variables that whoever asks sets for this template, as `enable_thinking`. `reply` adds the start of the assistant's
    turn. `hidden`: the template does not see which tokens a message spells. Raises ValueError where it
    refuses the messages, and for an option that is set here.
    """
    options = options or {}
    own: dict[str, Any] = {"messages": messages, "add_generation_prompt": reply, **BUILT_IN, **variables}
    if taken := sorted(own.keys() & options.keys()):
        raise ValueError(f"chat_template_kwargs.{taken[0]}: the server sets it itself; leave it out.")
    known = specials if isinstance(specials, SpecialTokens) else named(frozenset(specials))
    # Most messages are a text and no more: asked for here, since a call for each would cost more than the rest.
    said_in = (
        (m["content"],) if m.keys() == PLAIN and type(m["content"]) is str else _texts(_said(m)) for m in messages
    )
    typed = [*chain.from_iterable(said_in), *(_texts(options) if options else ())]
    stand_ins = StandIns(known, [template, *typed]) if known.spelled_in_any(typed) else None
    if stand_ins is not None:
        said = [stand_ins.guard(_said(m)) for m in messages]
        shown = map(_hide, said) if hidden else said
        own["messages"] = [{**m, **parts} for m, parts in zip(messages, shown, strict=True)]
        options = stand_ins.guard(options)
    text, stop = _render(template, {**ABSENT, **options, **own}, None if hidden else stand_ins)
    restore = stand_ins.restore if stand_ins is not None else str
    return RenderedPrompt(tuple(Segment(restore(part), special) for part, special in known.split(text)), stop)


def render_plain(text: str) -> RenderedPrompt:
    """A text as it stands, without template, for the model to continue."""
    return RenderedPrompt((Segment(text, special=False),))


@lru_cache(maxsize=8)
@lru_cache(64)
def free_variables(template: str) -> frozenset[str]:
    """The names that a template reads and somebody else has to set; none where it is no template."""
    try:
        return frozenset(meta.find_undeclared_variables(Environment().parse(template)))
    except TemplateError:
        return frozenset()


@lru_cache(64)
def literals(template: str) -> tuple[str, ...]:
    """The texts that stand in a template, to be written or compared; none where it is no template."""
    try:
        tree = Environment().parse(template)
    except TemplateError:
        return ()
    constants = (node.value for node in tree.find_all(Const) if isinstance(node.value, str))
    return (*(node.data for node in tree.find_all(TemplateData)), *constants)


def check_template(template: str) -> None:
    """Check that a template is Jinja. Raises ValueError naming line and problem."""
    try:
        _compiled(template)
    except TemplateError as error:
        raise ValueError(f"line {getattr(error, 'lineno', '?')}: {error}") from error


def _render(template: str, variables: Mapping[str, Any], stand_ins: StandIns | None) -> tuple[str, tuple[str, ...]]:
    """The text that a template writes, and the strings that it says end a reply."""
    try:
        compiled = _compiled(template) if stand_ins is None else _compiled_for(template, stand_ins)
        module = compiled.make_module(dict(variables))
    except (TemplateError, *FAILURES) as error:
        raise ValueError(f"The chat template refuses these messages: {error}") from error
    stop = getattr(module, "stop", ())
    return str(module), (stop,) if isinstance(stop, str) else tuple(map(str, stop))


@lru_cache(maxsize=8)  # to compile one takes longer than all the rest of a prompt
def _compiled(template: str) -> Template:
    return Environment().from_string(template)


@lru_cache(maxsize=8)
def _typed_code(template: str) -> CodeType:
    return TypedEnvironment().compile(template)


def _compiled_for(template: str, stand_ins: StandIns) -> Template:
    environment = TypedEnvironment(stand_ins)
    return Template.from_code(environment, _typed_code(template), environment.globals)


def _said(message: Message) -> dict[str, Any]:
    """What somebody wrote in a message: all of it but the role."""
    return {name: value for name, value in message.items() if name != "role"}


def _hide(value: Any) -> Any:
    """A value whose texts no longer know which of their letters are stand-ins."""
    if isinstance(value, Mapping):
        return {str(name): _hide(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_hide(part) for part in value]
    return str(value) if isinstance(value, str) else value


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, names among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in chain(value, value.values() if isinstance(value, Mapping) else ()):
            yield from _texts(part)
