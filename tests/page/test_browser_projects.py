"""Projects in a real Chromium: made, talked in, moved to, searched within, and deleted as somebody says."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.loopback import Loopback
from tests.page.person import click_button, close_popover, messages, open_popover, send_message
from tests.page.test_browser_sidebar import rows, talked

pytestmark = pytest.mark.browser


def make(tab: Page, name: str) -> None:
    """A project, which is open then."""
    tab.get_by_role("button", name="New project").click()
    tab.get_by_label("Name of the project").fill(name)
    click_button(tab, "Create")
    expect(heading(tab, name)).to_be_visible()
    close_popover(tab)


def heading(tab: Page, name: str) -> Locator:
    """The button behind which an open project is."""
    return tab.locator(".st-key-project").get_by_role("button", name=name)


def folders(tab: Page) -> Locator:
    """The projects listed."""
    return tab.locator("[class*=st-key-folder-]")


def open_project(tab: Page, name: str) -> None:
    """Open what can be done with the open project."""
    heading(tab, name).click()
    tab.get_by_test_id("stPopoverBody").wait_for()


def prompt(talk: Loopback) -> str:
    return "\n".join(str(message["content"]) for message in talk.requests[-1]["messages"])


def search(tab: Page, words: str) -> None:
    box = tab.get_by_role("textbox", name="Search")
    box.fill(words)
    box.press("Enter")


def test_a_project_is_made_talked_in_and_left(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    ferry = tmp_path / "ferry.txt"
    ferry.write_text("The ferry leaves at nine. It costs four crowns.")
    make(tab, "The garden")
    open_project(tab, "The garden")
    box = tab.get_by_label("System prompt of the project")
    box.fill("Answer as a gardener.")
    box.press("Control+Enter")
    tab.get_by_test_id("stPopoverBody").locator("input[type=file]").set_input_files(str(ferry))
    expect(tab.get_by_test_id("stPopoverBody").get_by_text("1 passage")).to_be_visible()
    close_popover(tab)
    send_message(tab, "When does the ferry leave?")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    assert prompt(talk).startswith("Answer as a gardener.")
    assert "leaves at nine" in prompt(talk)
    expect(heading(tab, "The garden")).to_be_visible()
    expect(tab.locator(".st-key-inside [class*=st-key-row-]")).to_have_text(["When does the ferry leave?"])

    talked(tab, "an oak outside")  # a new chat is in no project
    assert "gardener" not in prompt(talk)
    expect(rows(tab)).to_have_text(["an oak outside"])
    open_popover(tab, "Chat")
    tab.get_by_role("combobox", name="Project").click()
    tab.get_by_role("option", name="The garden").click()
    close_popover(tab)
    expect(tab.locator(".st-key-inside [class*=st-key-row-]")).to_have_count(2)
    expect(folders(tab)).to_contain_text(["The garden"])
    send_message(tab, "and here?")
    expect(tab.get_by_text("openai ·")).to_have_count(2)
    assert prompt(talk).startswith("Answer as a gardener.")

    talked(tab, "an elm outside")
    folders(tab).get_by_role("button").click()
    search(tab, "outside")
    expect(tab.get_by_text("1 found")).to_be_visible()
    tab.get_by_text("Only in The garden").click()
    expect(tab.get_by_text("2 found")).to_be_visible()
    search(tab, "")

    open_project(tab, "The garden")
    with tab.expect_download() as download:
        click_button(tab, "Export project")
    whole = json.loads(download.value.path().read_text())
    assert (whole["project"]["name"], len(whole["conversations"])) == ("The garden", 2)
    click_button(tab, "Delete project")
    expect(tab.get_by_text("Its 2 chats:")).to_be_visible()
    click_button(tab, "Keep them")
    expect(folders(tab)).to_have_count(0)
    expect(rows(tab)).to_have_text(["an elm outside", "an oak outside", "When does the ferry leave?"])
    rows(tab).last.get_by_role("button").click()
    expect(messages(tab).first).to_contain_text("When does the ferry leave?")
    send_message(tab, "Do you still know?")
    expect(tab.get_by_text("openai ·")).to_have_count(2)
    assert "gardener" not in prompt(talk)
    assert "leaves at nine" not in prompt(talk)


def test_a_chat_says_otherwise_than_its_project(talk: Loopback, tab: Page) -> None:
    make(tab, "Bees")
    open_project(tab, "Bees")
    tab.get_by_role("combobox", name="Persona of the project").fill("beekeeper")
    tab.get_by_role("option").first.click()
    expect(tab.get_by_text("The persona's sentences are the system prompt.")).to_be_visible()
    tab.get_by_role("combobox", name="Tools of the project").click()
    tab.get_by_role("option", name="calculator").click()
    close_popover(tab)
    expect(tab.locator(".st-key-header").get_by_role("button", name="Tools (1)")).to_be_visible()
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    of_persona = prompt(talk)
    assert [tool["function"]["name"] for tool in talk.requests[-1]["tools"]] == ["calculator"]
    header = tab.locator(".st-key-header")
    header.get_by_test_id("stPopover").nth(0).get_by_role("button").click()
    tab.get_by_role("combobox", name="Persona").click()
    tab.get_by_role("option", name="No persona").click()
    expect(header.get_by_role("button", name="Persona")).to_be_visible()
    close_popover(tab)
    open_popover(tab, "Tools (1)")
    tab.get_by_test_id("stPopoverBody").get_by_text("Calculator").click()
    close_popover(tab)
    expect(header.get_by_role("button", name="Tools (1)")).to_have_count(0)
    send_message(tab, "and now?")
    expect(tab.get_by_text("openai ·")).to_have_count(2)
    assert prompt(talk).splitlines()[0] != of_persona.splitlines()[0]
    assert "tools" not in talk.requests[-1]

    open_project(tab, "Bees")
    click_button(tab, "Delete project")
    click_button(tab, "Delete them too")
    expect(folders(tab)).to_have_count(0)
    expect(rows(tab)).to_have_count(0)
