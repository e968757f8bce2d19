"""How models write calls of tools: each kind of model by the markers that its chat template has.

A format is plain text around a name and its arguments, in one or several forms; which of its pieces are special tokens,
the vocabulary says. Knows no model and no tools.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

ID = "{id}"  # the place of a call's id, letters and digits, in a form
ID_LENGTH = 9


@dataclass(frozen=True)
class Form:
    """One way to write calls: prefix, then for each before NAME between ARGUMENTS after, separated, then suffix.

    `opening`: the text by which a call is known in a reply; empty where it is all up to the end of the name, which then
    counts at the beginning of a reply alone.
    """

    before: str
    between: str
    after: str = ""
    prefix: str = ""
    separator: str = ""
    suffix: str = ""
    opening: str = ""
    is_single: bool = False  # a reply holds one call of this form

    @property
    def texts(self) -> tuple[str, ...]:
        """All that stands around names and arguments."""
        return self.prefix, self.before, self.between, self.after, self.suffix, self.opening

    def openings(self, names: Sequence[str]) -> list[str]:
        """The texts by which a call of one of these tools is known."""
        return [self.opening] if self.opening else [f"{self.prefix}{self.before}{name}{self.quote}" for name in names]

    @property
    def quote(self) -> str:
        """What ends a name, without which one name may begin another one."""
        return self.between[:1]

    def write(self, calls: Sequence[tuple[str, str]]) -> str:
        """Calls, names with arguments, as the model would write them."""
        between = self.between.replace(ID, "0" * ID_LENGTH)
        written = (f"{self.before}{name}{between}{arguments}{self.after}" for name, arguments in calls)
        return f"{self.prefix}{self.separator.join(written)}{self.suffix}"


@dataclass(frozen=True)
class CallFormat:
    """How a kind of model writes calls; the first form is the one that it is held to where it has to call."""

    name: str
    forms: tuple[Form, ...]
    marks: tuple[str, ...] = field(default=())  # which stand in its template, all of them
    absent: tuple[str, ...] = ()  # which do not
    id_length: int | None = None  # letters and digits that its template wants an id of a call to have

    def is_of(self, template: str) -> bool:
        """Whether a chat template is written for this format."""
        return all(mark in template for mark in self.marks) and not any(mark in template for mark in self.absent)


def _json(arguments: str) -> tuple[str, str, str]:
    """What stands around name and arguments of a call that is one object of JSON."""
    return '{"name": "', f'", "{arguments}": ', "}"


_BEFORE, _BETWEEN, _AFTER = _json("arguments")
_LLAMA = _json("parameters")
_CALLS, _END_OF_CALLS = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"  # DeepSeek's
HERMES = CallFormat(
    "hermes",
    (
        Form(
            f"<tool_call>\n{_BEFORE}",
            _BETWEEN,
            f"{_AFTER}\n</tool_call>",
            separator="\n",
            opening="<tool_call>",
        ),
    ),
    marks=("<tool_call>", "</tool_call>"),
    absent=("<function=", "<arg_key>", "<invoke"),
)
# The order counts: a template may have the marks of a later one as well.
FORMATS = (
    CallFormat(
        "gpt-oss",
        (
            Form(
                "<|channel|>commentary to=functions.",
                " <|constrain|>json<|message|>",
                opening="<|channel|>commentary to=functions.",
                is_single=True,
            ),
            Form(
                " to=functions.",
                "<|channel|>commentary json<|message|>",
                opening=" to=functions.",
                is_single=True,
            ),
        ),
        marks=("<|channel|>", "functions."),
    ),
    CallFormat(
        "deepseek-v3",
        (
            Form(
                "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                "\n```json\n",
                "\n```<｜tool▁call▁end｜>",
                prefix=_CALLS,
                separator="\n",
                suffix=_END_OF_CALLS,
                opening=_CALLS,
            ),
        ),
        marks=(_CALLS, "```json"),
    ),
    CallFormat(
        "deepseek-v3.1",
        (
            Form(
                "<｜tool▁call▁begin｜>",
                "<｜tool▁sep｜>",
                "<｜tool▁call▁end｜>",
                prefix=_CALLS,
                suffix=_END_OF_CALLS,
                opening=_CALLS,
            ),
        ),
        marks=(_CALLS,),
    ),
    CallFormat(
        "mistral-call-id",
        (Form("[TOOL_CALLS]", f"[CALL_ID]{ID}[ARGS]", opening="[TOOL_CALLS]"),),
        marks=("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"),
        id_length=9,
    ),
    CallFormat(
        "mistral-args",
        (Form("[TOOL_CALLS]", "[ARGS]", opening="[TOOL_CALLS]"),),
        marks=("[TOOL_CALLS]", "[ARGS]"),
        id_length=9,
    ),
    CallFormat(
        "mistral",
        (Form(_BEFORE, _BETWEEN, _AFTER, prefix="[TOOL_CALLS][", separator=", ", suffix="]", opening="[TOOL_CALLS]"),),
        marks=("[TOOL_CALLS]",),
        id_length=9,
    ),
    CallFormat(
        "smollm2",
        (
            Form(
                _BEFORE,
                _BETWEEN,
                _AFTER,
                prefix="<tool_call>[",
                separator=", ",
                suffix="]</tool_call>",
                opening="<tool_call>",
            ),
        ),
        marks=("<tool_call>[", "</tool_call>"),
    ),
    HERMES,
    CallFormat(
        "llama-3",
        (
            Form(*_LLAMA, is_single=True),
            Form(*_LLAMA, prefix="<|python_tag|>", opening="<|python_tag|>", is_single=True),
        ),
        marks=('"parameters": ', "ipython"),
    ),
)


def find_format(template: str) -> CallFormat | None:
    """The format that a chat template is written for; None where it is none of these."""
    return next((each for each in FORMATS if each.is_of(template)), None)
