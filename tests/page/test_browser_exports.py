"""A conversation out of the page: as a file that needs nothing else, and as a link that somebody else opens."""

import re
from collections.abc import Iterator
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from conversations.exchange.html import render_html
from conversations.exchange.schema import validate_conversation
from tests.conftest import free_port
from tests.conversations.exchange.made import chain, message
from tests.loopback import KEY, Loopback, running
from tests.page.conftest import run_page
from tests.page.person import click_button, messages, open_popover, send_message, wait_until_drawn

pytestmark = pytest.mark.browser
REPLY = "Look : $$\\frac{a}{b}$$\n\n```python\ndef f(x):\n    return x\n```\n\n| a | b |\n|:--|--:|\n| 1 | 2 |"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Loopback, str]]:
    """A page at a scripted server, where links can be made."""
    folder = tmp_path_factory.mktemp("shared")
    database = {"DATABASE_URL": f"sqlite:///{folder}/conversations.db", "SHARE_LINKS": "1"}
    with (
        running(free_port()) as server,
        run_page(folder / "page.log", None, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, **database) as address,
    ):
        server.answer = lambda body: REPLY
        yield server, address


def watch(tab: Page) -> tuple[list[str], list[str]]:
    """What a tab asks for, and what it complains of, from now on."""
    asked, complaints = list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))

    def note(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            complaints.append(said.text)

    tab.on("console", note)
    return asked, complaints


def expect_drawn(tab: Page) -> None:
    """Formula, code and table are drawn, and what was thought is folded."""
    assert tab.locator("math mfrac").first.bounding_box() is not None
    colours = tab.evaluate(
        "[...document.querySelectorAll('.hl-k, .reply p')].slice(0, 2).map(each => getComputedStyle(each).color)"
    )
    assert len(set(colours)) == 2
    assert tab.locator("td").nth(1).evaluate("cell => getComputedStyle(cell).textAlign") == "right"


def test_the_file_asks_for_nothing_and_draws_all(tab: Page, tmp_path: Path) -> None:
    hostile = "<img src='http://127.0.0.1:9/a'> <script>document.title = 'owned'</script> ![x](http://127.0.0.1:9/b)"
    reply = message(1, 0, "assistant", text=f"{REPLY}\n\n{hostile}", thinking="I wonder")
    said = [message(0, text=hostile), reply]
    file = tmp_path / "chat.html"
    file.write_text(render_html(validate_conversation(chain(0) | {"title": "Bees", "messages": said})))
    asked, complaints = watch(tab)
    tab.goto(file.as_uri())
    expect_drawn(tab)
    expect(tab.get_by_text("I wonder")).to_be_hidden()
    tab.get_by_text("Thought", exact=True).click()
    expect(tab.get_by_text("I wonder")).to_be_visible()
    assert (asked, complaints, tab.title()) == ([file.as_uri()], [], "Bees")


def test_the_menu_hands_out_files(tab: Page, shared: tuple[Loopback, str], tmp_path: Path) -> None:
    tab.goto(shared[1])
    send_message(tab, "Tell me about bees")
    expect(messages(tab).last.locator("math")).to_be_visible()
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    open_popover(tab, "Chat")
    written = {}
    for label in ("HTML", "PDF"):
        with tab.expect_download() as download:
            click_button(tab, f"Export as {label}")
        written[label] = tmp_path / download.value.suggested_filename
        download.value.save_as(written[label])
    assert [path.suffix for path in written.values()] == [".html", ".pdf"]
    with pypdfium2.PdfDocument(written["PDF"]) as document:
        words = document[0].get_textpage().get_text_range()
    assert "Tell me about bees" in words
    assert "def f(x):" in words
    assert "frac" not in words
    asked, complaints = watch(tab)
    tab.goto(written["HTML"].as_uri())
    expect_drawn(tab)
    assert (asked, complaints) == ([written["HTML"].as_uri()], [])


def test_a_link_is_made_opened_copied_and_revoked(tab: Page, chromium: Browser, shared: tuple[Loopback, str]) -> None:
    address = shared[1]
    tab.goto(address)
    send_message(tab, "Tell me about bees")
    expect(messages(tab).last.locator("math")).to_be_visible()
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    open_popover(tab, "Chat")
    tab.get_by_text("Share a link").click()
    click_button(tab, "Make a link")
    link = tab.get_by_text(re.compile(r"http://\S+/shared/\S+")).inner_text().strip()
    assert link.startswith(f"{address}/shared/")
    guests = chromium.new_context()
    guest = guests.new_page()
    asked, complaints = watch(guest)
    guest.goto(link)
    expect_drawn(guest)
    expect(guest.get_by_text("Tell me about bees").last).to_be_visible()
    assert ([url for url in asked if not url.endswith("/favicon.ico")], complaints) == ([link], [])
    guest.get_by_role("link", name="Continue as my own copy").click()
    expect(messages(guest)).to_have_count(2)
    send_message(guest, "And wasps?")
    expect(messages(guest)).to_have_count(4)
    expect(guest.get_by_role("button", name="Stop")).to_have_count(0)
    assert link.rpartition("/")[2] not in guest.url
    guests.close()
    tab.reload()
    wait_until_drawn(tab)
    expect(messages(tab)).to_have_count(2)  # whoever goes on does so elsewhere
    tab.get_by_text("Shared links (1)").click()
    click_button(tab, "Revoke")
    expect(tab.get_by_text("Shared links")).to_have_count(0)
    answer = tab.goto(link)
    assert answer is not None
    assert answer.status == 404
