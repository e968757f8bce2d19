"""Tools in a real Chromium: switched on, called, asked about, and answered after the server was killed."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import free_port
from tests.conversations.replies.web import Web, pages
from tests.loopback import KEY, Loopback, running
from tests.page.conftest import run_page, run_server
from tests.page.person import choose_files, close_popover, messages, open_popover, send_message, wait_until_drawn
from tests.page.test_browser_documents import ANSWER, BOOK, QUESTION
from tests.pdf import pdf

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with pages(free_port()) as served:
        yield served


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with running(free_port()) as served:
        yield served


def switch_on(tab: Page, *titles: str) -> None:
    """Switch tools on in the menu."""
    open_popover(tab, "Tools")
    for title in titles:
        tab.get_by_test_id("stPopoverBody").get_by_text(title).click()
        name = re.compile(title.replace("_", r"\\*_"))  # as Streamlit has it for who hears the page
        expect(tab.get_by_role("switch", name=name)).to_be_checked()
    close_popover(tab)


def test_a_call_is_answered_in_one_of_two_tabs_after_the_server_was_killed(
    server: Loopback, web: Web, tab: Page, tmp_path: Path
) -> None:
    given = {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": KEY,
        "TOOLS_HOSTS": web.host,
        "DATABASE_URL": f"sqlite:///{tmp_path}/conversations.db",
        "COOKIE_SECRET": "a secret that outlives the server",
    }
    url = web.url("?q=<b>harbour</b>")
    server.script.extend([f"I look.\ncall date_time\ncall read_page {json.dumps({'url': url})}", "say It is closed."])
    port = free_port()
    with run_server(tmp_path / "first.log", port, **given) as (address, process):
        tab.goto(address)
        tab.get_by_placeholder("Write a message").wait_for()
        switch_on(tab, "Date and time", "Read a web page")
        expect(tab.get_by_role("button", name="Tools (2)")).to_be_visible()
        send_message(tab, "Is the harbour open?")
        expect(tab.get_by_text("wants to be called with")).to_be_visible()
        expect(tab.get_by_text("1 call: date_time")).to_be_visible()
        expect(tab.get_by_text("<b>harbour</b>")).to_be_visible()  # as data
        assert web.asked == []
        other = tab.context.new_page()
        other.goto(tab.url)
        expect(other.get_by_role("button", name="Once")).to_be_visible()
        process.kill()
        process.wait()
    with run_page(tmp_path / "second.log", port, **given):
        tab.reload()
        expect(tab.get_by_role("button", name="Never in this chat")).to_be_visible()
        other.reload()
        other.get_by_role("button", name="Once").click()
        expect(other.get_by_text("It is closed.")).to_be_visible()
        # The other tab hears of it, and what it shows is over.
        expect(tab.get_by_text("It is closed.")).to_be_visible()
        expect(tab.get_by_role("button", name="Once")).to_have_count(0)
        assert len(web.asked) == 1
        tab.get_by_text("2 calls: date_time, read_page").click()
        expect(tab.get_by_text("closed on Mondays")).to_be_visible()
        expect(tab.get_by_text("Holds words of strangers")).to_be_visible()


def wait_for_tool(tab: Page, title: str) -> None:
    """Until the menu has it: a server starts once somebody looks, and is there with a later look."""
    while True:
        open_popover(tab, "Tools")
        is_there = tab.get_by_test_id("stPopoverBody").get_by_text(title).count() > 0
        close_popover(tab)
        if is_there:
            return
        tab.reload()
        tab.get_by_placeholder("Write a message").wait_for()
        wait_until_drawn(tab)


def time_server(folder: Path) -> str:
    """The path of an mcp.json with the server of the package mcp-server-time."""
    path = folder / "mcp.json"
    command = {"command": sys.executable, "args": ["-m", "mcp_server_time", "--local-timezone", "Europe/Paris"]}
    path.write_text(json.dumps({"mcpServers": {"time": command}}))
    return str(path)


def test_time_documents_and_a_server_of_mcp_in_one_conversation(server: Loopback, tab: Page, tmp_path: Path) -> None:
    """Of three calls of one answer two need nobody's leave; the server's waits, through the kill of ours."""
    given = {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": KEY,
        "MCP_CONFIG": time_server(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/conversations.db",
        "COOKIE_SECRET": "a secret that outlives the server",
    }
    (tmp_path / "station.pdf").write_bytes(pdf(BOOK))
    convert = {"source_timezone": "Europe/Paris", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    calls = [
        "call date_time",
        f"call search_documents {json.dumps({'query': QUESTION})}",
        f"call time__convert_time {json.dumps(convert)}",
    ]
    server.script.extend(["\n".join(["I look.", *calls]), "say Ingrid Holm did."])
    port = free_port()
    with run_server(tmp_path / "first.log", port, **given) as (address, process):
        tab.goto(address)
        tab.get_by_placeholder("Write a message").wait_for()
        wait_for_tool(tab, "convert_time")
        switch_on(tab, "Date and time", "Search in documents", "convert_time")
        choose_files(tab, tmp_path / "station.pdf")
        send_message(tab, QUESTION)
        expect(tab.get_by_text("wants to be called with")).to_be_visible()
        expect(tab.get_by_text("2 calls: date_time, search_documents")).to_be_visible()
        expect(tab.get_by_text("a document").or_(tab.get_by_text("search_documents (own)")).first).to_be_visible()
        process.kill()
        process.wait()
    with run_page(tmp_path / "second.log", port, **given):
        tab.reload()
        tab.get_by_role("button", name="Once").click()
        expect(messages(tab).last).to_contain_text("Ingrid Holm did.")
        tab.get_by_text("3 calls: date_time, search_documents, time__convert_time").click()
        expect(tab.get_by_text("Asia/Tokyo").first).to_be_visible()
    results = [row["content"] for row in server.requests[-1]["messages"] if row["role"] == "tool"]
    assert ANSWER in " ".join(results[1].split())
    assert "+09:00" in results[2]
