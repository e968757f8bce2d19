"""The value of an arithmetic expression: fractions as long as they stay exact, else floating point. Knows the tree.

No result, and nothing on the way to it, is larger than MAX_BITS: a sum of a few characters could fill the memory.
"""

import math
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from tools.arithmetic.syntax import ArithmeticProblem, Name, Node, Number, parse

MAX_BITS = 13_000  # of a numerator or denominator: nearly 4,000 digits
MAX_FACTORIAL = 1_000
DIGITS = 20  # of a fraction that has no end
Value = Fraction | float
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


def evaluate(text: str) -> Value:
    """The value of an expression. Raises ArithmeticProblem."""
    return _evaluate(parse(text))


def format_value(value: Value) -> str:
    """The value in decimals where they end, else also as a fraction; ≈ where it is not exact."""
    if isinstance(value, float):
        return f"≈ {value!r}".removesuffix(".0")
    if value.denominator == 1:
        return str(value.numerator)
    places = _decimal_places(value.denominator)
    if places is not None and places <= 60:
        return _decimals(value, places)
    exact = f"{value.numerator}/{value.denominator} "
    return f"{exact * (len(exact) <= 60)}≈ {_rounded(value)}"


def _evaluate(node: Node) -> Value:
    if isinstance(node, Number):
        return _checked(node.value)
    if isinstance(node, Name):
        if node.name not in CONSTANTS:
            raise ArithmeticProblem(f"{node.name}: there is no such constant. Known: {', '.join(CONSTANTS)}.")
        return CONSTANTS[node.name]
    return _checked(_apply(node.name, [_evaluate(each) for each in node.arguments]))


def _apply(name: str, values: list[Value]) -> Value:
    if name not in FUNCTIONS:
        known = ", ".join(each for each in FUNCTIONS if each.isidentifier() and each[0] != "_")
        raise ArithmeticProblem(f"{name}: there is no such function. Known: {known}.")
    function, least, most = FUNCTIONS[name]
    if not least <= len(values) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ArithmeticProblem(f"{name} takes {wanted} numbers, not {len(values)}.")
    try:
        return function(*values)
    except ZeroDivisionError:
        raise ArithmeticProblem("Division by zero.") from None
    except OverflowError:
        raise ArithmeticProblem(f"{_label(name)}: the result is too large.") from None
    except ValueError:
        raise ArithmeticProblem(f"{_label(name)} is not defined for {', '.join(map(_short, values))}.") from None


def _checked(value: Value) -> Value:
    """The value itself. Raises ArithmeticProblem for one that is too large, or is no real number."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArithmeticProblem("The result is too large.")
        return value
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ArithmeticProblem("The result is too large: it has thousands of digits.")
    return value


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            bits = max(base.numerator.bit_length(), base.denominator.bit_length()) - (abs(base) in {0, 1})
            if bits * abs(exponent.numerator) > 2 * MAX_BITS:
                raise OverflowError
            return base**exponent.numerator
        if exponent == Fraction(1, 2):
            return _square_root(base)
    return math.pow(base, exponent)


def _square_root(value: Value) -> Value:
    if isinstance(value, Fraction) and value >= 0:
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
    return math.sqrt(value)


def _round(value: Value, digits: Value = Fraction(0)) -> Value:
    """Half away from zero, as people round."""
    places = _integer(digits)
    if abs(places) > 1_000:
        raise ValueError
    scale = Fraction(10) ** places
    scaled = abs(Fraction(value)) * scale + Fraction(1, 2)
    return Fraction(math.floor(scaled) if value >= 0 else -math.floor(scaled)) / scale


def _factorial(value: Value) -> Value:
    number = _integer(value)
    if number > MAX_FACTORIAL:
        raise OverflowError
    return Fraction(math.factorial(number))


def _integer(value: Value) -> int:
    if value != math.floor(value):
        raise ValueError
    return math.floor(value)


def _logarithm(value: Value, base: Value | None = None) -> Value:
    """To base 10, as on a pocket calculator, or to another one."""
    if base is None or base == 10:
        return _exact_log(value, 10, math.log10)
    if base == 2:
        return _exact_log(value, 2, math.log2)
    return _natural_log(value) / _natural_log(base)


def _natural_log(value: Value) -> Value:
    return _exact_log(value, 1, math.log)


def _exact_log(value: Value, base: int, function: Callable[[Any], float]) -> Value:
    if isinstance(value, float):
        return function(value)
    # By parts: the whole may be beyond what floating point holds.
    result = function(value.numerator) - function(value.denominator)
    return Fraction(round(result)) if Fraction(base) ** round(result) == value else result


def _on_floats(function: Callable[[float], float]) -> Callable[..., Value]:
    return lambda value: function(float(value))


def _on_integers(function: Callable[..., int]) -> Callable[..., Value]:
    return lambda *values: Fraction(function(*map(_integer, values)))


# By name: what works it out, and how many numbers it takes. Operators end or begin with _ where they have one side.
FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "+": (lambda left, right: left + right, 2, 2),
    "-": (lambda left, right: left - right, 2, 2),
    "*": (lambda left, right: left * right, 2, 2),
    "/": (lambda left, right: left / right, 2, 2),
    "//": (lambda left, right: Fraction(left // right), 2, 2),
    "mod": (lambda left, right: left % right, 2, 2),
    "^": (_power, 2, 2),
    "_-": (lambda value: -value, 1, 1),
    "_+": (lambda value: value, 1, 1),
    "!_": (_factorial, 1, 1),
    "%_": (lambda value: value / 100, 1, 1),
    "²_": (lambda value: _power(value, Fraction(2)), 1, 1),
    "³_": (lambda value: _power(value, Fraction(3)), 1, 1),
    "sqrt": (_square_root, 1, 1),
    "cbrt": (_on_floats(math.cbrt), 1, 1),
    "abs": (abs, 1, 1),
    "round": (_round, 1, 2),
    "floor": (lambda value: Fraction(math.floor(value)), 1, 1),
    "ceil": (lambda value: Fraction(math.ceil(value)), 1, 1),
    "min": (min, 1, 100),
    "max": (max, 1, 100),
    "gcd": (_on_integers(math.gcd), 1, 100),
    "lcm": (_on_integers(math.lcm), 1, 100),
    "factorial": (_factorial, 1, 1),
    "exp": (_on_floats(math.exp), 1, 1),
    "ln": (_natural_log, 1, 1),
    "log": (_logarithm, 1, 2),
    "log2": (lambda value: _logarithm(value, Fraction(2)), 1, 1),
    "log10": (_logarithm, 1, 1),
    **{name: (_on_floats(getattr(math, name)), 1, 1) for name in (
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "degrees", "radians")},
}  # fmt: skip


def _label(name: str) -> str:
    return name.strip("_") or name


def _short(value: Value) -> str:
    text = format_value(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _decimal_places(denominator: int) -> int | None:
    """How many decimals a fraction with this denominator has; None where they have no end."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _decimals(value: Fraction, places: int) -> str:
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' * (value < 0)}{digits[:-places]}.{digits[-places:]}"


def _rounded(value: Fraction) -> str:
    """DIGITS digits of a fraction."""
    return str(Context(prec=DIGITS).divide(Decimal(value.numerator), Decimal(value.denominator)))
