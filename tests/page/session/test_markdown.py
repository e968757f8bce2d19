"""What others wrote, made safe: no image is left in a reply, and a title is nothing but its words."""

import pytest
from markdown_it import MarkdownIt

from page.session.markdown import escape_markdown, safe_markdown


@pytest.mark.parametrize(
    "text",
    [
        "![a](http://x/y)",
        "!![a](http://x/y)",
        "[![a](http://x/y)](http://z)",
        "\\![a](http://x/y)",
        "\\\\![a](http://x/y)",
        "`code` ![a][b]\n\n[b]: http://x/y",
        "[^1]\n\n[^1]: ![a](http://x/y)",
        "$$\n```\n$$\n![a](http://x/y)\n```",
        ":::note\n```\n:::\n![a](http://x/y)\n```",
        "> ```\n![a](http://x/y)\n```",
        "see[^1]\n\n[^1]: foo\n\n    ![x](http://x/y)",
        "[^1]: a\n\n    ```\n    ![x](http://x/y)\n    ```",
    ],
)
def test_no_image_is_left_in_a_reply(text: str) -> None:
    """Whoever reads the Markdown: without the two characters side by side there is no image."""
    assert "![" not in safe_markdown(text)


@pytest.mark.parametrize("text", ["```rust\nlet v = vec![1];\n```", "no image, a [link](http://x)!"])
def test_code_and_links_stay_as_they_are(text: str) -> None:
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "![a](http://x/y)",
        "[a](http://x)",
        "<img src=x>",
        "# no heading",
        "1. one",
        "- a",
        "a *b* _c_ `d` ~~e~~",
        "$x^2$ \\(y\\)",
        "&lt; &amp;",
        "a\nb",
        "<!-- c -->",
        "> quoted",
        "a | b",
        "line\\",
        "***",
        "===",
        "+ a",
        "1) one",
        "v1.2",
    ],
)
def test_plain_words_are_only_text(text: str) -> None:
    """CommonMark itself finds one paragraph of text in it, and that is what was written."""
    opening, inline, closing = MarkdownIt("commonmark").parse(escape_markdown(text))
    assert (opening.type, inline.type, closing.type) == ("paragraph_open", "inline", "paragraph_close")
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}
    shown = "".join(child.content for child in inline.children or [])
    assert shown.replace("\u2060", "") == " ".join(text.split())


def test_directives_of_streamlit_are_broken_up() -> None:
    for text in (":smile:", ":red[x]", ":material/star:", "see http://x", "www.example.com", "a@b.c"):
        assert "\u2060" in escape_markdown(text)
