"""Personas in a real Chromium: picked, edited, saved, surprising; and what they outlive."""

import re

import pytest
from playwright.sync_api import Page, expect

from prompts.persona import load_all
from tests.conversations.talk import wait_for
from tests.loopback import Loopback
from tests.page.person import click_button, close_popover, messages, open_popover, send_message, wait_until_drawn

pytestmark = pytest.mark.browser
COOK = next(persona for persona in load_all() if persona.slug == "cook")


def choose(tab: Page, name: str) -> None:
    """Pick a persona in the open popover."""
    tab.get_by_role("combobox", name="Persona").fill(name)
    tab.get_by_role("option").first.click()


def test_a_persona_talks_and_outlives_reload_and_switch(talk: Loopback, tab: Page) -> None:
    open_popover(tab, "Persona")
    choose(tab, COOK.name)
    expect(tab.get_by_text("You are talking with")).to_contain_text(COOK.name)
    close_popover(tab)
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert talk.requests[-1]["messages"][0] == {"role": "system", "content": COOK.system}
    tab.reload()
    expect(tab.locator(".st-key-header").get_by_role("button", name=COOK.name)).to_be_visible()
    tab.get_by_role("combobox", name="Backend").click()
    tab.get_by_role("option", name="llamacpp").click()
    send_message(tab, "and you?")
    expect(tab.get_by_text("llamacpp ·")).to_be_visible()
    expect(tab.locator(".st-key-header").get_by_role("button", name=COOK.name)).to_be_visible()


def test_a_persona_is_edited_here_and_saved_as_ones_own(talk: Loopback, tab: Page) -> None:
    open_popover(tab, "Persona")
    tab.get_by_text("Write your own").click()
    tab.get_by_label("Name").fill("Zoe, the diver")
    tab.get_by_label("Description").fill("dives")
    tab.get_by_label("Sentences, one a line").fill("I dive.\nI like whales.")
    click_button(tab, "Save as my own")
    header = tab.locator(".st-key-header")
    expect(header.get_by_role("button", name="Zoe, the diver")).to_be_visible()
    close_popover(tab)
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert talk.requests[-1]["messages"][0]["content"] == "I dive. I like whales."
    click_button(tab, "New chat")
    expect(messages(tab)).to_have_count(0)
    open_popover(tab, "Persona")
    choose(tab, "Zoe")
    expect(header.get_by_role("button", name="Zoe, the diver")).to_be_visible()
    wait_until_drawn(tab)
    tab.get_by_text("Edit", exact=True).click()
    tab.get_by_label("Sentences, one a line").fill("I dive at night.")
    click_button(tab, "Use in this chat")
    wait_until_drawn(tab)
    expect(tab.get_by_role("combobox", name="Persona")).to_have_value(re.compile("Zoe"))
    close_popover(tab)
    send_message(tab, "hello")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert talk.requests[-1]["messages"][0]["content"] == "I dive at night."


def test_surprise_gives_each_new_chat_another_one(talk: Loopback, tab: Page) -> None:
    open_popover(tab, "Persona")
    tab.get_by_text("Surprise me").click()
    line = tab.get_by_text("You are talking with")
    expect(line).to_be_visible()
    first = line.inner_text()
    close_popover(tab)
    click_button(tab, "New chat")
    expect(line).not_to_have_text(first)


def test_the_system_prompt_belongs_to_the_conversation(talk: Loopback, tab: Page) -> None:
    open_popover(tab, "Settings")
    tab.get_by_label("System prompt").fill("Be brief.")
    tab.get_by_label("System prompt").press("Control+Enter")
    close_popover(tab)
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert talk.requests[-1]["messages"][0]["content"] == "Be brief."
    tab.reload()
    expect(messages(tab)).to_have_count(2)
    open_popover(tab, "Settings")
    expect(tab.get_by_label("System prompt")).to_have_value("Be brief.")
    close_popover(tab)
    click_button(tab, "New chat")
    expect(messages(tab)).to_have_count(0)
    asked = len(talk.requests)
    send_message(tab, "hi again")
    wait_for(lambda: len(talk.requests) > asked)
    assert talk.requests[-1]["messages"][0]["content"] != "Be brief."
