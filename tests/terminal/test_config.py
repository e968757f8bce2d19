"""The reference of all settings, as the command writes it and as it stands in docs/."""

import pytest

from cli import app
from settings import ROOT


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        app(["config", *arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_the_page_of_settings_is_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--markdown") == (ROOT / "docs" / "settings.md").read_text()


def test_the_reference_does_not_depend_on_what_is_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("PORT", "not a number")
    text = printed(capsys, "--markdown")
    assert "sk-of-somebody" not in text
    assert "| `PORT` | `8501` |" in text
