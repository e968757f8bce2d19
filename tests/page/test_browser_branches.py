"""Branches in a real Chromium: edit, regenerate, the arrows between versions, continue, copy and thumbs."""

import pytest
from playwright.sync_api import Page, expect

from tests.loopback import Loopback
from tests.page.person import click_button, expect_stopped, messages, send_message

pytestmark = pytest.mark.browser


def said(tab: Page, text: str, reply: str) -> None:
    """Say something and wait for the reply's end."""
    count = tab.get_by_text("openai ·").count()
    send_message(tab, text)
    expect(tab.get_by_text("openai ·")).to_have_count(count + 1)
    expect(messages(tab).last).to_contain_text(reply)


def test_regenerate_makes_another_version_and_arrows_lead_between(talk: Loopback, tab: Page) -> None:
    said(tab, "hi", talk.reply)
    talk.reply = "A second one ."
    click_button(tab, "Regenerate")
    expect(messages(tab).last).to_contain_text("A second one .")
    expect(tab.get_by_text("2/2")).to_be_visible()
    expect(tab.get_by_role("button", name="Next version")).to_be_disabled()
    click_button(tab, "Previous version")
    expect(messages(tab).last).to_contain_text("It is a fine day .")
    expect(tab.get_by_text("1/2")).to_be_visible()
    tab.reload()
    expect(messages(tab).last).to_contain_text("It is a fine day .")
    said(tab, "go on", talk.reply)
    sent = [message["content"].strip() for message in talk.requests[-1]["messages"]]
    assert sent[1:] == ["hi", "It is a fine day .", "go on"]


def test_regenerate_with_another_backend(talk: Loopback, tab: Page) -> None:
    said(tab, "hi", talk.reply)
    click_button(tab, "Regenerate with another backend")
    click_button(tab, "Regenerate with llamacpp")
    expect(tab.get_by_text("llamacpp ·")).to_be_visible()
    expect(tab.get_by_text("2/2")).to_be_visible()
    assert len(talk.requests) == 1
    expect(tab.get_by_role("combobox", name="Backend")).to_have_value("openai")


def test_an_edited_message_is_another_branch(talk: Loopback, tab: Page) -> None:
    said(tab, "my name is Ann", talk.reply)
    said(tab, "what is my name?", talk.reply)
    messages(tab).nth(0).hover()
    click_button(tab, "Edit and send again", at=0)
    tab.get_by_label("Edit your message").fill("my name is Bob")
    talk.reply = "Hello Bob ."
    click_button(tab, "Send")
    expect(messages(tab)).to_have_count(2)
    expect(messages(tab).last).to_contain_text("Hello Bob .")
    assert [m["content"] for m in talk.requests[-1]["messages"]][1:] == ["my name is Bob"]
    messages(tab).nth(0).hover()
    click_button(tab, "Previous version")
    expect(messages(tab)).to_have_count(4)
    expect(messages(tab).first).to_contain_text("my name is Ann")


def test_a_cut_reply_goes_on_where_it_stopped(slow: Loopback, tab: Page) -> None:
    tab.get_by_role("button", name="Stop").click()
    expect_stopped(tab)
    words = messages(tab).last.locator(".reply")
    begun = words.inner_text().strip()
    slow.reply = "and this is the rest"
    click_button(tab, "Continue")
    expect(messages(tab).last).to_contain_text("and this is the rest")
    expect(tab.get_by_role("button", name="Continue")).to_have_count(0)
    expect(messages(tab)).to_have_count(2)
    assert words.inner_text().startswith(begun)
    assert slow.requests[-1]["messages"][-2]["content"].strip() == begun


def test_thumbs_and_a_comment_are_kept(talk: Loopback, tab: Page) -> None:
    said(tab, "hi", talk.reply)
    click_button(tab, "Bad reply")
    tab.get_by_label("What was bad about it?").fill("too *short* ![x](http://127.0.0.1:9/x.png)")
    click_button(tab, "Save")
    expect(tab.get_by_text("too *short*")).to_be_visible()
    tab.reload()
    expect(tab.get_by_text("too *short*")).to_be_visible()
    expect(tab.get_by_role("button", name="Bad reply")).to_have_attribute("aria-pressed", "true")
    click_button(tab, "Bad reply")
    expect(tab.get_by_role("button", name="Bad reply")).to_have_attribute("aria-pressed", "false")
    expect(tab.get_by_text("too *short*")).to_have_count(0)


def test_copy_gives_the_reply_as_it_was_written(talk: Loopback, tab: Page) -> None:
    talk.reply = "some **bold** words"
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    said(tab, "hi", "some bold words")
    click_button(tab, "Copy")
    tab.wait_for_function("async () => (await navigator.clipboard.readText()).trim() === 'some **bold** words'")
