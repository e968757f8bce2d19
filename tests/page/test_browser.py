"""The page in a real Chromium: what a person does, and what must outlive it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from settings import ROOT
from tests.loopback import Loopback
from tests.page.conftest import Start

pytestmark = pytest.mark.browser
DOCS = ROOT / "docs"  # UPDATE_DOCS=1 makes its pictures anew


def say(tab: Page, text: str) -> None:
    tab.get_by_placeholder("Write a message").fill(text)
    tab.keyboard.press("Enter")


def last(tab: Page) -> str:
    return tab.get_by_test_id("stChatMessage").last.inner_text()


def grown(tab: Page, longer_than: int = 0) -> int:
    """Wait until the last reply is longer; its length."""
    tab.wait_for_function(
        "n => [...document.querySelectorAll('[data-testid=stChatMessage]')].at(-1)?.innerText.length > n",
        arg=longer_than,
    )
    return len(last(tab))


def test_the_shipped_model_answers_in_the_page(start: Start, tab: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(start())
    expect(tab.get_by_text("small demonstration model")).to_be_visible()
    say(tab, "hi, how are you?")
    expect(tab.get_by_text("tokens/s")).to_be_visible()
    expect(tab.get_by_text("gpt2 ·")).to_be_visible()
    say(tab, "do you have any pets?")
    expect(tab.get_by_text("tokens/s")).to_have_count(2)
    expect(tab.get_by_text("of 1,024 tokens")).to_be_visible()
    tab.screenshot(path=str((DOCS if os.environ.get("UPDATE_DOCS") else tmp_path) / "chat.png"))
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


@pytest.fixture
def slow(start: Start, loopback: Loopback, tab: Page) -> Loopback:
    """The page at a server that sends a token each 50 ms, a reply under way."""
    loopback.script.append("slow")
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    say(tab, "hi")
    tab.get_by_text("word1 ").first.wait_for()
    return loopback


def test_the_reply_grows_while_it_comes(slow: Loopback, tab: Page) -> None:
    first = grown(tab)
    second = grown(tab, first)
    assert grown(tab, second) > second > first


def test_stop_keeps_the_text_and_stops_the_server(slow: Loopback, tab: Page) -> None:
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    assert "word1" in last(tab)
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    tab.wait_for_timeout(300)
    assert slow.gone
    say(tab, "again")
    expect(tab.get_by_text(slow.reply)).to_be_visible()


def test_a_moved_slider_leaves_the_reply_running(slow: Loopback, tab: Page) -> None:
    tab.get_by_text("Settings").click()
    slider = tab.get_by_role("slider", name="Temperature")
    slider.focus()
    for _ in range(3):
        before = grown(tab)
        tab.keyboard.press("ArrowRight")
        grown(tab, before + 20)
    assert not slow.gone
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    say(tab, "again")
    expect(tab.get_by_text(slow.reply)).to_be_visible()
    assert slow.requests[-1]["temperature"] == pytest.approx(1.15)


def test_a_reload_and_a_second_tab_see_the_same_reply(slow: Loopback, tab: Page, chromium: Browser) -> None:
    before = grown(tab)
    tab.reload()
    assert grown(tab, before) > before
    with chromium.new_context() as context:
        other = context.new_page()
        other.goto(tab.url)
        other.get_by_text("word1 ").first.wait_for()
        assert grown(other, before) > before
        other.get_by_role("button", name="Stop").click()
        expect(other.get_by_text("Stopped.")).to_be_visible()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    assert len(slow.requests) == 1


def test_the_backend_is_switched_in_mid_conversation(start: Start, loopback: Loopback, tab: Page) -> None:
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    say(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    tab.get_by_role("combobox", name="Backend").click()
    tab.get_by_role("option", name="llamacpp").click()
    say(tab, "and you?")
    expect(tab.get_by_text("llamacpp ·")).to_be_visible()
    expect(tab.get_by_text(loopback.reply)).to_be_visible()


def test_a_failure_shows_cause_and_remedy_and_no_traceback(start: Start, loopback: Loopback, tab: Page) -> None:
    loopback.script.extend(["429 0"] * 3)
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    say(tab, "hi")
    expect(tab.get_by_text("Wait a little")).to_be_visible()
    expect(tab.get_by_text("Traceback")).to_have_count(0)
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)


def test_messages_sent_in_a_hurry_all_arrive(start: Start, loopback: Loopback, tab: Page) -> None:
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    for number in range(4):
        say(tab, f"message {number}")
        tab.wait_for_timeout(200)  # faster than anybody types; Streamlit itself merges what comes in one tick
    expect(tab.get_by_text(loopback.reply)).to_have_count(4)
    assert [r["messages"][-1]["content"] for r in loopback.requests] == [f"message {n}" for n in range(4)]


def test_an_error_makes_the_browser_fetch_nothing(start: Start, loopback: Loopback, tab: Page) -> None:
    loopback.script.append("refuse ![x](http://127.0.0.1:9/leak.png)")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    say(tab, "hi")
    expect(tab.get_by_text("Unset the knob")).to_be_visible()
    assert not [url for url in asked if "leak" in url]


def test_a_reply_makes_the_browser_fetch_nothing(start: Start, loopback: Loopback, tab: Page) -> None:
    image = "![x](http://127.0.0.1:9/leak.png)"
    loopback.reply = f"{image} \\{image} [{image}](http://127.0.0.1:9/) <img src=http://127.0.0.1:9/leak.png> done"
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(start(OPENAI_BASE_URL=loopback.url))
    say(tab, loopback.reply)
    expect(tab.get_by_text("tokens/s")).to_be_visible()
    assert not [url for url in asked if "leak" in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(start: Start, chromium: Browser, scheme: str, tmp_path: Path) -> None:
    with chromium.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
        tab = context.new_page()
        tab.goto(start(LLM_BACKEND="llamacpp"))
        tab.get_by_text("small demonstration model").wait_for()
        color = tab.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    light = sum(int(part) for part in color.strip("rgba()").split(",")[:3]) > 380
    assert light == (scheme == "light")
