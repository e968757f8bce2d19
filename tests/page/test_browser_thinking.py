"""What a model thinks before it answers, as somebody sees it: folded while it comes, and as it was when it is over."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from conversations.replies import turn
from conversations.store.store import Store
from tests.conversations.talk import mine
from tests.loopback import Loopback
from tests.page.pages.test_insights import name
from tests.page.person import assert_fits_phone, last_text, picture_folder, send_message, without_stream
from tests.page.test_accessibility import NAMELESS, violations

pytestmark = pytest.mark.browser
BALL = "Were the ball 0.10, the bat would be 1.10, and both 1.20: too much.\n\nLet x be the ball: x + (x + 1) = 1.10."
TALK: tuple[dict[str, Any], ...] = (
    {"text": "A bat and a ball cost 1.10, the bat 1.00 more than the ball. And the ball?"},
    {
        "text": "The ball costs **0.05**, the bat 1.05.",
        "thinking": BALL,
        "thinking_ms": 12_100.0,
        "thinking_tokens": 52,
    },
    {"text": "And if both cost 1.50?"},
    {"text": "Then it costs **0.25**.", "thinking": "2x + 1 = 1.5", "thinking_tokens": 9, "thinking_ms": 2_300.0},
)
SCREENS = (("light", 560), ("dark", 560), ("light", 390))  # the last one is a phone's
SIDE_BY_SIDE = (
    "<body style='margin:0;padding:12px;display:flex;gap:12px;background:#888;width:max-content'>{}</body>"
    "<style>img {{ display: block; border-radius: 8px; zoom: 0.7 }}</style>"
)


def test_thinking_is_folded_opened_by_a_click_and_stays(talk: Loopback, tab: Page) -> None:
    talk.script.append("think 300")
    send_message(tab, "hi")
    thought = tab.locator(".reply details.thought")
    expect(thought.get_by_text("Thinking for")).to_be_visible()
    expect(thought.get_by_text("thought0 ")).to_be_hidden()
    thought.locator("summary").click()
    expect(thought.get_by_text("thought0 ")).to_be_visible()
    expect(thought).to_contain_text("thought20 ")
    expect(thought).to_have_attribute("open", "")  # though more has come since
    expect(tab.get_by_text("openai ·")).to_be_visible()
    expect(thought.get_by_text("Thought for")).to_be_visible()
    expect(tab.get_by_text("openai ·")).to_contain_text("300 tokens")
    assert talk.reply.split()[0] in last_text(tab)
    tab.reload()
    expect(thought.get_by_text("Thought for")).to_be_visible()
    expect(thought.get_by_text("thought299")).to_be_hidden()
    assert_fits_phone(tab)


def test_thinking_is_shown_where_the_page_looks_again_and_again(talk: Loopback, tab: Page) -> None:
    without_stream(tab)
    tab.reload()
    talk.script.append("think 300")
    send_message(tab, "hi")
    thought = tab.locator(".reply details.thought")
    expect(thought.get_by_text("Thinking for")).to_be_visible()
    expect(tab.get_by_text("openai ·")).to_be_visible()
    thought.get_by_text("Thought for").click()
    expect(thought.get_by_text("thought299")).to_be_visible()


def test_what_is_thought_is_text_and_no_markup(talk: Loopback, tab: Page) -> None:
    talk.script.append("think 5")
    talk.reply = "<b>so</b>"
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert tab.locator(".reply details.thought b").count() == 0


def keep(store: Store) -> str:
    """A conversation in which a model thought."""
    with store.database.writing() as session:
        found = store.create(session, title="The bat and the ball")
        for number, fields in enumerate(TALK):
            figures = {"role": "assistant", "backend": "gpt2", "completion_tokens": 70, "counted": True}
            found.head = turn.add_message(session, found, found.head, **fields, **(figures if number % 2 else {})).id
    return found.id


def test_it_looks_right_in_light_in_the_dark_and_on_a_phone(gpt2: str, chromium: Browser, tmp_path: Path) -> None:
    """And a screen reader finds its line as what opens and closes it. Makes the picture of docs/thinking.md."""
    pictures = []
    with chromium.new_context() as context:
        tab = context.new_page()
        identity = keep(mine(name(tab, gpt2)))
        for scheme, width in SCREENS:
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            tab.set_viewport_size({"width": width, "height": 760})
            tab.goto(f"{gpt2}/?c={identity}")
            folded, opened = (tab.locator(".reply details.thought").nth(at) for at in (1, 0))
            opened.locator("summary").click()
            expect(opened.get_by_text("Let x be the ball")).to_be_visible()
            expect(folded.get_by_text("2x + 1")).to_be_hidden()
            line = tab.get_by_text("Thought for 2 s")
            line.focus()
            tab.keyboard.press("Enter")
            expect(folded.get_by_text("2x + 1")).to_be_visible()
            tab.keyboard.press("Enter")
            expect(folded.get_by_text("2x + 1")).to_be_hidden()
            line.evaluate("element => element.blur()")
            assert list(violations(tab)) == []
            assert tab.evaluate(NAMELESS) == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            tab.mouse.move(5, 5)
            tab.wait_for_timeout(500)
            pictures.append(base64.b64encode(tab.screenshot()).decode())
        tab.set_viewport_size({"width": 1200, "height": 600})
        tab.set_content(SIDE_BY_SIDE.format("".join(f'<img src="data:image/png;base64,{each}">' for each in pictures)))
        folder = picture_folder(tmp_path, bool(os.environ.get("UPDATE_DOCS")))
        tab.locator("body").screenshot(path=folder / "thinking.png")
