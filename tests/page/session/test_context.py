"""The warning on the page, where everybody may use it and its owner pays."""

import pytest
from streamlit.testing.v1 import AppTest

from settings import ROOT


def warnings() -> list[str]:
    """Those of the chat page."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()
    assert not app.exception
    return [str(one.value) for one in app.warning]


def test_a_page_for_everybody_with_a_paid_backend_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings() == []
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert warnings() == []
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    for _ in range(2):
        (said,) = warnings()
        assert "0.0.0.0" in said
        assert "spend your money at openai" in said
        assert "login" in said
    assert caplog.text.count("spend your money") == 1


def script() -> None:
    """What a page does for whoever is inside."""
    from page.session.context import warn_if_exposed
    from settings import Settings

    warn_if_exposed(Settings.read())


def test_a_login_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    app = AppTest.from_function(script).run()
    assert len(app.warning) == 1
    app.secrets["auth"] = {"client_id": "1", "cookie_secret": "x" * 32}
    assert not app.run().warning
