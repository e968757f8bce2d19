"""Pictures that no model has seen, without a browser: another model is picked for them, or they stay away."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.loopback import Loopback
from tests.page.test_app import conversation_id, page, texts, wait_for_reply
from tests.pictures import drawn, look

pytestmark = pytest.mark.server  # a process of its own unpacks pictures


def press(app: AppTest, label: str) -> AppTest:
    return wait_for_reply(next(button for button in app.button if button.label == label).click().run())


def test_a_model_that_sees_and_is_picked_then_is_shown_them(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    loopback.answer = look
    app = page(owner="me")
    app.chat_input[0].upload("red.png", drawn("red"))
    app.chat_input[0].set_value("What is it?").run()
    offered = {button.label for button in app.button}
    assert {"Read the text in it", "Send without", "Discard"} <= offered
    assert "Show it to this model" not in offered
    assert (len(app.chat_message), loopback.requests) == (0, [])
    app.selectbox(key="backend").select("openai").run()
    press(app, "Show it to this model")
    assert texts(app) == ["What is it?", "I see red 640 x 480."]
    assert conversation_id(app)
    assert "Discard" not in {button.label for button in app.button}
