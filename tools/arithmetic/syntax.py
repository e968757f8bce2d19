"""The syntax of an arithmetic expression: text to a tree, by precedence (Pratt). Knows operators; works nothing out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

MAX_LENGTH = 1_000  # characters of an expression
MAX_DEPTH = 60  # brackets and operators within each other
MAX_EXPONENT = 999  # of a number such as 1e999
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![A-Za-z_])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|[πτ√])|(?P<operator>\*\*|//|[-+*/^!%(),−–×·÷²³]))"
)
SPELLINGS = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "**": "^", "π": "pi", "τ": "tau", "√": "sqrt"}
INFIX = {"+": 10, "-": 10, "*": 20, "/": 20, "//": 20, "mod": 20, "^": 40}  # how strongly each binds
PREFIX = 30  # -2^2 is -(2^2)
POSTFIX = {"!": 50, "%": 50, "²": 50, "³": 50}


class ArithmeticProblem(ValueError):
    """An expression that cannot be worked out; the text says what is wrong, and where."""


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """A constant."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operator or a function, and what it is applied to."""

    name: str
    arguments: tuple["Node", ...]


Node = Number | Name | Call


class Token(NamedTuple):
    """A piece of the text, and where it stands, from 1."""

    kind: str
    text: str
    place: int


END = "end"


def tokens_of(text: str) -> list[Token]:
    """The pieces of an expression. Raises ArithmeticProblem for a character that is none."""
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ArithmeticProblem(f"{text[at:].lstrip()[:10]!r} at character {at + 1} is no part of a sum.")
        kind = str(match.lastgroup)
        spelling = SPELLINGS.get(match[kind], match[kind])
        kind = "operator" if spelling == "mod" else "name" if spelling.isidentifier() else kind
        found.append(Token(kind, spelling, match.start(kind if match.lastgroup == kind else str(match.lastgroup)) + 1))
        at = match.end()
    return [*found, Token(END, "", len(text) + 1)]


def parse(text: str) -> Node:
    """The tree of an expression. Raises ArithmeticProblem."""
    if len(text) > MAX_LENGTH:
        raise ArithmeticProblem(f"The expression has {len(text):,} characters; {MAX_LENGTH:,} are the most.")
    parser = _Parser(tokens_of(text))
    node = parser.expression(0)
    parser.expect(END, "an operator")
    return node


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def take(self) -> Token:
        token = self.next
        self._at += token.kind != END
        return token

    def expect(self, text: str, wanted: str) -> None:
        token = self.take()
        if text not in {token.text, token.kind}:
            raise _unexpected(token, wanted)

    def expression(self, binding: int) -> Node:
        """What stands here, with all that binds more strongly than this."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ArithmeticProblem(f"The expression is nested more than {MAX_DEPTH} deep.")
        left = self._operand()
        while (more := self._operation(left, binding)) is not None:
            left = more
        self._depth -= 1
        return left

    def _operation(self, left: Node, binding: int) -> Node | None:
        """`left` under the next operator; None where that binds too weakly, or is none."""
        symbol = self.next.text
        if symbol in POSTFIX and self.next.kind == "operator" and not (symbol == "%" and self._is_operand_next()):
            self.take()
            return Call(f"{symbol}_", (left,))
        name = "mod" if symbol == "%" else symbol
        strength = INFIX.get(name)
        if self.next.kind != "operator" or strength is None or strength <= binding:
            return None
        self.take()
        return Call(name, (left, self.expression(strength - 1 if name == "^" else strength)))  # 2^3^2 is 2^(3^2)

    def _is_operand_next(self) -> bool:
        """Whether a % has a right side, and so is the remainder: 7 % 3, where 7% + 3 has hundredths."""
        token = self._tokens[self._at + 1]
        return token.kind in {"number", "name"} or token.text == "("

    def _operand(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Number(_number(token))
        if token.text in {"-", "+"}:
            return Call(f"_{token.text}", (self.expression(PREFIX),))
        if token.text == "(":
            inner = self.expression(0)
            self.expect(")", "a closing bracket")
            return inner
        if token.kind == "name":
            return self._named(token)
        raise _unexpected(token, "a number")

    def _named(self, token: Token) -> Node:
        name = token.text.lower()
        if self.next.text != "(":
            return Call(name, (self.expression(PREFIX),)) if name == "sqrt" else Name(name)
        self.take()
        arguments = [self.expression(0)]
        while self.next.text == ",":
            self.take()
            arguments.append(self.expression(0))
        self.expect(")", "a comma or a closing bracket")
        return Call(name, tuple(arguments))


def _number(token: Token) -> Fraction:
    mantissa, _, exponent = token.text.replace("_", "").lower().partition("e")
    if exponent and abs(int(exponent[:20])) > MAX_EXPONENT:
        raise ArithmeticProblem(f"{token.text} at character {token.place}: the exponent may be {MAX_EXPONENT} at most.")
    return Fraction(f"{mantissa.rstrip('.') or '0'}e{exponent or 0}")


def _unexpected(token: Token, wanted: str) -> ArithmeticProblem:
    if token.kind == END:
        return ArithmeticProblem(f"The expression ends where {wanted} was expected.")
    hint = " Write thousands without a comma." if token.text == "," else ""
    return ArithmeticProblem(f"{token.text!r} at character {token.place}: {wanted} was expected.{hint}")
