"""Markers of a reply in a real Chromium: pressed, they open the passage and show it; what is none stays text."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.loopback import Loopback
from tests.page.person import choose_files, messages, send_message
from tests.page.test_accessibility import NAMELESS, violations
from tests.page.test_browser_documents import ANSWER, BOOK, QUESTION
from tests.pdf import pdf

pytestmark = pytest.mark.browser


BOTH = "Who kept the lamp in the winter of 1871, and how far was the bell heard?"


def ask(tab: Page, folder: Path) -> Locator:
    """The reply to the question about the book."""
    (folder / "station.pdf").write_bytes(pdf(BOOK))
    choose_files(tab, folder / "station.pdf")
    send_message(tab, BOTH)
    expect(messages(tab)).to_have_count(2)
    reply = messages(tab).last
    expect(tab.get_by_role("button", name="Copy")).to_have_count(2)
    return reply


def test_a_marker_opens_its_passage_by_mouse_and_by_keyboard(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    talk.reply = "She did [1], it says. See a[1], `[1]`, [1](#other), [9] and ![x] [2]."
    reply = ask(tab, tmp_path)
    markers = reply.locator('a[href^="#source-"]')
    expect(markers).to_have_text(["[1]", "[2]"])
    expect(reply.get_by_text("See a[1], [1], 1, [9] and")).to_be_visible()
    first = reply.get_by_role("link", name="Source 1: station.pdf, page 7")
    passage = reply.get_by_role("note", name="Source 1: station.pdf, page 7")
    first.click()
    expect(passage).to_be_focused()
    expect(passage.get_by_text("Ingrid Holm kept the lamp")).to_be_visible()
    assert ANSWER in " ".join(passage.inner_text().split())
    assert tab.evaluate(NAMELESS) == []
    assert [*violations(tab)] == []
    second = reply.get_by_role("link", name="Source 2:")
    second.focus()
    tab.keyboard.press("Enter")
    expect(reply.get_by_role("note", name="Source 2:")).to_be_focused()


def test_a_reply_that_names_nothing_gets_markers_of_ours(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    talk.reply = "Ingrid Holm kept the lamp in the winter of 1871. I like ships."
    reply = ask(tab, tmp_path)
    marker = reply.get_by_role("link", name="Source 1: station.pdf, page 7, found by this page")
    expect(marker).to_have_text("[≈1]")
    marker.click()
    expect(reply.get_by_role("note", name="Source 1: station.pdf, page 7")).to_be_focused()
    expect(reply.get_by_text("the model named no source")).to_be_visible()
    expect(reply.get_by_text("Also given to the model:")).to_be_visible()
    expect(reply.get_by_text("[2] station.pdf, page 5")).to_be_visible()


def test_markers_of_a_growing_reply_lead_to_the_passages_too(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    talk.script.append("slow 4000")
    (tmp_path / "station.pdf").write_bytes(pdf(BOOK))
    talk.word = "lamp{} [1] "
    choose_files(tab, tmp_path / "station.pdf")
    send_message(tab, QUESTION)
    reply = messages(tab).last
    reply.get_by_role("link", name="Source 1: station.pdf, page 7").first.click()
    expect(reply.get_by_role("note", name="Source 1: station.pdf, page 7")).to_be_focused()
    reply.get_by_role("button", name="Stop").click()
    expect(tab.get_by_role("button", name="Copy")).to_have_count(2)
