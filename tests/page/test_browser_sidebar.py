"""The conversations in a real Chromium: search, rename, pin, delete and undo, export and import."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from prompts.handover import handover_prompt
from tests.loopback import Loopback
from tests.page.person import click_button, close_popover, messages, open_popover, send_message

pytestmark = pytest.mark.browser


def talked(tab: Page, *texts: str) -> None:
    """A conversation for each text."""
    for text in texts:
        click_button(tab, "New chat")
        expect(messages(tab)).to_have_count(0)
        send_message(tab, text)
        expect(tab.get_by_text("openai ·")).to_be_visible()


def rows(tab: Page) -> Locator:
    """The conversations listed."""
    return tab.locator("[class*=st-key-row-]")


def test_conversations_are_listed_opened_and_searched(talk: Loopback, tab: Page) -> None:
    talked(tab, "a walk in the mountains", "bread with butter")
    expect(rows(tab)).to_have_text(["bread with butter", "a walk in the mountains"])
    expect(tab.get_by_text("Today")).to_be_visible()
    rows(tab).nth(1).get_by_role("button").click()
    expect(messages(tab).first).to_contain_text("a walk in the mountains")
    search = tab.get_by_role("textbox", name="Search")
    search.fill("butter")
    search.press("Enter")
    expect(tab.get_by_text("1 found")).to_be_visible()
    tab.locator("[class*=st-key-hit-]").get_by_role("button").click()
    expect(messages(tab).first).to_contain_text("bread with butter")
    search.fill('"unheard (of')
    search.press("Enter")
    expect(tab.get_by_text("Nothing found")).to_be_visible()


def test_what_was_thought_is_found_where_somebody_asks_for_it(talk: Loopback, tab: Page) -> None:
    talk.script.append("think 3")
    talked(tab, "hi")
    search = tab.get_by_role("textbox", name="Search")
    search.fill("thought2")
    search.press("Enter")
    expect(tab.get_by_text("Nothing found")).to_be_visible()
    tab.get_by_text("Also in what models thought").click()
    expect(tab.get_by_text("1 found")).to_be_visible()
    expect(tab.get_by_text("Thought: thought0 thought1 thought2")).to_be_visible()
    tab.locator("[class*=st-key-hit-]").get_by_role("button").click()
    expect(messages(tab).first).to_contain_text("hi")


def test_a_search_leads_to_the_branch_of_what_was_found(talk: Loopback, tab: Page) -> None:
    talked(tab, "hi")
    talk.reply = "penguins live there"
    click_button(tab, "Regenerate")
    expect(tab.get_by_text("2/2")).to_be_visible()
    click_button(tab, "Previous version")
    expect(messages(tab).last).not_to_contain_text("penguins")
    search = tab.get_by_role("textbox", name="Search")
    search.fill("penguins")
    search.press("Enter")
    tab.locator("[class*=st-key-hit-]").get_by_role("button").click()
    expect(messages(tab).last).to_contain_text("penguins live there")


def test_back_and_forward_go_through_the_conversations(talk: Loopback, tab: Page) -> None:
    talked(tab, "first", "second")
    rows(tab).nth(1).get_by_role("button").click()
    expect(messages(tab).first).to_contain_text("first")
    tab.wait_for_timeout(3500)  # sooner an older address is taken for a late one
    tab.go_back()
    expect(messages(tab).first).to_contain_text("second")


def test_another_page_and_back_keeps_the_conversation(talk: Loopback, tab: Page) -> None:
    talked(tab, "stay here")
    tab.get_by_role("link", name="About").click()
    expect(messages(tab)).to_have_count(0)
    tab.get_by_role("link", name="Chat").click()
    expect(messages(tab).first).to_contain_text("stay here")
    assert "?c=" in tab.url


def test_rename_and_pin(talk: Loopback, tab: Page) -> None:
    talked(tab, "older one", "newer one")
    rows(tab).nth(1).get_by_role("button").click()
    expect(tab.locator("h1")).to_have_text("older one")
    open_popover(tab, "Chat")
    tab.get_by_label("Title").fill("My *best* chat :smile:")
    tab.get_by_label("Title").press("Enter")
    expect(tab.locator("h1")).to_contain_text("My *best* chat")
    click_button(tab, "Pin")
    expect(tab.get_by_role("button", name="Unpin")).to_be_visible()
    close_popover(tab)
    expect(rows(tab).first).to_contain_text("My *best* chat")
    expect(tab.get_by_text("Pinned")).to_be_visible()


def test_delete_and_undo(talk: Loopback, tab: Page) -> None:
    talked(tab, "keep me", "delete me")
    open_popover(tab, "Chat")
    click_button(tab, "Delete")
    expect(tab.get_by_text("Deleted: delete me")).to_be_visible()
    expect(rows(tab)).to_have_text(["keep me"])
    expect(messages(tab)).to_have_count(0)
    click_button(tab, "Undo")
    expect(messages(tab).first).to_contain_text("delete me")
    expect(messages(tab)).to_have_count(2)
    expect(rows(tab)).to_have_text(["delete me", "keep me"])


def test_deleting_ends_a_running_reply(slow: Loopback, tab: Page) -> None:
    other = tab.context.new_page()
    other.goto(tab.url)
    other.get_by_text("word1 ").first.wait_for()
    tab.bring_to_front()  # a browser hardly draws what is behind
    open_popover(tab, "Chat")
    click_button(tab, "Delete")
    expect(other.get_by_text("Conversation not found")).to_be_visible()
    tab.wait_for_timeout(1000)
    assert slow.gone


def test_export_and_import(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    talked(tab, "take me with you")
    open_popover(tab, "Chat")
    files = {}
    for kind in ("JSON", "Markdown"):
        with tab.expect_download() as download:
            click_button(tab, f"Export as {kind}")
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])
    assert "take me with you" in files["Markdown"].read_text()
    whole = json.loads(files["JSON"].read_text())
    whole["conversations"][0]["id"] = "x" * 22
    files["JSON"].write_text(json.dumps(whole))
    close_popover(tab)
    tab.get_by_text("Import", exact=True).click()
    tab.get_by_test_id("stSidebar").locator("input[type=file]").set_input_files(str(files["JSON"]))
    expect(tab.get_by_text("1 added")).to_be_visible()
    expect(rows(tab)).to_have_count(2)
    files["JSON"].write_text("{")
    tab.get_by_test_id("stSidebar").locator("input[type=file]").set_input_files(str(files["JSON"]))
    expect(tab.get_by_test_id("stSidebar").get_by_role("alert")).to_contain_text("cut short")
    expect(rows(tab)).to_have_count(2)


def test_a_summary_for_hand_over_is_an_ordinary_message(talk: Loopback, tab: Page) -> None:
    talked(tab, "hi")
    open_popover(tab, "Chat")
    click_button(tab, "Summarise for hand-over")
    expect(messages(tab)).to_have_count(4)
    expect(tab.get_by_text("openai ·")).to_have_count(2)
    assert talk.requests[-1]["messages"][-1]["content"] == handover_prompt()
