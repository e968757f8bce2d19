"""The page Complete, without a browser and in a real one."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from tests.loopback import Loopback
from tests.page.conftest import reset
from tests.page.person import asked, without_stream
from tests.page.test_accessibility import NAMELESS, violations

TEXT = "Text to continue"


def script() -> None:
    from page.pages import complete

    complete.draw()


def page() -> AppTest:
    return AppTest.from_function(script, default_timeout=300).run()


def settle(app: AppTest) -> AppTest:
    """Run until the text is back in its box."""
    end = time.monotonic() + 300
    while not app.text_area:
        assert time.monotonic() < end
        assert not app.exception
        time.sleep(0.05)
        app.run()
    assert not app.exception
    return app


def box(app: AppTest) -> str:
    return app.text_area[0].value or ""


def write(app: AppTest, text: str) -> AppTest:
    return app.text_area[0].set_value(text).run()


def go_on(app: AppTest) -> AppTest:
    return settle(app.button(key="continue").click().run())


def test_the_shipped_model_goes_on_with_the_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    app = page()
    app.button(key="suggestion").click().run()
    assert box(app) == "Data Science is"
    app.slider(key="max_tokens").set_value(12).run()
    go_on(app)
    assert box(app).startswith("Data Science is")
    assert len(box(app)) > len("Data Science is")
    assert any("llamacpp · " in str(c.value).replace("\\", "") for c in app.caption)


def test_every_step_can_be_undone(loopback: Loopback) -> None:
    app = go_on(write(page(), "Once"))
    assert box(app) == "Once upon a time"
    go_on(write(app, "Once upon a day, once"))
    assert box(app) == "Once upon a day, once upon a time"
    for before in ("Once upon a day, once", "Once upon a time", "Once", ""):
        app.button(key="undo").click().run()
        assert box(app) == before
    assert app.button(key="undo").disabled


def test_the_text_alone_and_only_moved_options_are_sent(loopback: Loopback) -> None:
    app = write(page(), "Once")
    app.slider(key="temperature").set_value(0.4).run()
    go_on(app)
    assert loopback.requests[-1]["prompt"] == "Once"
    assert loopback.requests[-1]["temperature"] == 0.4
    assert not {"top_p", "top_k", "max_tokens", "messages"} & set(loopback.requests[-1])


def test_a_failure_leaves_the_text_and_says_what_to_do(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    app = go_on(write(page(), "Once"))
    assert box(app) == "Once"
    assert "The server failed; try again." in app.error[0].value


def test_an_empty_text_is_refused_with_a_reason(loopback: Loopback) -> None:
    app = go_on(page())
    assert "write some text" in app.error[0].value
    assert loopback.requests == []


def test_a_provider_that_only_chats_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "openai:gpt-x")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    app = page()
    assert "cannot continue raw text" in app.error[0].value
    assert app.button(key="continue").disabled


def looks(sent: list[Any]) -> bool:
    """Whether a tab has run its script to look how far a reply is."""
    return any(each.rerun_script.is_auto_rerun for each in sent)


@pytest.mark.browser
@pytest.mark.parametrize("follows", [True, False], ids=["followed", "looked at"])
def test_it_streams_and_stops(scripted: tuple[Loopback, str], tab: Page, follows: bool) -> None:
    loopback = reset(scripted[0])
    loopback.script.append("slow")
    if not follows:
        without_stream(tab)
    sent = asked(tab)
    tab.goto(scripted[1] + "/complete")
    tab.get_by_label(TEXT).fill("Once <b>bold</b> ")
    tab.get_by_role("button", name="Continue").click()
    tab.get_by_text("Once <b>bold</b> word0 word1 ").wait_for()
    assert not loopback.gone
    tab.get_by_text("word9 ").wait_for()
    if follows:
        assert not looks(sent)
    else:
        while not looks(sent):  # all words so far may have come with the first drawing
            tab.wait_for_timeout(50)
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    assert "Once <b>bold</b> word0 word1 " in tab.get_by_label(TEXT).input_value()
    assert loopback.gone
    assert loopback.sent < 100 or not follows  # who looks has tried to follow first
    tab.get_by_role("button", name="Undo").click()
    expect(tab.get_by_label(TEXT)).to_have_value("Once <b>bold</b> ")


@pytest.mark.browser
def test_it_fits_a_phone_and_another_page_leaves_it_running(scripted: tuple[Loopback, str], tab: Page) -> None:
    loopback = reset(scripted[0])
    loopback.script.append("slow")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(scripted[1] + "/complete")
    tab.get_by_role("button", name="Data Science is").click()
    expect(tab.get_by_label(TEXT)).to_have_value("Data Science is")
    tab.get_by_role("button", name="Continue").click()
    tab.get_by_text("word1 ").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.set_viewport_size({"width": 1200, "height": 844})
    tab.get_by_role("link", name="About").click()
    tab.get_by_text("Show my name").wait_for()
    tab.get_by_role("link", name="Complete").click()
    tab.get_by_text("word20 ").wait_for()
    assert list(violations(tab)) == []
    assert not loopback.gone
    tab.keyboard.press("Escape")
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    assert list(violations(tab)) == []
    assert tab.evaluate(NAMELESS) == []
