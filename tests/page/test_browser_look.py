"""How the page looks and how fast it is there: light, dark, on a phone, and with a very long chat."""

import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from conversations.replies import turn
from conversations.store import store as stores
from conversations.store.schema import Conversation
from settings import Settings
from tests.page.person import (
    click_button,
    close_popover,
    messages,
    open_popover,
    picture_folder,
    send_message,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser
WIDEST = """() => Math.max(...[...document.querySelectorAll('[data-testid=stChatMessage] *, .st-key-header *')]
    .map(e => e.getBoundingClientRect().right))"""
UPDATE = bool(os.environ.get("UPDATE_DOCS"))  # makes the README's pictures anew, with more chats in the list
CHATS = [["Do you like music?"], ["What do you do for a living?"], ["hi, how are you?", "Tell me a joke"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(gpt2: str, chromium: Browser, scheme: str, tmp_path: Path) -> None:
    with chromium.new_context(color_scheme=scheme, viewport={"width": 1200, "height": 760}) as context:  # type: ignore[arg-type]
        tab = context.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(gpt2)
        expect(tab.get_by_text("small demonstration model")).to_be_visible()
        for texts in CHATS if UPDATE else CHATS[-1:]:
            click_button(tab, "New chat")
            expect(messages(tab)).to_have_count(0)
            for number, text in enumerate(texts, 1):
                send_message(tab, text)
                expect(tab.get_by_text("gpt2 ·")).to_have_count(number)
        expect(tab.get_by_text("of 1,024 tokens")).to_be_visible()
        click_button(tab, "Good reply")
        tab.get_by_label("What was good about it?").wait_for()
        click_button(tab, "Close")
        tab.mouse.move(600, 500)
        tab.wait_for_timeout(500)
        name = "chat.png" if scheme == "light" else "chat-dark.png"
        tab.screenshot(path=str(picture_folder(tmp_path, UPDATE) / name))
        color = tab.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert (sum(int(part) for part in color.strip("rgba()").split(",")[:3]) > 380) == (scheme == "light")
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


def test_on_a_phone(llamacpp: str, chromium: Browser, tmp_path: Path) -> None:
    with chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as context:
        tab = context.new_page()
        tab.goto(llamacpp)
        for number, text in enumerate(("hi, how are you?", "Do you like music?"), 1):
            send_message(tab, text)
            expect(tab.get_by_text("llamacpp ·")).to_have_count(number)
            wait_until_drawn(tab)  # what is typed while it is drawn anew may be drawn over
        click_button(tab, "Regenerate")
        expect(tab.get_by_text("2/2")).to_be_visible()
        expect(tab.get_by_text("llamacpp ·")).to_have_count(2)
        wait_until_drawn(tab)
        tab.wait_for_timeout(500)
        tab.screenshot(path=str(picture_folder(tmp_path, UPDATE) / "chat-phone.png"))
        open_popover(tab, "Settings")
        close_popover(tab)
        send_message(tab, "w" * 300)
        expect(tab.get_by_text("llamacpp ·")).to_have_count(3)
        assert tab.evaluate(WIDEST) <= 390
        tab.get_by_test_id("stExpandSidebarButton").click()
        expect(tab.get_by_role("button", name="New chat")).to_be_visible()


def test_a_chat_of_2000_messages_opens_as_fast_as_one_of_50(llamacpp: str, tab: Page) -> None:
    settings = Settings.read()
    tab.goto(llamacpp)
    send_message(tab, "hi")
    expect(tab.get_by_text("llamacpp ·")).to_be_visible()

    def fastest(count: int) -> float:
        lengthen(settings, tab.url.partition("c=")[2], count)
        took = []
        for _ in range(4):
            begun = time.monotonic()
            tab.reload()
            expect(messages(tab).last).to_contain_text(f"message {count - 1}:")
            tab.get_by_role("button", name="Copy").last.wait_for()
            took.append(time.monotonic() - begun)
        print(f"a chat of {count} messages opened in {min(took):.2f} s")
        return min(took)

    short = fastest(50)
    assert fastest(2000) < 1.5 * short
    click_button(tab, "Show earlier (1950)")
    expect(messages(tab)).to_have_count(100)
    expect(messages(tab).first).to_contain_text("message 1900")


def lengthen(settings: Settings, identity: str, count: int) -> None:
    """Make it the long branch of a conversation, as if it had been talked in for weeks."""
    database = stores.open_store(settings, "").database
    with database.writing() as session:
        found, parent = session.get_one(Conversation, identity), None
        for number in range(count):
            figures = {"role": "assistant", "backend": "llamacpp", "prompt_tokens": 900, "window": 1024}
            text = f"message {number}: " + "said in a **long** chat. " * 5
            parent = turn.add_message(session, found, parent, text=text, **(figures if number % 2 else {})).id
        found.head = parent
