"""The page without a browser."""

import json
import os
import re
import subprocess
import sys
import time
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text as sql
from streamlit.testing.v1 import AppTest

import backends
from conversations.library import reading
from conversations.replies import turn
from conversations.replies.writer import _writers
from conversations.store import store as stores
from conversations.store.schema import Summary
from settings import ROOT, Settings
from tests.loopback import Loopback


def page(query: dict[str, str] | None = None, owner: str | None = None) -> AppTest:
    made = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    if owner:
        made.session_state["owner"] = owner
    for name, value in (query or {}).items():
        made.query_params[name] = value
    return made.run()


def conversation_id(app: AppTest) -> str:
    """The conversation in the address."""
    found = app.query_params["c"]
    return found if isinstance(found, str) else found[0]


def settle() -> None:
    """Wait for what this process reads and answers, a while each: a page drawn before shows nothing new."""
    for each in [each for kept in list(reading._readings.values()) for each in kept]:
        each.finished.wait(2)
    for reply in [reply for kept in list(_writers.values()) for reply in list(kept.replies.values())]:
        reply.wait(2)


def wait_for_reply(app: AppTest) -> AppTest:
    end = time.monotonic() + 300
    while any(button.label == "Stop" for button in app.button):
        assert time.monotonic() < end
        settle()
        time.sleep(0.05)
        app.run()
    assert not app.exception
    return app


def wait_for_models(app: AppTest, name: str) -> None:
    end = time.monotonic() + 300
    while name not in app.selectbox(key="model").options:
        assert time.monotonic() < end
        time.sleep(0.05)
        app.run()


def replies(drawn: Any) -> list[str]:
    """The words of replies, or what they wait for, of a page or a part of it."""
    found = [element.proto for element in drawn.get("bidi_component")]
    growing = [_words(json.loads(each.json)) for each in found if each.component_name in {"reply", "reply_alone"}]
    ended = [each.proto.body for each in drawn.get("html") if each.proto.body.startswith('<div class="reply">')]
    return [*(_words({"blocks": [each]}) for each in ended), *growing]


def _words(told: dict[str, Any]) -> str:
    return unescape(re.sub("<[^>]*>", "", "".join(told["blocks"]))).strip() or str(told.get("wait"))


def texts(app: AppTest) -> list[str]:
    return [str(text) for message in app.chat_message for text in [*(t.value for t in message.text), *replies(message)]]


def test_a_page_is_drawn_without_pandas() -> None:
    """Which Streamlit imports for a list or a dict that a component is given."""
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=300).run()
app.chat_input[0].set_value("hi").run()
app.run()
print(len(app.chat_message), "pandas" in sys.modules, "mcp" in sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["2", "False", "False"], done.stderr


def test_the_small_model_says_what_it_is_and_how_to_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    app = page()
    assert not app.exception
    assert app.title[0].value == "LLM Assistant"
    notice = next(str(c.value) for c in app.main.caption if "small demonstration model" in str(c.value))
    assert "OPENAI_API_KEY" in notice
    offered = [b.label for b in app.main.button if b.label.endswith(("?", "joke"))]
    assert offered == [
        "Hi, how are you?",
        "Do you have any pets?",
        "Tell me a joke",
    ]


def test_a_message_gets_a_reply_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    app = wait_for_reply(page().chat_input[0].set_value("hi, how are you?").run())
    said = texts(app)
    assert said[0] == "hi, how are you?"
    assert said[1]
    captions = " ".join(str(c.value) for c in app.caption)
    assert "llamacpp · " in captions
    assert "tokens/s" in captions
    assert any("of 1,024 tokens" in str(element.proto.text) for element in app.get("progress"))


def test_a_conversation_that_is_not_there_is_not_found() -> None:
    app = page({"c": "gone"})
    assert app.title[0].value == "Conversation not found"
    assert app.chat_input[0].disabled
    next(b for b in app.button if b.label == "Start a new chat").click()
    assert app.run().title[0].value == "LLM Assistant"


def test_a_session_without_cookie_says_that_it_does_not_last() -> None:
    assert any("cannot be found again" in str(c.value) for c in page().sidebar.caption)


def test_moved_options_can_be_left_alone_again(loopback: Loopback) -> None:
    app = page()
    app.slider(key="top_k").set_value(7).run()
    next(b for b in app.button if b.label == "Reset").click().run()
    wait_for_reply(app.chat_input[0].set_value("hi").run())
    assert "top_k" not in loopback.requests[-1]


def test_a_suggestion_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    app = page()
    app = wait_for_reply(next(b for b in app.main.button if b.label == "Hi, how are you?").click().run())
    assert texts(app)[0] == "Hi, how are you?"


def test_a_conversation_is_found_again_by_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    first = wait_for_reply(page(owner="me").chat_input[0].set_value("remember me").run())
    identity = conversation_id(first)
    again = page({"c": identity}, "me")
    assert texts(again) == texts(first)
    again.sidebar.button[0].click().run()
    assert texts(again) == []
    stranger, gone = page({"c": identity}, "you"), page({"c": "never-was"}, "you")
    assert stranger.title[0].value == gone.title[0].value == "Conversation not found"
    assert texts(stranger) == texts(gone) == []
    assert [str(m.value) for m in stranger.markdown] == [str(m.value) for m in gone.markdown]


def test_backends_that_are_not_ready_say_why() -> None:
    app = page()
    assert any("openai: no key: set OPENAI_API_KEY" in str(c.value) for c in app.caption)
    app.selectbox(key="backend").select("openai").run()
    assert "set OPENAI_API_KEY" in app.error[0].value
    assert app.chat_input[0].disabled


def test_no_backend_at_all_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_MODEL", "/none")
    monkeypatch.setenv("LLAMACPP_MODEL", "/none.gguf")
    backends.unload()  # one that an earlier test loaded would answer
    app = page()
    assert "Set OPENAI_API_KEY" in app.error[0].value
    assert not app.exception


@pytest.mark.parametrize(("name", "value"), [("TEMPERATURE", "hot"), ("LLM_BACKEND", "none"), ("OPENAI_N_CTX", "x")])
def test_a_bad_setting_is_shown_not_raised(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    app = page()
    assert f"{name}={value}" in app.error[0].value
    assert not app.exception


def test_a_failure_shows_cause_and_remedy(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    app = wait_for_reply(page().chat_input[0].set_value("hi").run())
    assert "The server failed; try again." in app.error[0].value
    wait_for_reply(app.chat_input[0].set_value("again").run())
    assert loopback.reply in texts(app)[-1]


def test_values_beyond_the_sliders_are_shown_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_TOKENS", "9000")
    monkeypatch.setenv("TOP_P", "0.01")
    app = page()
    assert not app.exception
    assert (app.slider(key="max_tokens").value, app.slider(key="top_p").value) == (9000, 0.01)


def test_only_moved_options_are_sent(loopback: Loopback) -> None:
    loopback.models = ["loopback-small", "another"]
    app = wait_for_reply(page().chat_input[0].set_value("hi").run())
    assert "temperature" not in loopback.requests[-1]
    app.slider(key="temperature").set_value(0.2).run()
    wait_for_models(app, "another")
    app.text_area(key=f"system-{conversation_id(app)}").set_value("Be brief.").run()
    app.selectbox(key="model").set_value("another").run()
    wait_for_reply(app.chat_input[0].set_value("hi").run())
    sent = loopback.requests[-1]
    assert (sent["temperature"], sent["model"], sent["messages"][0]["content"]) == (0.2, "another", "Be brief.")
    assert "top_p" not in sent


def test_what_people_type_is_data(loopback: Loopback) -> None:
    text = "<b>x</b> ![i](http://example.com/a.png) {{ 1 }} :red[x]"
    loopback.reply = "![i](http://example.com/b.png)"
    app: Any = wait_for_reply(page().chat_input[0].set_value(text).run())
    assert app.chat_message[0].text[0].value == text
    assert replies(app.chat_message[1]) == ["!i"]  # a link, which nobody fetches unasked


@pytest.mark.parametrize(
    "text",
    [
        "\x00\x07\x1b[31m\u200b\ufeff",
        "x" * 5000,
        "שלום עולם \u202e abc",
        "$\\frac{1}{0}$ $$\\begin{x}$$",
        "<script>alert(1)</script><iframe src=//x>",
        "```\nunclosed",
        "| a |\n|--",
        "\U0001f469\u200d\U0001f52c" * 50,
    ],
)
def test_nothing_that_is_said_breaks_the_page(loopback: Loopback, text: str) -> None:
    loopback.reply = text.replace("\x00", " ")
    app: Any = wait_for_reply(page().chat_input[0].set_value(text).run())
    assert app.chat_message[0].text[0].value == text.replace("\x00", "\ufffd")
    assert len(app.chat_message) == 2


def test_a_message_that_is_too_long_is_refused_with_the_limit_and_not_lost(loopback: Loopback) -> None:
    app = page().chat_input[0].set_value("x" * 1_000_000).run()
    assert "1,000,000 characters; at most 100,000" in app.error[0].value
    assert app.chat_input[0].proto.value == "x" * 1_000_000, "it stands where it was typed"
    assert not loopback.requests
    assert texts(app) == []
    wait_for_reply(app.chat_input[0].set_value("short").run())
    assert not app.error


def test_a_long_chat_shows_its_end_and_earlier_messages_on_demand(settings: Settings) -> None:
    identity = write_conversation(settings, "me", 120)
    app = page({"c": identity}, "me")
    assert [texts(app)[0], texts(app)[-1]] == ["message 70", "message 119"]
    app.button(key="earlier").click().run()
    assert texts(app)[0] == "message 20"
    app.button(key="earlier").click().run()
    assert texts(app)[0] == "message 0"
    assert not [b for b in app.button if b.key == "earlier"]


@pytest.mark.parametrize(("dropped", "at"), [(0, None), (1, 1), (3, 3), (80, 70)])
def test_what_the_model_does_not_see_is_marked_where_it_ends(settings: Settings, dropped: int, at: int | None) -> None:
    app = page({"c": write_conversation(settings, "me", 120 if at == 70 else 6, dropped)}, "me")
    lines = [str(c.value) for c in app.main.caption if "outside the model" in str(c.value)]
    if at is None:
        assert lines == []
    else:
        assert f"{dropped} earlier message{'s are' if dropped > 1 else ' is'} outside the model's window" in lines[0]


def test_a_summary_stands_where_the_window_begins(settings: Settings) -> None:
    mine = stores.open_store(settings, "me")
    identity = write_conversation(settings, "me", 6, 3)
    last = mine.thread(identity).messages[2].id
    with mine.database.writing() as session:
        session.add(
            Summary(
                message_id=last,
                messages=3,
                text="They <b>met</b>.",
                created=1.0,
                backend="openai",
                prompt_tokens=70,
                completion_tokens=9,
            )
        )
    app = page({"c": identity}, "me")
    unfolded = next(e for e in app.expander if e.label == "Summary of the first 3 messages")
    assert unfolded.text[0].value == "They <b>met</b>."
    assert "70 tokens read, 9 written" in str(unfolded.caption[0].value)


def test_an_interrupted_reply_says_so(settings: Settings) -> None:
    identity = write_conversation(settings, "me", 2, state="interrupted")
    assert any("Interrupted" in str(c.value) for c in page({"c": identity}, "me").caption)


def test_a_database_that_is_away_is_said_and_what_was_posted_waits(loopback: Loopback, settings: Settings) -> None:
    app = wait_for_reply(page().chat_input[0].set_value("one").run())
    database = stores.open_store(settings, "").database
    with database.writing() as session:
        session.execute(sql("ALTER TABLE conversation RENAME TO mislaid"))
    app.chat_input[0].set_value("two").run()
    assert not app.exception
    assert "The database does not answer" in app.error[0].value
    with database.writing() as session:
        session.execute(sql("ALTER TABLE mislaid RENAME TO conversation"))
    assert texts(wait_for_reply(app.run()))[::2] == ["one", "two"]


def test_fifty_messages_cost_little_more_than_two(settings: Settings) -> None:
    def fastest(count: int) -> float:
        app = page({"c": write_conversation(settings, "me", count)}, "me")
        assert len(app.chat_message) == count
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            app.run()
            times.append(time.perf_counter() - begun)
        return min(times)

    assert fastest(50) < 8 * fastest(2)


def write_conversation(settings: Settings, owner: str, count: int, dropped: int = 0, state: str = "done") -> str:
    """A conversation of so many messages, the last of which the model wrote."""
    mine = stores.open_store(settings, owner)
    with mine.database.writing() as session:
        found, parent = mine.create(session), None
        for number in range(count):
            figures = {"role": "assistant", "backend": "openai", "prompt_tokens": 9, "dropped": dropped, "state": state}
            made = turn.add_message(session, found, parent, text=f"message {number}", **(figures if number % 2 else {}))
            parent = made.id
        found.head, found.title = parent, "written"
        return found.id
