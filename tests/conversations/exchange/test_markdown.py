"""Markdown for people: who said what, and nobody's words become part of the document."""

import random
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conversations.exchange import ExchangeError, parse, render_markdown
from conversations.exchange.markdown import blockquote
from conversations.exchange.schema import validate_conversation
from tests.conversations.exchange.made import chain, full, message


def said(text: str, **fields: Any) -> str:
    return render_markdown(
        validate_conversation(chain(0) | {"title": "Soup", "messages": [message(0, text=text)]} | fields)
    )


def tokens(document: str) -> list[Token]:
    flat: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(document):
        flat += [token, *(token.children or [])]
    return flat


def outline(document: str) -> list[str]:
    """The headings that are the document's own."""
    found = MarkdownIt("commonmark").parse(document)
    return [found[place + 1].content for place, t in enumerate(found) if t.type == "heading_open" and t.level == 0]


def test_roles_times_and_the_shown_branch() -> None:
    text = render_markdown(validate_conversation(chain(3, title="Soup", system="Be kind.", id="x") | {"head": 1}))
    assert text.splitlines()[2:] == [
        "# Soup",
        "",
        "**System prompt**",
        "",
        "> Be kind.",
        "",
        "## You, 1970-01-01 00:01 UTC",
        "",
        "> text 0",
        "",
        "## Assistant, 1970-01-01 00:01 UTC",
        "",
        "> text 1",
        "",
        "*1 message on other branches not shown*",
    ]


def test_everything_of_a_full_conversation() -> None:
    text = render_markdown(validate_conversation(full()))
    for part in (
        "# Ünïcode",
        "**Persona:** Ada, keeps bees",
        "> I have bees.",
        "*Attached: image cat.png*",
        "## Tool",
        "## Assistant, m, 1970-01-01 00:01 UTC, stopped",
        "> Hello\n> \tworld",
        "*Error: why*",
        "> text 2",
    ):
        assert part in text


def test_the_words_stay_markdown_inside_their_quotation() -> None:
    text = said("# big\n\n- a `<b>` & b\n\n```html\n<b>&amp;</b> ![x](y)\n```\n**bold**")
    assert "> # big\n>\n> - a `<b>` & b\n>\n> ```html\n> <b>&amp;</b> ![x](y)\n> ```\n> **bold**" in text


@pytest.mark.parametrize(
    "text",
    [
        "</blockquote>\n\n## You, now\n\n<h2>x</h2>",
        "```\nnever closed",
        "~~~ `\n<b>",
        "<!-- \n\n# x",
        "<script>alert(1)</script>",
        "![x](http://example.org/pixel)",
        "[Soup]: http://example.org",
        "![a][b]\n\n[b]: http://example.org/x.png",
        "1. x\n   ```\n<b>bold</b>",
        "a ` b\n` <b>c</b>",
        "`` ` <b>`` <i>",
        "\\`<b>`",
        "a\r## b\r<b>",
        "<http://example.org>",
        "---\n===",
        "    <b>\n<?php ?>\n<![CDATA[x]]>",
        "&lt;b&gt; &#60;b>",
        "x\n</div>\n`",
        "> ```\n<b>",
        "* `a\n* b` <b>",
        "|a|\n|-|\n|`<b>`|<i>|",
    ],
)
def test_nothing_breaks_out(text: str) -> None:
    hostile(said(text))


def test_nothing_breaks_out_by_chance() -> None:
    bits = [
        "`",
        "``",
        "```",
        "~~~",
        "<b>",
        "</x",
        "<!--",
        "-->",
        "![",
        "](",
        "]:",
        "[a]",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "> ",
        "- ",
        "1. ",
        "\\",
        "# ",
        "x",
        " ",
        "&lt;",
        "|",
        "===",
        "\r",
        '<a href="`">',
        "http://e.org",
        "**",
        "\v",
        "\f",
        "\u2028",
        "\u00a0",
    ]
    chance = random.Random(1)
    for _ in range(1500):
        hostile(said("".join(chance.choices(bits, k=chance.randint(1, 14)))))


def hostile(document: str) -> None:
    """Only the document's own headings and comment, no image, no HTML, no definition."""
    body = document.partition("\n")[2]
    assert outline(body) == ["Soup", "You, 1970-01-01 00:01 UTC"], document
    assert not {t.type for t in tokens(body)} & {"html_block", "html_inline", "image"}, document
    found: dict[str, Any] = {}
    MarkdownIt("commonmark").parse(body, found)
    assert not found.get("references"), document


def test_a_title_and_names_are_one_line_of_text() -> None:
    text = said("hi", title="a\n# b <script> ![x](y) `c`", messages=[message(0, role="assistant", model="m\n# n<b>")])
    assert "# a # b" in text.replace("\\", "")
    assert outline(text.partition("\n")[2]) == [
        r"a \# b &lt;script\> \!\[x\](y) \`c\`",
        r"Assistant, m \# n&lt;b\>, 1970-01-01 00:01 UTC",
    ]


def test_empty_and_odd_lines() -> None:
    assert blockquote("") == ""
    assert blockquote("a\n\nb") == "> a\n>\n> b"
    assert "Untitled" in said("x", title="")


def test_it_is_refused_when_somebody_imports_it() -> None:
    with pytest.raises(ExchangeError, match=r"soup\.md: it is Markdown, for reading only: export with --format json"):
        parse(said("hi").encode(), "soup.md")
