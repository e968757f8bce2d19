"""The page Models: without a browser for what it shows to whom, and in a real one against a hub on this machine."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

import backends
from tests.conftest import GGUF
from tests.hub import Hub
from tests.page.conftest import Start
from tests.page.person import assert_fits_phone
from tests.page.test_accessibility import NAMELESS, violations


def script() -> None:
    from page.pages import models

    models.draw()


def page() -> AppTest:
    app = AppTest.from_function(script, default_timeout=300).run()
    assert not app.exception
    return app


@pytest.fixture
def hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Asked by processes that a test starts, too."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    return hub


def test_what_lies_here_is_a_table_and_one_model_is_told_of(hub: Hub) -> None:
    app = page()
    rows = {(row.Model, row.Kind): row for row in app.dataframe[0].value.itertuples()}
    shipped = rows["default/model-f16", "gpt2"]
    assert (shipped.Parameters, shipped.Window, shipped.Can, shipped.Template) == ("10M", "1,024", "chat", "its own")
    assert shipped.Here in {"fits", "tight", "does not fit"}
    app.selectbox(key="models-chosen").select("default/model-f16 (llamacpp)").run()
    facts = app.table[0].value
    assert "weights 21.7 MB" in facts.to_string()
    assert "Remove" not in [button.label for button in app.button]


def test_a_loaded_model_says_so_with_what_it_was_measured_to_take(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    assert {row.Loaded for row in page().dataframe[0].value.itertuples()} == {"-"}
    backends.load("llamacpp", backends.read_settings()).invoke("hi", max_tokens=2)
    app = page()
    loaded = {(row.Model, row.Kind, row._4): row.Loaded for row in app.dataframe[0].value.itertuples()}
    assert re.fullmatch(r"loaded, [\d.]+ MB measured", loaded.pop(("default/model-f16", "gpt2", "F16")))
    assert set(loaded.values()) == {"-"}
    app.selectbox(key="models-chosen").select("default/model-f16 (llamacpp)").run()
    assert "MB measured" in app.table[0].value.to_string()
    backends.unload()
    assert {row.Loaded for row in page().dataframe[0].value.itertuples()} == {"-"}


@pytest.mark.parametrize("values", [{"HOST": "0.0.0.0"}, {"MODELS_DOWNLOAD": "none"}])
def test_whoever_comes_from_elsewhere_only_looks(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    app = page()
    assert [button.label for button in app.button] == []
    assert app.text_input == []
    assert "MODELS_DOWNLOAD" in app.caption[-1].value
    assert len(app.dataframe[0].value) >= 2


def test_everybody_may_where_that_is_set(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("MODELS_DOWNLOAD", "all")
    assert "Get" in [button.label for button in page().button]


def test_a_model_is_found_downloaded_cancelled_gone_on_with_and_removed(
    hub: Hub, start: Start, tab: Page, tmp_path: Path
) -> None:
    tab.goto(f"{start(LLM_BACKEND='llamacpp', MODELS_HOME=str(tmp_path / 'ours'))}/models")
    expect(tab.get_by_role("heading", name="Good small models")).to_be_visible()
    assert hub.asked == []  # nothing is asked before somebody presses
    tab.get_by_label("Search the hub for GGUF models").fill("one")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_role("button", name="Show files").click()
    get = tab.locator("[class*='st-key-get-talker']").get_by_role("button", name="Get")
    hub.pause = 0.1
    get.click()
    cancel = tab.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    expect(tab.get_by_text("MB/s").or_(tab.get_by_text("kB/s"))).to_be_visible()
    other = tab.context.new_page()
    other.goto(tab.url)
    other.get_by_role("button", name="Cancel").click()  # another tab sees it, and may end it
    expect(tab.get_by_text("cancelled. What came is kept")).to_be_visible()
    expect(other.get_by_text("cancelled. What came is kept")).to_be_visible()
    other.close()
    hub.pause = 0
    get.click()
    expect(tab.get_by_text("talker-Q4_K_M.gguf is here.")).to_be_visible()
    assert any(span for name, span in hub.asked if name.endswith(".gguf"))
    tab.get_by_role("button", name="Dismiss").click()
    expect(tab.get_by_text("is here.")).to_have_count(0)
    assert list(violations(tab)) == []
    assert tab.evaluate(NAMELESS) == []
    about = tab.get_by_label("About one model")  # by the keyboard: its list may open below the window's edge
    about.click()
    about.press_sequentially("talker")
    expect(tab.get_by_role("option")).to_have_count(1)
    about.press("Enter")
    tab.get_by_text("Remove", exact=True).click()
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_text("me/one/talker-Q4_K_M is deleted; 21.7 MB are free again.")).to_be_visible()
    assert not list((tmp_path / "ours").rglob("*.gguf"))
    assert_fits_phone(tab)


def test_what_the_hub_refuses_is_told(hub: Hub, start: Start, tab: Page, tmp_path: Path) -> None:
    tab.goto(f"{start(LLM_BACKEND='llamacpp', MODELS_HOME=str(tmp_path / 'ours'))}/models")
    tab.get_by_label("Search the hub for GGUF models").fill("gated")
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(tab.get_by_text("on terms only")).to_be_visible()
    tab.get_by_role("button", name="Show files").click()
    tab.locator("[class*='st-key-get-talker']").get_by_role("button", name="Get").click()
    expect(tab.get_by_text("is given on terms only: accept them on")).to_be_visible()
