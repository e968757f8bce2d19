"""What is rendered of a text: formulas with dollars, lines kept, directives as text, code untouched."""

import time

import pytest

from blocks.prose import JOINER, rewrite
from page.session.markdown import safe_markdown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"Euler: \(e^{i\pi}+1=0\), so", r"Euler: $e^{i\pi}+1=0$, so"),
        (r"\( x \)", "$x$"),
        ("\\(a\n+ b\\) on", "$a + b$ on"),
        (r"\(x\)2 and \(y\)$", r"$$x$$2 and $$y$$\$"),
        (r"\(\text{costs } \$5\)", r"$$\text{costs } \$5$$"),
        (r"\(\begin{smallmatrix} a \\ b \end{smallmatrix}\)", r"$\begin{smallmatrix} a \\ b \end{smallmatrix}$"),
        (r"**bold \(x\)** and _\(y\)_", r"**bold $x$** and _$y$_"),
        (r"| \(|x|\) | $|y|$ | 1 |", r"| $\vert x\vert $ | $\vert y\vert $ | 1 |"),
        (r"# Of \[x\]", r"# Of $\displaystyle x$"),
        ("\\[\nx = \\frac{1}{2} \\\\[2pt]\n- y\n\\]", "$$\nx = \\frac{1}{2} \\\\[2pt]\n- y\n$$"),
        (r"\[x\]", "$$\nx\n$$"),
        (r"where \[x\] is", "where \n$$\nx\n$$\nis"),
        (r"so \[x\].", "so \n$$\nx.\n$$"),
        ("- one\n  \\[\n  x\n  \\]\n- two \\[y\\] on", "- one\n  $$\n  x\n  $$\n- two \n  $$\n  y\n  $$\n  on"),
        ("1. \\[x\\]\n2. b", "1. $$\n   x\n   $$\n2. b"),
        ("> \\[\n> x\n> \\]", "> $$\n> x\n> $$"),
        (r"\[a \text{ if } \(b\)\]", "$$\na \\text{ if } \\(b\\)\n$$"),
        ("$$E=mc^2$$", "$$\nE=mc^2\n$$"),
        ("$$\nE=mc^2\n$$", "$$\nE=mc^2\n$$"),
        ("by $$E=mc^2$$ and $x^2$, $20,000$", "by $$E=mc^2$$ and $x^2$, $20,000$"),
    ],
)  # fmt: skip
def test_formulas_get_the_marks_that_streamlit_knows(text: str, written: str) -> None:
    assert rewrite(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.", "$5-$6", "US$5 or A$ 6", "from $5, up to $6/month", "$5 (US$ 6)", "$", "$ x $", "a$",
        "$$", "$$ $$", "$$$", "$HOME and $PATH", "from $1 million to $ 2 million",
    ],
)  # fmt: skip
def test_a_price_is_no_formula(text: str) -> None:
    """Neither by itself nor beside one: with a formula in a text, Streamlit reads every dollar as a mark."""
    assert rewrite(text) == text.replace("$", "\\$")
    assert rewrite(f"{text}\n\n\\(x\\)").endswith("\n\n$x$")


@pytest.mark.parametrize(
    "text",
    [r"\(x", r"\[x", "\\(a\n\nb\\)", "\\[a\n\nb\\]", r"\\(x\\)", r"\$5", r"\*no\* \_mark\_", r"\(\)", "f(x) [1]"],
)
def test_what_is_no_formula_stays(text: str) -> None:
    assert rewrite(text) == text


@pytest.mark.parametrize(
    "text",
    [
        ":red[x]", ":blue-background[x]", ":green-badge[a b]", ":orange-badge[x]{y=1}", ":small[x]", ":shimmer[x]",
        ":help[x]", ":rainbow[x **y**]", ':color[x]{foreground="red"}', ":unknown[x]", "a:b[c](http://x)", ":é[x]",
        "::leaf[x]", ":::note", "std::vector",
    ],
)  # fmt: skip
def test_a_directive_is_text(text: str) -> None:
    """By a backslash, which Markdown takes away again; no colon is left that could begin one."""
    written = rewrite(f"so {text}\n{text}")
    assert written.replace("\\", "").replace("  \n", "\n") == f"so {text}\n{text}"
    assert written.count("\\:") >= 2
    assert rewrite(written.replace("  \n", "\n")) == written


@pytest.mark.parametrize(
    "text", [":material/star:", ":streamlit:", ":smile:", ":+1:", ":-1:", ":100:", ":flag-gb:", ":e-mail:", "(:tea:)"]
)
def test_an_icon_or_an_emoji_is_text(text: str) -> None:
    assert rewrite(text) == text.replace(":", f":{JOINER}", 1)


@pytest.mark.parametrize("text", ["a -> b", "a <- b", "a <-> b", "a -- b", "x >= 3", "x <= 3", "x ~= 3"])
def test_signs_are_not_made_into_others(text: str) -> None:
    mark = text.split()[1]
    assert rewrite(text) == text.replace(mark, mark[0] + JOINER + mark[1:])


@pytest.mark.parametrize(
    "text",
    [
        "at 10:30:45", "a: b", "http://x.y/:red[z]/$5/:tea:", "[a](http://x/:red[y])", "<http://x:red[y]>",
        "www.x.y/$a$b", "| a | -- |", "Head\n---\ntext", "> quote", "see https://a.b/c_(d)",
    ],
)  # fmt: skip
def test_addresses_times_and_tables_stay(text: str) -> None:
    assert rewrite(text) == text


@pytest.mark.parametrize(
    "code",
    [
        "`:red[x] \\(y\\) $5 and $6 :tea: -> `", "``a ` b :red[x]``", "```\n:red[x]\n\\(y\\)\n$5 and $6\n```",
        "~~~python\nx = '\\[y\\]'\ny = 1\n~~~", "    :red[x]\n    $5 and $6", "```\n:red[x] \\(unfinished\\)\nfence",
        "- a\n  ```\n  \\(x\\)\n  y\n  ```\n- b",
    ],
)  # fmt: skip
def test_code_stays_as_it_is(code: str) -> None:
    assert rewrite(code) == code
    assert rewrite(f"Before \\(x\\).\n\n{code}") == f"Before $x$.\n\n{code}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("one\ntwo\nthree", "one  \ntwo  \nthree"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("- a\n  b\n- c", "- a  \n  b\n- c"),
        ("> a\n> b", "> a  \n> b"),
        ("one  \ntwo\\\nthree", "one  \ntwo\\\nthree"),
        ("# Head\ntext\nmore", "# Head\ntext  \nmore"),
        ("Head\n===\ntext", "Head\n===\ntext"),
        ("| a |\n|---|\n| b |\nafter", "| a |\n|---|\n| b |\nafter"),
        ("a `code\nmore` b\nc", "a `code more` b  \nc"),
        ("a\n$$\nx\ny\n$$\nb\nc", "a\n$$\nx\ny\n$$\nb  \nc"),
        ("Roses are red,\nviolets `blue`,\n\n```\na\nb\n```", "Roses are red,  \nviolets `blue`,\n\n```\na\nb\n```"),
    ],
)
def test_single_line_breaks_are_kept(text: str, written: str) -> None:
    assert rewrite(text) == written


def test_the_lines_of_a_file_may_be_filled() -> None:
    assert safe_markdown("one\ntwo \\(x\\)", keeps_lines=False) == "one\ntwo $x$"


def test_no_image_comes_through_a_formula() -> None:
    for text in (
        "\\[x\\]\n```\n![a](http://x/y)\n```",
        "!\\[a\\](http://x/y)",
        "\\(![a](http://x/y)\\)",
        "$$\n![a](b)\n$$",
    ):
        assert "![" not in safe_markdown(text)


@pytest.mark.parametrize(
    "piece",
    [
        "\\(",
        "\\[ a ",
        "`",
        "` \n\n",
        "$ a",
        "$$ a",
        "$5 ",
        ":",
        ":a",
        ":a[",
        " -- a",
        "> ",
        "- ",
        "http://",
        "\\[x\\] ",
    ],
)
def test_an_unkind_text_takes_no_long_time(piece: str) -> None:
    """Linear, or nearly: a text twenty times as long takes nothing like four hundred times as long."""
    used = []
    for number in (300, 6000):
        began = time.process_time()
        for _ in range(3):
            rewrite(piece * number)
        used.append(time.process_time() - began)
    assert used[1] < 150 * max(used[0], 0.005)
