"""The page without a browser."""

import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from page.bubble import safe
from settings import ROOT
from tests.loopback import Loopback


def page(query: dict[str, str] | None = None) -> AppTest:
    made = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in (query or {}).items():
        made.query_params[name] = value
    return made.run()


def settle(shown: AppTest) -> AppTest:
    end = time.monotonic() + 60
    while any(button.label == "Stop" for button in shown.button):
        assert time.monotonic() < end
        time.sleep(0.05)
        shown.run()
    assert not shown.exception
    return shown


def wait_for_models(shown: AppTest, name: str) -> None:
    end = time.monotonic() + 30
    while name not in shown.selectbox(key="model").options:
        assert time.monotonic() < end
        time.sleep(0.05)
        shown.run()


def texts(shown: AppTest) -> list[str]:
    return [str(element.value) for message in shown.chat_message for element in [*message.text, *message.markdown]]


def test_the_small_model_says_what_it_is_and_how_to_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = page()
    assert not shown.exception
    assert shown.title[0].value == "LLM Assistant"
    assert "small demonstration model" in shown.info[0].value
    assert "OPENAI_API_KEY" in shown.info[0].value
    assert [b.label for b in shown.main.button] == ["Hi, how are you?", "Do you have any pets?", "Tell me a joke"]


def test_a_message_gets_a_reply_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    shown = settle(page().chat_input[0].set_value("hi, how are you?").run())
    said = texts(shown)
    assert said[0] == "hi, how are you?"
    assert said[1]
    captions = " ".join(str(c.value) for c in shown.caption)
    assert "llamacpp · " in captions
    assert "tokens/s" in captions
    assert any("of 1,024 tokens" in str(element.proto.text) for element in shown.get("progress"))


def test_an_address_without_its_conversation_says_so() -> None:
    assert any("no longer here" in str(c.value) for c in page({"c": "gone"}).caption)


def test_moved_knobs_can_be_left_alone_again(loopback: Loopback) -> None:
    shown = page()
    shown.slider(key="top_k").set_value(7).run()
    next(b for b in shown.button if b.label == "Reset").click().run()
    settle(shown.chat_input[0].set_value("hi").run())
    assert "top_k" not in loopback.requests[-1]


def test_a_suggestion_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    shown = settle(page().main.button[0].click().run())
    assert texts(shown)[0] == "Hi, how are you?"


def test_a_conversation_is_found_again_and_a_new_chat_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    first = settle(page().chat_input[0].set_value("remember me").run())
    identity = first.query_params["c"]
    identity = identity if isinstance(identity, str) else identity[0]
    again = page({"c": identity})
    assert texts(again) == texts(first)
    again.sidebar.button[0].click().run()
    assert texts(again) == []
    assert page({"c": "guessed"}).chat_message.len == 0


def test_backends_that_are_not_ready_say_why() -> None:
    shown = page()
    assert any("openai: no key: set OPENAI_API_KEY" in str(c.value) for c in shown.caption)
    shown.selectbox(key="backend").select("openai").run()
    assert "set OPENAI_API_KEY" in shown.error[0].value
    assert shown.chat_input[0].disabled


def test_no_backend_at_all_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_MODEL", "/none")
    monkeypatch.setenv("LLAMACPP_MODEL", "/none.gguf")
    shown = page()
    assert "Set OPENAI_API_KEY" in shown.error[0].value
    assert not shown.exception


@pytest.mark.parametrize(("name", "value"), [("TEMPERATURE", "hot"), ("LLM_BACKEND", "none"), ("OPENAI_N_CTX", "x")])
def test_a_bad_setting_is_shown_not_raised(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    shown = page()
    assert f"{name}={value}" in shown.error[0].value
    assert not shown.exception


def test_a_failure_shows_cause_and_remedy(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    shown = settle(page().chat_input[0].set_value("hi").run())
    assert "The server failed; try again." in shown.error[0].value
    settle(shown.chat_input[0].set_value("again").run())
    assert loopback.reply in texts(shown)[-1]


def test_values_beyond_the_sliders_are_shown_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_TOKENS", "9000")
    monkeypatch.setenv("TOP_P", "0.01")
    shown = page()
    assert not shown.exception
    assert (shown.slider(key="max_tokens").value, shown.slider(key="top_p").value) == (9000, 0.01)


def test_only_moved_knobs_are_sent(loopback: Loopback) -> None:
    loopback.models = ["loopback-small", "another"]
    shown = settle(page().chat_input[0].set_value("hi").run())
    assert "temperature" not in loopback.requests[-1]
    shown.slider(key="temperature").set_value(0.2).run()
    wait_for_models(shown, "another")
    shown.text_area(key="system").set_value("Be brief.").run()
    shown.selectbox(key="model").set_value("another").run()
    settle(shown.chat_input[0].set_value("hi").run())
    sent = loopback.requests[-1]
    assert (sent["temperature"], sent["model"], sent["messages"][0]["content"]) == (0.2, "another", "Be brief.")
    assert "top_p" not in sent


def test_what_people_type_is_data(loopback: Loopback) -> None:
    text = "<b>x</b> ![i](http://example.com/a.png) {{ 1 }} :red[x]"
    loopback.reply = "![i](http://example.com/b.png)"
    shown: Any = settle(page().chat_input[0].set_value(text).run())
    assert shown.chat_message[0].text[0].value == text
    assert "![" not in shown.chat_message[1].markdown[0].value


@pytest.mark.parametrize(
    "text",
    [
        "![a](http://x/y)", "!![a](http://x/y)", "[![a](http://x/y)](http://z)", "\\![a](http://x/y)",
        "\\\\![a](http://x/y)", "`code` ![a][b]\n\n[b]: http://x/y", "[^1]\n\n[^1]: ![a](http://x/y)",
        "$$\n```\n$$\n![a](http://x/y)\n```", ":::note\n```\n:::\n![a](http://x/y)\n```", "> ```\n![a](http://x/y)\n```",
        "see[^1]\n\n[^1]: foo\n\n    ![x](http://x/y)", "[^1]: a\n\n    ```\n    ![x](http://x/y)\n    ```",
    ],
)  # fmt: skip
def test_no_image_is_left_in_a_reply(text: str) -> None:
    """Whoever reads the Markdown: without the two characters side by side there is no image."""
    assert "![" not in safe(text)


@pytest.mark.parametrize("text", ["```rust\nlet v = vec![1];\n```", "no image, a [link](http://x)!"])
def test_code_and_links_stay_as_they_are(text: str) -> None:
    assert safe(text) == text
