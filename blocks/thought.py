"""What a model thought before it answered, as a block that is folded: its text, and a line that says how long.

Knows no page, and no Markdown: thinking is shown as it was written.
"""

from html import escape


def thought_block(text: str, seconds: float | None, *, growing: bool = False) -> str:
    """The block of HTML. The line stands last, so that a growing text is told by what is added to it."""
    line = thought_line(seconds, growing)
    return f'<details class="thought"><div>{escape(text)}</div><summary>{line}</summary></details>'


def thought_line(seconds: float | None, growing: bool = False) -> str:
    """How long it thought, or has thought so far."""
    if seconds is None:
        return "Thinking…" if growing else "Thought"
    return f"Thinking for {seconds:.0f} s…" if growing else f"Thought for {seconds:.0f} s"
