"""Settings: where they come from, what they may hold, and how a bad one is named."""

from pathlib import Path

import pytest

from settings import ROOT, EnvironmentSettings, Settings, SettingsError, display_path
from tests.conftest import variables


def test_nothing_set_means_nothing_sent(settings: Settings) -> None:
    assert settings.sampling_options() == {}


def test_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TEMPERATURE=0.1\nTOP_K=5\nMAX_TOKENS=\n")
    monkeypatch.setenv("TEMPERATURE", "0.9")
    settings = Settings.read()
    assert settings.sampling_options() == {"temperature": 0.9, "top_k": 5}
    origins = {option.name: option.origin for option in settings.options()}
    assert (origins["TEMPERATURE"], origins["TOP_K"], origins["MAX_TOKENS"]) == ("environment", ".env", "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [("TEMPERATURE", "hot"), ("TEMPERATURE", "2.5"), ("TOP_P", "0"), ("TOP_K", "-1"), ("PORT", "70000"),
     ("MAX_TOKENS", "0"), ("HOST", "not a host"), ("SEED", "-1"), ("REPETITION_PENALTY", "0"),
     ("CHAT_TEMPLATE", "/no/such/file")],
)  # fmt: skip
def test_a_bad_value_names_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name}={value}: .+\. {name} is "):
        Settings.read()


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPERATURE", "hot")
    monkeypatch.setenv("PORT", "none")
    with pytest.raises(SettingsError, match=r"(?s)PORT=none.*TEMPERATURE=hot"):
        Settings.read()


def test_a_list_is_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", " gpt2, llamacpp ,")
    assert Settings.read().llm_fallback == ("gpt2", "llamacpp")


def test_a_prompt_may_have_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEM_PROMPT", "Be kind.\\nBe brief.")
    assert Settings.read().system_prompt == "Be kind.\nBe brief."


def test_the_example_file_names_every_variable_and_sets_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [line.removeprefix("# ").partition("=")[0] for line in lines if "=" in line]
    assert sorted(named) == sorted(variables())
    assert all(line.startswith("#") for line in lines if line.strip())


def test_paths_in_this_folder_are_shown_short() -> None:
    assert display_path(str(ROOT / "models" / "default")) == "models/default"
    assert display_path("/elsewhere/model") == "/elsewhere/model"


class Extra(EnvironmentSettings):
    """A group of one room's own."""

    extra_size: int = 3


def test_a_group_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRA_SIZE", "5")
    settings = Settings.read()
    assert settings.group(Extra).extra_size == 5
    monkeypatch.setenv("EXTRA_SIZE", "7")
    assert settings.group(Extra).extra_size == 5
    assert settings.model_copy(update={"port": 1}).group(Extra).extra_size == 5
    assert Settings.read().group(Extra).extra_size == 7


def test_a_group_that_is_handed_in_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRA_SIZE", "5")
    settings = Settings.read()
    assert settings.with_group(Extra.read(extra_size=9)).group(Extra).extra_size == 9
    assert settings.group(Extra).extra_size == 5
    with pytest.raises(SettingsError, match=r"^EXTRA_SIZE=large: "):
        Extra.read(extra_size="large")
