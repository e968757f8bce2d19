"""A temporary chat in the page: its words are in no file, whatever the database, also after the server was killed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import make_url

from tests.conftest import free_port
from tests.loopback import KEY, Loopback, running
from tests.page.conftest import run_server
from tests.page.person import (
    assert_fits_phone,
    choose_files,
    click_button,
    messages,
    open_popover,
    send_message,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser
ASKED, ANSWERED, WRITTEN = "Quetzalcoatlus", "Pterodaustro", "Dsungaripterus"  # which no other file has
KEPT = "Iguanodon"
NOTICE = "Temporary chat. It is kept in no database"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with running(free_port()) as server:
        yield server


def begin_temporary(tab: Page, address: str) -> None:
    tab.goto(address)
    tab.get_by_placeholder("Write a message").wait_for()
    wait_until_drawn(tab)
    tab.locator("label").filter(has_text="Temporary chat").click()
    expect(tab.get_by_text(NOTICE)).to_be_visible()


def holders(folder: Path, word: str) -> list[Path]:
    """The files below that hold a word, as text in whatever case, or as UTF-16."""
    forms = [form.encode(code) for form in (word, word.lower()) for code in ("utf-8", "utf-16-le")]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL")
def test_its_words_are_in_no_file_after_a_kill(tab: Page, server: Loopback, database_url: str, tmp_path: Path) -> None:
    own, log = tmp_path / "here", tmp_path / "here" / "page.log"
    own.mkdir()
    data = Path(str(make_url(database_url).query["host"])) if "postgresql" in database_url else tmp_path / "data"
    environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "LOG_CONTENT": "1", "LOG_LEVEL": "debug"}
    notes = tmp_path / "outside" / f"{WRITTEN}.txt"
    notes.parent.mkdir()
    notes.write_text(f"{WRITTEN} had a crest.")
    with run_server(log, None, **environment, DATABASE_URL=database_url, TMPDIR=str(own)) as (address, process):
        server.reply = f"It is no {KEPT} ."
        tab.goto(address)
        send_message(tab, f"What is an {KEPT}?")
        expect(messages(tab).last).to_contain_text("It is no")
        expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
        server.reply = f"It is no {ANSWERED} ."
        begin_temporary(tab, address)
        choose_files(tab, notes)
        send_message(tab, f"What is a {ASKED}?")
        expect(messages(tab).last).to_contain_text(ANSWERED)
        server.script.append(f"refuse {ASKED}")
        click_button(tab, "Regenerate")
        expect(tab.get_by_text("Unknown parameter").first).to_be_visible()
        server.word, server.length = f"{ANSWERED}{{}} ", 1000
        server.script.append("slow")
        send_message(tab, f"And a second {ASKED}?")
        tab.get_by_text(f"{ANSWERED}9 ").first.wait_for()  # of which words are still coming when it is killed
        metrics = httpx.get(f"{address}/metrics", timeout=300).text
        process.kill()
        process.wait(30)
    assert "assistant_replies_total" in metrics
    assert holders(data, KEPT)  # so this is where words are, and they are found
    assert holders(own, KEPT) == [log]
    for word in (ASKED, ANSWERED, WRITTEN):
        assert holders(data, word) == holders(own, word) == []
        assert word.lower() not in metrics.lower()


def test_it_is_a_chat_like_any_other_until_it_is_left(tab: Page, talk: Loopback) -> None:
    talk.reply = f"It is a {ANSWERED} ."
    begin_temporary(tab, tab.url)
    send_message(tab, f"What is a {ASKED}?")
    expect(messages(tab).last).to_contain_text(ANSWERED)
    click_button(tab, "Regenerate")
    expect(tab.get_by_text("2/2")).to_be_visible()
    assert "c=" not in tab.url
    expect(tab.get_by_test_id("stSidebar").get_by_text(ASKED)).to_have_count(0)
    expect(tab.get_by_text(NOTICE)).to_be_visible()
    assert_fits_phone(tab)
    tab.set_viewport_size({"width": 1200, "height": 820})
    open_popover(tab, "Chat")
    expect(tab.get_by_role("button", name="Pin", exact=True)).to_have_count(0)
    click_button(tab, "Discard")
    expect(messages(tab)).to_have_count(0)
    expect(tab.get_by_text(NOTICE)).to_have_count(0)
    begin_temporary(tab, tab.url)
    send_message(tab, "hi")
    expect(messages(tab).last).to_contain_text(ANSWERED)
    tab.reload()
    tab.get_by_placeholder("Write a message").wait_for()
    wait_until_drawn(tab)
    expect(messages(tab)).to_have_count(0)
    expect(tab.get_by_text(NOTICE)).to_have_count(0)
