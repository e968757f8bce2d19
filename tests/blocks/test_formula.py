"""Formulas as MathML: drawn where TeX allows it, as typed where not."""

from html import escape

import pytest

from blocks import render_blocks
from blocks.formula import render_formula


@pytest.mark.parametrize(
    ("tex", "piece"),
    [
        (r"\frac{1}{2}", "<mfrac>"),
        (r"\sqrt[3]{x}", "<mroot>"),
        (r"\begin{aligned} a&=b\\ c&=d \end{aligned}", "<mtr>"),
        (r"\begin{pmatrix} a&b\\[2pt] c&d \end{pmatrix}", "<mtable>"),
        (r"a \\ b", "<mtable"),
        (r"\begin{cases} a&b\\ c&d\end{cases}", "<mtd"),
        (r"\begin{equation} x \end{equation}", "<mi>x</mi>"),
        (r"x \label{eq:1} \nonumber", "<mi>x</mi>"),
        (r"a < b", "<mo>&lt;</mo>"),
        (r"\text{if } x", "<mtext>if\xa0</mtext>"),
    ],
)
def test_formulas_are_drawn(tex: str, piece: str) -> None:
    html = render_formula(tex, display=True)
    assert piece in html
    assert html.startswith('<math display="block">')


@pytest.mark.parametrize("tex", [r"\frac{", r"\left( x", r"\begin{matrix}a", "{" * 500, r"x^", "x" * 20_000])
def test_what_is_no_formula_is_shown_as_typed(tex: str) -> None:
    html = render_formula(tex, display=False)
    assert html == f'<code class="formula">${tex}$</code>' or html.startswith("<math")


@pytest.mark.parametrize("tex", [r"\ce{H2O}", r"a + \unknown{x}", r"\mathrm{a\foo}", r"\SI{3}{m}"])
def test_a_command_that_nobody_knows_shows_the_source(tex: str) -> None:
    assert render_formula(tex, display=True) == f'<code class="formula">$${escape(tex)}$$</code>'


def test_prices_are_none_and_formulas_stand_where_they_were_written() -> None:
    lines = (
        "It costs $5 and $6, but \\(n^2\\)2 counts, so \\[x\\]\nand on.",
        "- in a list\n  $$y$$",
        "| \\(|z|\\) |\n|-|",
    )
    blocks = render_blocks("\n\n".join(lines))
    assert blocks[0].startswith("<p>It costs $5 and $6, but <math")
    assert [block.count("<math") for block in blocks] == [1, 1, 0, 1, 1]
    assert blocks[1].startswith('<div class="formula"')
