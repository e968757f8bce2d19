"""Text that is no Markdown: every character stands for itself, each line is a block."""

from blocks import plain_blocks


def test_every_character_stands_for_itself() -> None:
    assert plain_blocks("a *b* <i>\n\n$x$ &") == ("a *b* &lt;i&gt;", "<br>", "$x$ &amp;")
    assert plain_blocks("") == ("<br>",)
