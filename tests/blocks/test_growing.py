"""A text that grows is shown as it would be if it had come whole, wherever its pieces end; what is closed stays."""

import random
import time

import pytest

from blocks import GrowingText, render_blocks
from settings import ROOT
from tests.blocks.test_markdown import HOSTILE
from tests.page.test_browser_reply import DRAWN

TEXTS = [
    DRAWN,
    "Plain words, one after the other. And more of them; 12 of 3.5 www.example.com, http://example.com/a_b www. end",
    "One\n===\n\ntwo\n---\nthree\n***\n- a\n- b\n\n\n  c\n1. d\n   > e\n   f\n\n    code\nlast\n",
    "Open \\[ a\n\nb \\] and $$\n\nc\n\n$$ and \\( d\n\n e \\) `code\n\nmore` end",
    "See [one] and [two].\n\nMore words here.\n\n[one]: http://example.com/1\n\n[two]: http://example.com/2\n\nend",
    "<div>\nhtml *a*\n\n<script>\n\n# no\n</script>\n\nx\n<!-- \n\n- y\n-->\nz",
    "| a | b |\n|---|---|\n| 1 | 2 |\nno row\n\n~~~\nopen\n\n# code\n",
    "Great!\n\n- one item goes on\n- **bold** item 2) and\n  - inner words go on\n\nEnd: x_1_ and 3 * 4 * 5 [1] [2](x)",
    (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")[:900],
    "To do:\n\n- [ ] one thing to do\n- [x] **two** things\n- [X] and more\n- [ ]\n- [x](http://x.y)\n1. [ ] first\n",
    *HOSTILE,
]  # fmt: skip


def without_colours(blocks: tuple[str, ...]) -> tuple[str, ...]:
    """Code that grows is coloured piece by piece."""
    return tuple(block for block in blocks if '<div class="code">' not in block)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_it_is_shown_as_if_it_had_come_whole(text: str) -> None:
    chance = random.Random(3)
    for sizes in ((1,), (1, 2, 5, 9, 30), (200,)):
        growing, at = GrowingText(), 0
        while at < len(text):
            at += chance.choice(sizes)
            shown, whole = growing.update(text[:at]), render_blocks.__wrapped__(text[:at])
            assert len(shown) == len(whole)
            assert without_colours(shown) == without_colours(whole)


def test_blocks_that_are_closed_are_the_same_objects() -> None:
    growing = GrowingText()
    before = growing.update("# One\n\nTwo *three* four\n\nfive\n\nsix")
    after = growing.update("# One\n\nTwo *three* four\n\nfive\n\nsix *and* more")
    assert all(old is new for old, new in zip(before[:2], after, strict=False))


def test_another_text_is_shown_whole() -> None:
    growing = GrowingText()
    growing.update("One\n\ntwo\n\nthree\n\nfour")
    assert growing.update("Else\n\nwhat") == render_blocks("Else\n\nwhat")


def test_words_at_the_end_of_a_long_paragraph_take_no_longer() -> None:
    used = []
    for length in (100, 10_000):
        growing, text = GrowingText(), "a12345678 " * length
        growing.update(text)
        began = time.process_time()
        for _ in range(100):
            text += "word "
            growing.update(text)
        used.append(time.process_time() - began)
    assert used[1] < 20 * max(used[0], 0.005)
