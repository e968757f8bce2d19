"""The picker of a model in a real browser: each conversation keeps its own, and a draft stays."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import Start
from tests.page.person import messages, send_message, wait_until_drawn
from tests.smollm2 import ANSWER, QUESTION, needs_smollm2

pytestmark = [pytest.mark.browser, needs_smollm2]
USUAL, OTHER = "the usual model", re.compile("SmolLM2-135M-Instruct · ")
DRAFT = "A thought that is not sent yet"


def picker(tab: Page) -> Locator:
    """The list of models on this machine."""
    return tab.locator("[class*='st-key-llamacpp-model']").get_by_role("combobox")


def pick(tab: Page, words: str, label: str | re.Pattern[str]) -> None:
    """Pick a model by the keyboard, and wait until the page shows it."""
    picker(tab).click()
    picker(tab).press_sequentially(words)
    expect(tab.get_by_role("option")).to_have_count(1)
    picker(tab).press("Enter")
    expect_picked(tab, label)
    wait_until_drawn(tab)


def expect_picked(tab: Page, label: str | re.Pattern[str]) -> None:
    """Wait until the page shows this model as the one that answers."""
    expect(picker(tab)).to_have_value(label)


def ask(tab: Page, text: str) -> None:
    """Send a message and wait for the whole reply."""
    before = messages(tab).count()
    send_message(tab, text)
    expect(messages(tab)).to_have_count(before + 2)
    expect(tab.get_by_role("button", name="Copy").last).to_be_visible()


def begin(tab: Page) -> None:
    """Begin a new chat."""
    tab.get_by_role("button", name="New chat").click()
    expect(messages(tab)).to_have_count(0)


def test_each_conversation_keeps_its_model_and_a_draft_stays(start: Start, tab: Page) -> None:
    tab.goto(start(LLM_BACKEND="llamacpp", TEMPERATURE="0"))
    expect_picked(tab, USUAL)
    ask(tab, "hi")
    never_picked = tab.url
    begin(tab)
    box = tab.get_by_placeholder("Write a message")
    box.fill(DRAFT)
    pick(tab, "SmolLM2", OTHER)
    expect(box).to_have_value(DRAFT)
    ask(tab, QUESTION)
    expect(messages(tab).last).to_contain_text(ANSWER)
    second = tab.url
    begin(tab)
    expect_picked(tab, OTHER)  # a new chat begins with what was picked last
    box.fill(DRAFT)
    pick(tab, "usual", USUAL)
    expect(box).to_have_value(DRAFT)
    ask(tab, "hello")
    third = tab.url
    for address, label in ((never_picked, USUAL), (second, OTHER), (third, USUAL)):
        tab.goto(address)
        expect_picked(tab, label)
    tab.goto(second)
    box.fill(DRAFT)
    pick(tab, "usual", USUAL)  # in a conversation that has begun as well
    expect(box).to_have_value(DRAFT)
    pick(tab, "SmolLM2", OTHER)
    expect(box).to_have_value(DRAFT)


def test_what_never_picked_stays_with_the_usual_model(start: Start, tab: Page) -> None:
    tab.goto(start(LLM_BACKEND="llamacpp", TEMPERATURE="0"))
    ask(tab, "hi")
    begin(tab)
    pick(tab, "SmolLM2", OTHER)
    ask(tab, QUESTION)
    tab.get_by_test_id("stSidebar").get_by_role("button", name="hi", exact=True).click()  # of the same tab
    expect(messages(tab).first).to_contain_text("hi")
    expect_picked(tab, USUAL)
