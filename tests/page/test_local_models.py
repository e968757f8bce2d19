"""The picker of a model on this machine: for one conversation, without a restart, and what it says of memory."""

from pathlib import Path

import pytest

import backends
from tests.conftest import GGUF
from tests.page.test_app import conversation_id, page, texts, wait_for_reply

pytestmark = pytest.mark.usefixtures("fresh_backends")


@pytest.fixture(autouse=True)
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another model beside the one that the settings name."""
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    monkeypatch.setenv("MODELS_DIRS", str(tmp_path / "more"))
    path = tmp_path / "more" / "other.gguf"
    path.parent.mkdir()
    path.write_bytes(GGUF.read_bytes())
    return path


def test_a_model_is_picked_for_one_conversation_and_stays_with_it() -> None:
    app = page(owner="me")
    app.selectbox(key="llamacpp-model").select("other").run()
    wait_for_reply(app.chat_input[0].set_value("hi").run())
    resident = backends.resident("llamacpp:other")
    assert resident is not None
    assert any("measured" in str(c.value) and "expected" in str(c.value) for c in app.caption)
    picked = conversation_id(app)
    fresh = page(owner="me")  # another tab: the usual model
    assert fresh.selectbox(key="llamacpp-model").value == ""
    wait_for_reply(fresh.chat_input[0].set_value("hi").run())
    assert len(backends.residents()) == 2
    again = page({"c": picked}, "me")
    assert again.selectbox(key="llamacpp-model").value == "other"
    assert len(texts(again)) == 2


def test_a_model_that_is_gone_is_named_with_the_remedy(other: Path) -> None:
    app = page(owner="me")
    app.selectbox(key="llamacpp-model").select("other").run()
    wait_for_reply(app.chat_input[0].set_value("hi").run())
    other.unlink()
    backends.unload()
    again = page({"c": conversation_id(app)}, "me")
    assert "other: there is no such model here" in again.error[0].value
    assert "Choose another model" in again.error[0].value
    assert again.chat_input[0].disabled
    again.selectbox(key="llamacpp-model").select("").run()
    assert not again.error
    wait_for_reply(again.chat_input[0].set_value("go on").run())
    assert len(texts(again)) == 4
