"""Which addresses others reach, and whom a reply costs money."""

import pytest

import backends
from exposure import exposure_warning, is_remote
from settings import Settings


@pytest.mark.parametrize(
    ("address", "reached"),
    [("127.0.0.1", False), ("127.9.9.9", False), ("::1", False), ("localhost", False), ("", False),
     ("0.0.0.0", True), ("::", True), ("192.168.1.5", True), ("2001:db8::1", True)],
)  # fmt: skip
def test_what_others_reach(address: str, reached: bool) -> None:
    assert is_remote(address) is reached


def test_what_costs_money(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [name for name in backends.names() if backends.is_metered(name, Settings.read())] == []
    assert backends.is_metered("anthropic:some-model", Settings.read())
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert [name for name in backends.names() if backends.is_metered(name, Settings.read())] == ["openai"]


def test_the_warning_names_backend_address_and_remedy(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    assert exposure_warning(settings, "0.0.0.0", "the API", "Set API_KEYS.") is None
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    settings = Settings.read()
    said = exposure_warning(settings, "0.0.0.0", "the API", "Set API_KEYS.")
    assert said is not None
    assert "0.0.0.0" in said
    assert "the API" in said
    assert said.endswith("at openai. Set API_KEYS.")
    assert "sk-secret" not in said
    assert exposure_warning(settings, "127.0.0.1", "the API", "") is None
