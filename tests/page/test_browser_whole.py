"""Whole files in a real Chromium: switched on at the documents, read above the first question, cited by page."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.loopback import Loopback
from tests.page.person import choose_files, close_popover, messages, send_message
from tests.page.test_browser_documents import ANSWER, BOOK, QUESTION, unfolded
from tests.pdf import pdf

pytestmark = pytest.mark.browser


def test_all_of_a_file_is_read_where_somebody_says_so(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    (tmp_path / "station.pdf").write_bytes(pdf(BOOK))
    choose_files(tab, tmp_path / "station.pdf")
    tab.get_by_role("button", name="Send message").click()
    expect(tab.get_by_text("Ask something about the documents")).to_be_visible()
    body = unfolded(tab)
    body.get_by_text("Read all of it").click()
    expect(body.get_by_role("switch", name="Read all of it").or_(body.get_by_role("checkbox"))).to_be_checked()
    close_popover(tab)
    talk.reply = "She did [7]."
    send_message(tab, QUESTION)
    expect(tab.get_by_role("button", name="Copy")).to_have_count(2)
    first = " ".join(talk.requests[-1]["messages"][1]["content"].split())
    assert [page for page in BOOK if page not in first] == []
    reply = messages(tab).last
    reply.get_by_role("link", name="Source 7: station.pdf, page 7").click()
    passage = reply.get_by_role("note", name="Source 7: station.pdf, page 7")
    expect(passage).to_be_focused()
    assert ANSWER in " ".join(passage.inner_text().split())
    send_message(tab, "And how many steps are there?")
    expect(tab.get_by_role("button", name="Copy")).to_have_count(4)
    before, now = (request["messages"] for request in talk.requests[-2:])
    assert now[: len(before)] == before, "what was computed for the first prompt serves the second"
