"""A reply that a real Chromium follows by itself: no run of the script, no jump, and what it outlives."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import free_port
from tests.conversations.talk import wait_for
from tests.loopback import Loopback
from tests.page.conftest import run_page
from tests.page.person import (
    asked,
    click_button,
    expect_stopped,
    last_text,
    messages,
    send_message,
    wait_until_longer,
    without_stream,
)

pytestmark = pytest.mark.browser
WITHOUT_WORKER = "delete window.SharedWorker"
HEIGHT = """() => { const reply = [...document.querySelectorAll('.reply')].at(-1);
    window.heights = []; new ResizeObserver(() => window.heights.push(reply.offsetHeight)).observe(reply); }"""
TEXT = """# A *head*

Some **bold** words, `code`, and \\(x^2\\).

| a | b |
|---|---|
| 1 | 2 |

```python
def f(x):
    return "<b>" + x  # a comment
```

1. one
2. two

\\[ \\frac{1}{2} \\]

> The end."""
WITHOUT_FORMULA = TEXT.replace("\\(x^2\\)", "[a link]({}about)").replace("\\[ \\frac{1}{2} \\]", "---")
LOOKS = """() => ['h1', 'p', 'code', 'pre', '.hl-k', 'td', 'a', 'blockquote'].map((each) => {
    const found = document.querySelector('.reply ' + each), box = found.getBoundingClientRect();
    const { color, backgroundColor, font, border } = getComputedStyle(found);
    return [color, backgroundColor, font, border, Math.round(box.height), Math.round(box.width)]; })"""


def test_a_growing_reply_and_a_tab_that_rests_run_no_script(slow: Loopback, tab: Page) -> None:
    sent = asked(tab)
    tab.reload()
    length = wait_until_longer(tab)
    tab.wait_for_timeout(1_000)
    sent.clear()
    for _ in range(5):
        length = wait_until_longer(tab, length + 30)
    assert sent == []
    tab.keyboard.press("Escape")
    expect_stopped(tab)
    tab.wait_for_timeout(500)
    sent.clear()
    tab.wait_for_timeout(3_000)
    assert sent == []


def test_nothing_jumps_at_the_end_and_all_is_drawn_as_before(talk: Loopback, tab: Page) -> None:
    talk.answer = lambda _: TEXT
    talk.pause = 0.01
    send_message(tab, "hi")
    tab.locator(".reply h1").wait_for()
    tab.evaluate(HEIGHT)
    expect(tab.get_by_text("openai ·")).to_be_visible()
    tab.wait_for_timeout(300)
    heights = tab.evaluate("window.heights")
    assert heights == sorted(heights)
    drawn = tab.locator(".reply").inner_html()
    tab.reload()
    tab.locator(".reply blockquote").wait_for()
    assert tab.locator(".reply").inner_html() == drawn, "the formula makes it the same component"
    for piece in ("h1 em", "strong", "td", ".hl-k", "ol li", "math[display=block]", "blockquote"):
        expect(tab.locator(f".reply {piece}").first).to_be_visible()


def test_what_was_there_before_looks_alike_and_does_the_same(talk: Loopback, tab: Page) -> None:
    text = WITHOUT_FORMULA.replace("{}", tab.url)
    talk.answer = lambda _: text
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    expect(tab.locator(".reply blockquote")).to_be_visible()
    looks = tab.evaluate(LOOKS)
    tab.reload()
    expect(tab.locator("[data-testid=stHtml] .reply blockquote")).to_be_visible()
    tab.wait_for_function("looks => JSON.stringify((" + LOOKS + ")()) === JSON.stringify(looks)", arg=looks)
    copy_code(tab)
    with tab.expect_popup() as opened:
        tab.locator(".reply a").click()
    assert opened.value.url.endswith("/about")
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function("looks => (" + LOOKS + ")()[0][0] !== looks[0][0]", arg=looks)
    dark = tab.evaluate(LOOKS)
    tab.reload()
    expect(tab.locator("[data-testid=stHtml] .reply blockquote")).to_be_visible()
    tab.wait_for_function("looks => JSON.stringify((" + LOOKS + ")()) === JSON.stringify(looks)", arg=dark)


def test_code_is_copied_with_its_button(talk: Loopback, tab: Page) -> None:
    talk.answer = lambda _: TEXT
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    copy_code(tab)


def copy_code(tab: Page) -> None:
    """Copy the code of a reply by its button."""
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.get_by_role("button", name="Copy code").click()
    written = 'def f(x):\n    return "<b>" + x  # a comment\n'
    tab.wait_for_function("async text => await navigator.clipboard.readText() === text", arg=written)


def test_a_screen_reader_hears_each_block_once_it_is_whole(talk: Loopback, tab: Page) -> None:
    talk.word = "word{} \n\n"
    talk.script.append("slow 400")
    send_message(tab, "hi")
    reply = tab.locator(".reply")
    expect(reply).to_have_attribute("aria-live", "polite")
    expect(reply.locator("> div").nth(3)).to_be_visible()
    assert tab.evaluate("() => [...document.querySelectorAll('.reply > div:not(:last-child)[aria-live]')].length") == 0
    expect(reply.locator("> div").last).to_have_attribute("aria-live", "off")
    tab.keyboard.press("Escape")
    expect_stopped(tab)
    expect(reply.locator("> div[aria-live]")).to_have_count(0)


def test_eight_tabs_of_one_browser_follow_it(slow: Loopback, tab: Page) -> None:
    """A browser has six connections at most to one address: tabs share one."""
    tabs = [tab]
    for _ in range(7):
        other = tab.context.new_page()
        other.goto(tab.url)
        other.get_by_text("word1 ").first.wait_for()
        tabs.append(other)
    length = wait_until_longer(tab)
    for each in tabs:
        assert wait_until_longer(each, length + 30) > length
    tabs[-1].get_by_role("button", name="Stop").click()
    for each in tabs:
        expect_stopped(each)


def test_a_browser_without_shared_workers_follows_it(talk: Loopback, tab: Page) -> None:
    tab.add_init_script(WITHOUT_WORKER)
    tab.reload()
    sent = asked(tab)
    talk.script.append("slow 200")
    send_message(tab, "hi")
    tab.get_by_text("word1 ").first.wait_for()
    tab.wait_for_timeout(500)
    assert not [each for each in sent if each.rerun_script.is_auto_rerun]
    length = wait_until_longer(tab)
    assert wait_until_longer(tab, length) > length
    tab.keyboard.press("Escape")
    expect_stopped(tab)


def test_where_a_proxy_lets_no_stream_through_the_page_looks_again_and_again(talk: Loopback, tab: Page) -> None:
    without_stream(tab)
    tab.reload()
    talk.script.append("slow 2000")
    send_message(tab, "hi")
    tab.get_by_text("word1 ").first.wait_for()
    length = wait_until_longer(tab)
    assert wait_until_longer(tab, length + 30) > length
    tab.keyboard.press("Escape")
    expect_stopped(tab)


def test_another_tab_hears_of_a_new_conversation_and_of_a_name(talk: Loopback, tab: Page) -> None:
    other = tab.context.new_page()
    other.goto(tab.url)
    other.get_by_placeholder("Write a message").wait_for()
    send_message(tab, "a story of ships")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    expect(other.get_by_test_id("stSidebar").get_by_text("a story of ships")).to_be_visible()
    expect(messages(other)).to_have_count(0)


def test_a_server_that_is_killed_and_another_one(loopback: Loopback, tab: Page, tmp_path: Path) -> None:
    loopback.script.append("slow 2000")
    given, port = {"OPENAI_BASE_URL": loopback.url, "OPENAI_API_KEY": "x"}, free_port()
    with run_page(tmp_path / "first.log", port, **given) as address:
        tab.goto(address)
        send_message(tab, "hi")
        tab.get_by_text("word1 ").first.wait_for()
        wait_until_longer(tab, 60)
        wait_for(lambda: "word1 " in saved(tmp_path / "data" / "conversations.db"))  # what is not, is lost with it
        subprocess.run([sys.executable, "-c", KILL, str(port)], check=True)
        with run_page(tmp_path / "second.log", port, **given):
            expect(tab.get_by_role("button", name="Continue", exact=True)).to_be_visible()  # after ten silent seconds
            expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
            assert "word0 word1" in last_text(tab)
            click_button(tab, "Continue")
            expect(tab.get_by_text(loopback.reply)).to_be_visible()


def saved(path: Path) -> str:
    """What a database has of replies."""
    with closing(sqlite3.connect(path)) as database:
        return "".join(row[0] for row in database.execute("SELECT text FROM message WHERE role = 'assistant'"))


KILL = f"""
import sys, psutil
for each in psutil.net_connections("tcp"):
    if each.status == psutil.CONN_LISTEN and each.laddr.port == int(sys.argv[1]):
        psutil.Process(each.pid).send_signal({int(signal.SIGKILL)})
"""
