"""A reply in a real Chromium: how it grows, what it outlives, and what ends it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.loopback import Loopback
from tests.page.person import (
    choose_files,
    click_button,
    close_popover,
    expect_stopped,
    last_text,
    messages,
    open_popover,
    send_message,
    wait_until_longer,
    without_stream,
)

pytestmark = pytest.mark.browser
ALERTED = """() => new MutationObserver(() => { window.alerted ||= !!document.querySelector('[data-testid=stAlert]') })
    .observe(document.body, { childList: true, subtree: true })"""  # one that is gone again after a moment counts too


def test_the_reply_grows_while_it_comes(slow: Loopback, tab: Page) -> None:
    first = wait_until_longer(tab)
    second = wait_until_longer(tab, first)
    assert wait_until_longer(tab, second) > second > first


def test_stop_keeps_the_text_and_stops_the_server(slow: Loopback, tab: Page) -> None:
    tab.get_by_role("button", name="Stop").click()
    expect_stopped(tab)
    assert "word1" in last_text(tab)
    tab.wait_for_timeout(300)
    assert slow.gone
    send_message(tab, "again")
    expect(tab.get_by_text(slow.reply)).to_be_visible()


def test_escape_stops_the_reply_wherever_the_cursor_is(slow: Loopback, tab: Page) -> None:
    tab.get_by_placeholder("Write a message").fill("half a thought")
    tab.keyboard.press("Escape")
    expect_stopped(tab)
    tab.wait_for_timeout(300)
    assert slow.gone
    assert tab.get_by_placeholder("Write a message").input_value() == "half a thought"


def test_a_moved_slider_leaves_the_reply_running(slow: Loopback, tab: Page) -> None:
    open_popover(tab, "Settings")
    slider = tab.get_by_role("slider", name="Temperature")
    slider.focus()
    for _ in range(3):
        before = wait_until_longer(tab)
        tab.keyboard.press("ArrowRight")
        wait_until_longer(tab, before + 20)
    assert not slow.gone
    tab.get_by_role("button", name="Stop").click()
    expect_stopped(tab)
    send_message(tab, "again")
    expect(tab.get_by_text(slow.reply)).to_be_visible()
    assert slow.requests[-1]["temperature"] == pytest.approx(1.15)


def test_a_reload_and_a_second_tab_see_the_same_reply(slow: Loopback, tab: Page) -> None:
    before = wait_until_longer(tab)
    tab.reload()
    assert wait_until_longer(tab, before) > before
    other = tab.context.new_page()
    other.goto(tab.url)
    other.get_by_text("word1 ").first.wait_for()
    assert wait_until_longer(other, before) > before
    other.get_by_role("button", name="Stop").click()
    expect_stopped(other)
    expect_stopped(tab)
    assert len(slow.requests) == 1


def test_a_second_tab_sees_the_next_turn_by_itself(talk: Loopback, tab: Page) -> None:
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    other = tab.context.new_page()
    other.goto(tab.url)
    expect(messages(other)).to_have_count(2)
    send_message(tab, "and now?")
    expect(messages(other)).to_have_count(4)
    expect(other.get_by_text("openai ·")).to_have_count(2)


def test_the_backend_is_switched_in_mid_conversation(talk: Loopback, tab: Page) -> None:
    send_message(tab, "hi")
    expect(tab.get_by_text("openai ·")).to_be_visible()
    tab.get_by_role("combobox", name="Backend").click()
    tab.get_by_role("option", name="llamacpp").click()
    send_message(tab, "and you?")
    expect(tab.get_by_text("llamacpp ·")).to_be_visible()
    expect(tab.get_by_text(talk.reply)).to_be_visible()


def test_a_failure_shows_cause_and_remedy_and_no_traceback(talk: Loopback, tab: Page) -> None:
    talk.script.extend(["429 0"] * 3)
    send_message(tab, "hi")
    expect(tab.get_by_text("Wait a little")).to_be_visible()
    expect(tab.get_by_text("Traceback")).to_have_count(0)
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)


def test_messages_sent_in_a_hurry_all_arrive(talk: Loopback, tab: Page) -> None:
    for number in range(4):
        send_message(tab, f"message {number}")
        tab.wait_for_timeout(200)  # faster than anybody types; Streamlit itself merges what comes in one tick
    expect(tab.get_by_text(talk.reply)).to_have_count(4)
    assert [r["messages"][-1]["content"] for r in talk.requests] == [f"message {n}" for n in range(4)]
    expect(tab.locator("[class*=st-key-row-]")).to_have_count(1)


def test_a_press_that_also_goes_out_with_a_tick_counts_once(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    """The browser at times reports what was just typed with a fragment's tick, and once more by itself."""
    ticks: list[BackMsg] = []

    def meet(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def forward(frame: str | bytes) -> None:
            sent = BackMsg.FromString(frame) if isinstance(frame, bytes) else BackMsg()
            if sent.rerun_script.is_auto_rerun:
                ticks.append(sent)
            elif ticks and any(state.HasField("chat_input_value") for state in sent.rerun_script.widget_states.widgets):
                ticks[-1].rerun_script.widget_states.CopyFrom(sent.rerun_script.widget_states)
                server.send(ticks[-1].SerializeToString())
                tab.wait_for_timeout(300)
                ticks.clear()
            server.send(frame)

        socket.on_message(forward)

    without_stream(tab)
    tab.route_web_socket("**/_stcore/stream", meet)
    tab.reload()
    send_message(tab, "hi")  # while its reply comes the page ticks
    expect(tab.get_by_text("openai ·")).to_be_visible()
    tab.wait_for_timeout(1500)
    assert ticks
    for count in (2, 3):
        send_message(tab, "again")
        expect(tab.get_by_text("openai ·")).to_have_count(count)
        tab.wait_for_timeout(1200)
    expect(messages(tab)).to_have_count(6)
    assert [r["messages"][-1]["content"] for r in talk.requests] == ["hi", "again", "again"]
    (tmp_path / "notes.md").write_text("The roof was mended in June.")
    choose_files(tab, tmp_path / "notes.md")  # Streamlit hands its bytes out with the first of the two only
    tab.evaluate(ALERTED)
    click_button(tab, "Send message")
    expect(tab.get_by_text("Documents (1)")).to_be_visible()
    tab.wait_for_timeout(1200)
    assert not tab.evaluate("window.alerted")


def test_a_second_message_waits_for_the_first_reply(slow: Loopback, tab: Page) -> None:
    send_message(tab, "and then?")
    expect(tab.get_by_text("Waiting for the reply before this one")).to_be_visible()
    tab.get_by_placeholder("Write a message").focus()
    tab.keyboard.press("Escape")
    expect(tab.get_by_text(slow.reply)).to_be_visible()
    expect(tab.get_by_text("Stopped.")).to_have_count(1)


@pytest.mark.parametrize("todo", ["refuse", "reply"])
def test_nothing_written_makes_the_browser_fetch(talk: Loopback, tab: Page, todo: str) -> None:
    image = "![x](http://127.0.0.1:9/leak.png)"
    words = f"{image} \\{image} [{image}](http://127.0.0.1:9/) <img src=http://127.0.0.1:9/leak.png> done"
    if todo == "refuse":
        talk.script.append(f"refuse {words}")
    talk.reply = words
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    send_message(tab, words)  # it becomes the title too, in the heading and in the sidebar
    expect(tab.get_by_text("Unset the knob" if todo == "refuse" else "tokens/s")).to_be_visible()
    open_popover(tab, "Chat")
    close_popover(tab)
    assert not [url for url in asked if "leak" in url]
    assert tab.locator("h1").inner_text().replace("\u2060", "").startswith(image)
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]


DRAWN = r"""Euler wrote \(e^{i\pi}+1=0\), which is \(x\)2 away. It costs $5 and $6, but $n^2$ counts.
Then a second line:

\[
x = \frac{1}{2} \\[2pt]
- 1
\]

- in a list \[y = 2\] and on
- red :red[one] :small[two] :green-badge[three] :material/star: :streamlit: :smile: at 10:30:45
- a -> b, x >= 3 -- as typed, :unknown[four] and see:docs[here](http://127.0.0.1:9/)

:::note
five
:::

::leaf[six]

| a | b |
|---|---|
| \(|x|\) | 8 |

Inline `:red[x] \(y\) $5 and $6` and

```
:red[x] \(y\) $z$
```
end"""
AS_TYPED = (
    "It costs $5 and $6, but",
    "red :red[one] :small[two] :green-badge[three] :material/star: :streamlit: :smile: at 10:30:45",
    "a -> b, x >= 3 -- as typed, :unknown[four] and see:docshere",
    ":::note",
    "five",
    "::leaf[six]",
    r"Inline :red[x] \(y\) $5 and $6 and",
    r":red[x] \(y\) $z$",
)


def test_formulas_are_drawn_and_what_only_streamlit_knows_stays_text(talk: Loopback, tab: Page) -> None:
    talk.answer = lambda _: DRAWN
    send_message(tab, "Draw $5 and \\(this\\) :red[too]")
    expect(tab.get_by_text("Draw $5 and \\(this\\) :red[too]")).to_be_visible()
    reply = messages(tab).last
    expect(reply.get_by_text("end", exact=True)).to_be_visible()
    expect(reply.locator("math[display=block]")).to_have_count(2)
    expect(reply.locator("math")).to_have_count(6)
    expect(reply.locator("code.formula")).to_have_count(0)
    expect(reply.locator("pre")).to_have_text(AS_TYPED[-1])
    text = reply.inner_text().replace("\u2060", "")
    for each in AS_TYPED:
        assert each in text, text
    assert "counts.\nThen a second line:" in text
    assert reply.locator("li math[display=block]").count() == 1
    assert reply.locator("[class*=stMarkdownColored], [class*=stMarkdownBadge], [role=img], img").count() == 0


def test_a_conversation_that_is_not_ones_own_is_not_found(slow: Loopback, tab: Page) -> None:
    browser = tab.context.browser
    assert browser is not None
    with browser.new_context() as context:
        stranger = context.new_page()
        stranger.goto(tab.url)
        expect(stranger.get_by_text("Conversation not found")).to_be_visible()
        expect(stranger.get_by_text("Start a new chat")).to_be_visible()
        expect(stranger.get_by_text("Import", exact=True)).to_be_visible()
        whole = stranger.get_by_test_id("stMainBlockContainer").inner_text()
        stranger.goto(f"{tab.url.partition('?')[0]}?c=never-was")
        expect(stranger.get_by_text("Conversation not found")).to_be_visible()
        expect(stranger.get_by_text("Start a new chat")).to_be_visible()
        expect(stranger.get_by_text("Import", exact=True)).to_be_visible()
        assert stranger.get_by_test_id("stMainBlockContainer").inner_text() == whole
        click_button(stranger, "Start a new chat")
        send_message(stranger, "mine")
        expect(stranger.get_by_text(slow.reply)).to_be_visible()
    expect(messages(tab)).to_have_count(2)
