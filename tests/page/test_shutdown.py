"""A server that is told to end in the middle of a reply: what was said is kept, and the next one goes on with it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from conversations.store.schema import Message, State
from tests.conftest import free_port
from tests.conversations.talk import mine
from tests.loopback import Loopback
from tests.page.conftest import run_page
from tests.page.person import click_button, send_message, wait_until_longer

pytestmark = pytest.mark.browser


def replies() -> list[Message]:
    """Every reply in the database, whoever owns it."""
    with mine().database.reading() as session:
        return list(session.query(Message).where(Message.role == "assistant"))


def test_a_server_that_ends_keeps_what_was_said(loopback: Loopback, tab: Page, tmp_path: Path) -> None:
    loopback.script.append("slow")
    port = free_port()
    given = {"OPENAI_BASE_URL": loopback.url, "SHUTDOWN_GRACE": "0.5"}
    with run_page(tmp_path / "first.log", port, **given) as address:
        tab.goto(address)
        send_message(tab, "hi")
        tab.get_by_text("word1 ").first.wait_for()
        wait_until_longer(tab, 60)
        place = tab.url
    [cut] = replies()
    assert cut.state == State.INTERRUPTED
    assert cut.text.startswith("word0 word1 ")
    with run_page(tmp_path / "second.log", port, **given):
        tab.goto(place)
        expect(tab.get_by_text("word0 word1").first).to_be_visible()
        click_button(tab, "Continue")
        expect(tab.get_by_text(loopback.reply)).to_be_visible()
    [whole] = replies()
    assert whole.text == cut.text + "It is a fine day . "
