"""The page Compare, without a browser and in a real one."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

import backends
from conversations.replies import comparison
from tests.conftest import GGUF
from tests.conversations.talk import mine
from tests.loopback import Loopback
from tests.page import person
from tests.page.conftest import Start
from tests.page.person import messages, picture_folder, send_message
from tests.page.test_accessibility import NAMELESS, violations
from tests.page.test_app import replies, wait_for_reply

ME = "session:me"
PLACE = "Ask all of them"


def script() -> None:
    from page.pages import compare

    compare.draw()


def page(c: str | None = None, owner: str = ME) -> AppTest:
    made = AppTest.from_function(script, default_timeout=300)
    made.session_state["owner"] = owner
    if c is not None:
        made.query_params["c"] = c
    app = made.run()
    assert not app.exception
    return app


def asked(app: AppTest, question: str, *names: str) -> AppTest:
    """Ask these backends, and wait for the end."""
    app.multiselect(key="compared").set_value(list(names)).run()
    app.chat_input[0].set_value(question).run()
    return wait_for_reply(app)


def buttons(app: AppTest, label: str) -> list[str]:
    return [str(button.key) for button in app.button if button.label == label]


def heads(app: AppTest) -> list[str]:
    return [str(each.value) for each in app.subheader]


def address(app: AppTest) -> str:
    value = app.query_params["c"]
    return value if isinstance(value, str) else value[0]


def test_all_that_are_ready_are_chosen_and_the_others_say_why() -> None:
    app = page()
    assert app.multiselect(key="compared").value == ["gpt2", "llamacpp"]
    assert any("openai: no key: set OPENAI" in str(c.value).replace("\\", "") for c in app.caption)


def test_one_question_is_answered_by_each_with_its_figures(loopback: Loopback) -> None:
    app = asked(page(), "hi, how are you?", "llamacpp", "openai")
    assert heads(app) == ["llamacpp", "openai"]
    assert app.chat_message[0].text[0].value == "hi, how are you?"
    assert loopback.reply in replies(app)
    assert [m.label for m in app.metric] == ["First token", "Tokens/s", "Tokens"] * 2
    assert [m.value for m in app.metric if m.label == "Tokens"][1] == "6"
    again = page(address(app))
    assert heads(again) == heads(app)
    assert [m.value for m in again.metric] == [m.value for m in app.metric]


def test_one_vote_which_can_be_taken_back(loopback: Loopback) -> None:
    app = asked(page(), "hi", "llamacpp", "openai")
    first, second = buttons(app, "Best reply")
    app.button(key=first).click().run()
    assert heads(app) == [":material/trophy: llamacpp", "openai"]
    app.button(key=second).click().run()
    assert heads(app) == ["llamacpp", ":material/trophy: openai"]
    winner = comparison.read(mine(ME), address(app)).winner
    assert f"vote-{winner}" == second
    app.button(key=second).click().run()
    assert heads(app) == ["llamacpp", "openai"]


def test_a_failure_of_one_leaves_the_others(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    app = asked(page(), "hi", "openai", "llamacpp")
    assert "The server failed; try again." in app.error[0].value
    assert len(buttons(app, "Best reply")) == 1


def test_what_is_somebody_elses_is_not_found(loopback: Loopback) -> None:
    theirs = address(asked(page(), "hi", "openai"))
    assert heads(page(theirs, "session:other")) == ["Comparison not found"]
    assert heads(page("guessed")) == ["Comparison not found"]


def test_nobody_chosen_asks_nobody() -> None:
    app = page()
    app.multiselect(key="compared").set_value([]).run()
    assert app.chat_input[0].disabled


def test_an_over_long_question_is_refused_with_the_limit(loopback: Loopback) -> None:
    app = asked(page(), "x" * 1_000_000, "openai")
    assert "at most 100,000" in app.error[0].value
    assert mine(ME).listing() == []


@pytest.mark.browser
def test_they_stream_together_and_one_goes_on_in_the_chat(gpt2: str, tab: Page, tmp_path: Path) -> None:
    tab.set_viewport_size({"width": 1200, "height": 700})
    tab.goto(gpt2 + "/compare")
    question = tab.get_by_placeholder(PLACE)
    for text in ("hi, how are you?", "What do you like to do on a Sunday?"):  # the first one waits for the models
        question.fill(text)
        tab.keyboard.press("Enter")
        expect(tab.get_by_text(text)).to_be_visible()
        expect(tab.get_by_role("button", name="Go on with this one")).to_have_count(2, timeout=300_000)
    tab.get_by_role("button", name="Best reply").last.click()
    expect(tab.get_by_role("heading", name="trophy icon llamacpp")).to_be_visible()
    tab.mouse.move(600, 600)
    tab.wait_for_timeout(500)
    tab.screenshot(path=picture_folder(tmp_path, bool(os.environ.get("UPDATE_DOCS"))) / "compare.png")
    assert list(violations(tab)) == []
    assert tab.evaluate(NAMELESS) == []
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.set_viewport_size({"width": 1200, "height": 700})
    reply = tab.locator(".reply").last.inner_text()
    tab.get_by_role("button", name="Go on with this one").last.click()
    expect(messages(tab).last).to_contain_text(reply)
    send_message(tab, "tell me a joke")
    expect(messages(tab)).to_have_count(4)
    expect(messages(tab).last).to_contain_text("llamacpp ·")


def test_a_model_of_this_machine_is_one_side_and_the_chat_goes_on_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None
) -> None:
    (tmp_path / "other.gguf").write_bytes(GGUF.read_bytes())
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    monkeypatch.setenv("MODELS_DIRS", str(tmp_path))
    app = page()
    assert "llamacpp:other" in app.multiselect(key="compared").options
    assert "llamacpp:other" not in app.multiselect(key="compared").value  # none is loaded that nobody chose
    app = asked(app, "hi", "llamacpp", "llamacpp:other")
    assert [each.replace("\u2060", "") for each in heads(app)] == ["llamacpp", "llamacpp:other"]
    assert {each.label for each in backends.residents()} >= {"llamacpp", "llamacpp:other"}
    store = mine(ME)
    app.button(key=buttons(app, "Go on with this one")[1]).click().run()
    thread = store.thread(address(app))
    assert (thread.conversation.backend, thread.messages[-1].backend) == ("llamacpp:other", "llamacpp:other")


@pytest.mark.browser
def test_a_reload_and_another_page_leave_it_running(
    start: Start, loopback: Loopback, tab: Page, chromium: Browser
) -> None:
    loopback.script.append("slow")
    sent = person.asked(tab)
    tab.goto(start(OPENAI_BASE_URL=loopback.url, LLAMACPP_MODEL="/none.gguf", GPT2_MODEL="/none") + "/compare")
    tab.get_by_placeholder(PLACE).fill("hi")
    tab.keyboard.press("Enter")
    tab.get_by_text("word3 ").wait_for()
    tab.reload()
    tab.get_by_text("word20 ").wait_for()
    tab.get_by_role("link", name="About").click()
    tab.get_by_text("Show my name").wait_for()
    tab.get_by_role("link", name="Compare").click()
    tab.get_by_text("word40 ").wait_for()
    assert not any(each.rerun_script.is_auto_rerun for each in sent)
    with chromium.new_context() as context:
        other = context.new_page()
        other.goto(tab.url)
        expect(other.get_by_text("Comparison not found")).to_be_visible()
    assert not loopback.gone
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_text("Stopped")).to_be_visible()
    assert loopback.gone
    assert len(loopback.requests) == 1
