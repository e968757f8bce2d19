"""Sums: worked out exactly where that is possible, and refused before they fill the memory."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.arithmetic.evaluate import evaluate, format_value
from tools.arithmetic.syntax import ArithmeticProblem


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1+2*3", "7"),
        ("(1+2)*3", "9"),
        ("2^3^2", "512"),
        ("2**3", "8"),
        ("-2^2", "-4"),
        ("2^-2", "0.25"),
        ("0.1+0.2", "0.3"),
        ("1/3", "1/3 ≈ 0.33333333333333333333"),
        ("1/3+1/6", "0.5"),
        ("10%", "0.1"),
        ("15% * 80", "12"),
        ("7 % 3", "1"),
        ("7 mod 3", "1"),
        ("-7//2", "-4"),
        ("5!", "120"),
        ("3² + √16", "13"),
        ("−3 × 4 ÷ 2", "-6"),
        ("sqrt(2)", "≈ 1.4142135623730951"),
        ("sqrt(1/4)", "0.5"),
        ("4^0.5", "2"),
        ("log(10^400)", "400"),
        ("log(8, 2)", "3"),
        ("round(2.5)", "3"),
        ("round(-2.675, 2)", "-2.68"),
        ("max(1, 2.5, 2)", "2.5"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("1.5e3", "1500"),
        ("2^200", str(2**200)),
        ("Pi - pi", "≈ 0"),
    ],
)
def test_a_sum_has_its_exact_result(expression: str, result: str) -> None:
    assert format_value(evaluate(expression)) == result


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "ends where a number"),
        ("(1", "ends where a closing bracket"),
        ("2(3)", "'(' at character 2: an operator"),
        ("1,000+2", "Write thousands without a comma"),
        ("__import__('os').system('id')", "is no part of a sum"),
        ("x+1", "x: there is no such constant"),
        ("open(1)", "open: there is no such function"),
        ("sqrt(1, 2)", "sqrt takes 1 numbers, not 2"),
        ("1/0", "Division by zero"),
        ("0^-1", "Division by zero"),
        ("sqrt(-1)", "sqrt is not defined for -1"),
        ("(-8)^0.3", "^ is not defined"),
        ("1.5!", "! is not defined for 1.5"),
    ],
)
def test_what_is_wrong_is_said(expression: str, says: str) -> None:
    with pytest.raises(ArithmeticProblem) as caught:
        evaluate(expression)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    ["9^9^9", "9^9^9^9^9", "10^5000", "1e99999999999999999999999", "1001!", "1000!!", "exp(1e4)", "1e400 * pi",
     "round(1, 1e9)", "(" * 99 + "1" + ")" * 99, "-" * 999 + "1", "1" * 1001, "^".join(["1e999"] * 3),
     "lcm(" + ",".join(f"{n}^400" for n in range(2, 99)) + ")"],
)  # fmt: skip
def test_what_would_fill_the_memory_is_refused(expression: str) -> None:
    with pytest.raises(ArithmeticProblem):
        evaluate(expression)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.text("0123456789.+-*/^!%(), episqrtlogmod", max_size=60))
def test_any_text_gives_a_result_or_one_line(text: str) -> None:
    with suppress(ArithmeticProblem):
        assert format_value(evaluate(text))


@settings(max_examples=60, deadline=None)
@given(st.fractions(max_denominator=10**9), st.fractions(max_denominator=10**9))
def test_fractions_stay_exact(left: Fraction, right: Fraction) -> None:
    assert evaluate(f"({left}) - ({right})") == left - right
    assert evaluate(f"({left}) * ({right})") == left * right
