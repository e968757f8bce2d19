"""What is taken apart in Python and put together in a browser: the same blocks, whatever stands in them."""

import random
from itertools import pairwise

import pytest
from playwright.sync_api import Page

from page.stream.patch import make_patch
from page.stream.route import FOLDER
from tests.page.stream.reader import patched

LETTERS = "ab<&\u00e9\U0001f600\U0001f601"  # of which the last are two for JavaScript, and begin alike
SOURCE = (FOLDER / "patch.js").read_text(encoding="utf-8")


def grown(chance: random.Random, count: int) -> list[tuple[str, ...]]:
    """States of a text's blocks, each with something in common with the one before."""
    states: list[tuple[str, ...]] = [()]
    for _ in range(count):
        before = list(states[-1])
        at = chance.randint(0, len(before))
        text = "".join(chance.choices(LETTERS, k=chance.randint(0, 6)))
        kept = before[at] if at < len(before) else ""
        states.append((*before[:at], kept[: chance.randint(0, len(kept))] + text, *before[at + 1 : at + 2]))
    return states


def test_a_reader_in_python_puts_them_together() -> None:
    states = grown(random.Random(1), 300)
    for before, after in pairwise(states):
        assert tuple(patched(list(before), make_patch(before, after))) == after


@pytest.mark.browser
def test_so_does_the_browser(tab: Page) -> None:
    states = grown(random.Random(2), 300)
    patches = [make_patch(before, after) for before, after in pairwise(states)]
    together = "let known = []; return patches.map((each) => (known = patched(known, each)));"
    found = tab.evaluate(f"(patches) => {{ {SOURCE} {together} }}", patches)
    assert [tuple(blocks) for blocks in found] == states[1:]
    whole = {"whole": True, "keep": 0, "cut": 0, "add": ["all"]}
    assert tab.evaluate(f"(patch) => {{ {SOURCE} return patched(['x'], patch); }}", whole) == ["all"]
