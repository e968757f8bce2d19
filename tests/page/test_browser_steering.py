"""Thinking that somebody steers in the page: a switch, a button that ends it, and a reply that goes on inside it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import thinker
from tests.page.conftest import run_page
from tests.page.person import (
    assert_fits_phone,
    click_button,
    close_popover,
    open_popover,
    send_message,
    wait_until_drawn,
    without_stream,
)
from tests.smollm2 import needs_smollm2

pytestmark = [pytest.mark.browser, needs_smollm2]
ENDLESS = "Tell me about the sea."


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One page for all tests, each of which is another browser: SmolLM2 thinks."""
    folder = tmp_path_factory.mktemp("thinks")
    own = {**thinker.environment(folder), **thinker.REPEATING, "DATABASE_URL": f"sqlite:///{folder}/conversations.db"}
    with run_page(folder / "page.log", None, **own) as address:
        yield address


@pytest.fixture
def page(address: str, tab: Page) -> Iterator[Page]:
    """Where nothing was said yet; what still runs at the end is stopped."""
    tab.goto(address)
    tab.get_by_placeholder("Write a message").wait_for()
    yield tab
    while tab.get_by_role("button", name="Stop").count():
        tab.keyboard.press("Escape")
        tab.wait_for_timeout(100)


def thought(tab: Page) -> Locator:
    return tab.locator(".reply details.thought")


def answer(tab: Page) -> Locator:
    """What stands below the thinking."""
    return tab.locator(".reply > div:not(:has(details.thought))").first


def press_answer_now(tab: Page) -> None:
    """The button is there while it thinks, and gone with the first words of the answer."""
    button = tab.get_by_role("button", name="Answer now")
    button.click()
    expect(answer(tab)).to_be_visible()
    expect(button).to_have_count(0)
    expect(thought(tab).get_by_text("Thought for")).to_be_visible()


def test_a_button_ends_the_thinking(page: Page) -> None:
    send_message(page, ENDLESS)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(thought(page).get_by_text("Thinking for")).to_be_visible()
    press_answer_now(page)
    assert_fits_phone(page)


def test_a_button_ends_it_where_the_page_looks_again_and_again(page: Page) -> None:
    without_stream(page)
    page.reload()
    send_message(page, ENDLESS)
    press_answer_now(page)


def test_a_reply_that_was_stopped_while_it_thought_goes_on_there(page: Page) -> None:
    send_message(page, ENDLESS)
    expect(page.get_by_role("button", name="Answer now")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped while it was thinking.")).to_be_visible()
    before = thought(page).locator("div").text_content() or ""
    assert before
    click_button(page, "Continue")
    page.get_by_role("button", name="Answer now").click()
    expect(page.get_by_role("button", name="Answer now")).to_have_count(0)
    after = thought(page).locator("div").text_content() or ""
    assert after.startswith(before.rstrip())


def test_a_switch_turns_it_off_for_this_conversation(page: Page) -> None:
    open_popover(page, "Settings")
    page.get_by_role("combobox", name="Thinking").click()
    page.get_by_role("option", name="Off", exact=True).click()
    wait_until_drawn(page)
    close_popover(page)
    send_message(page, ENDLESS)
    expect(answer(page)).to_be_visible()
    expect(thought(page)).to_have_count(0)
    page.reload()
    open_popover(page, "Settings")
    expect(page.get_by_role("combobox", name="Thinking")).to_have_value("Off")
