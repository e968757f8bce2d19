"""The page About, without a browser and in a real one."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from settings import ROOT, Settings
from tests.page.person import assert_fits_phone
from tests.page.test_accessibility import NAMELESS, violations

ME = "session:me"


def script() -> None:
    from page.pages import about

    about.draw()


def page() -> AppTest:
    made = AppTest.from_function(script, default_timeout=300)
    made.session_state["owner"] = ME
    app = made.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption, *app.code])


def test_each_backend_is_ready_or_says_what_is_missing() -> None:
    said = words(page())
    assert "**gpt2**: ready" in said
    assert "**openai**: no key: set OPENAI_API_KEY" in said


def test_settings_stand_with_their_origin_and_without_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("COOKIE_SECRET", "a-very-secret-signing-key-0123456789")
    (tmp_path / ".env").write_text("TEMPERATURE=0.3\n")
    app = page()
    rows = {row.Setting: row for row in app.dataframe[0].value.itertuples()}
    assert (rows["TEMPERATURE"].Value, rows["TEMPERATURE"].From) == ("0.3", ".env")
    assert (rows["OPENAI_API_KEY"].Value, rows["OPENAI_API_KEY"].From) == ("********", "environment")
    assert rows["PORT"].From == "default"
    assert "very-secret" not in str(app.dataframe[0].value.to_dict()) + words(app)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql+psycopg://me:hidden@host/name", "postgresql+psycopg://me:********@host/name"),
        ("postgresql+psycopg://me:hid@den:/x@host/name", "postgresql+psycopg://me:********@host/name"),
        ("postgresql+psycopg://host/name?password=hidden&x=1", "postgresql+psycopg://host/name?password=********&x=1"),
        ("postgresql+psycopg://me@host/name", "postgresql+psycopg://me@host/name"),
        ("sqlite:////tmp/a@b:c.db", "sqlite:////tmp/a@b:c.db"),
    ],
)
def test_a_password_in_an_address_is_masked(monkeypatch: pytest.MonkeyPatch, url: str, masked: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert {option.name: option.value for option in Settings.read().options()}["DATABASE_URL"] == masked


def test_the_name_is_shown_only_when_it_is_asked_for() -> None:
    app = page()
    assert ME not in words(app)
    app.toggle(key="owner-shown").set_value(True).run()
    assert f"cli.py export --all --owner {ME}" in words(app)
    assert "Whoever has this name" in app.warning[0].value


def test_the_models_that_ship_stand_with_their_licences() -> None:
    app = page()
    assert "**SmolLM2-135M-Instruct** (Apache-2.0): " in words(app)
    assert "Model card: models/default (cc-by-sa-4.0)" in [each.label for each in app.expander]


def test_the_model_card_is_shown_without_its_fields_and_with_its_picture() -> None:
    app = page()
    said = words(app)
    assert "A small talker" in said
    assert "pipeline_tag" not in said
    assert "curves.png)" not in said
    assert len(app.get("image")) == len([*(ROOT / "models").glob("*/curves.png")])


@pytest.mark.browser
def test_notebooks_are_downloaded_and_nothing_is_fetched_elsewhere(gpt2: str, tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{gpt2}/about")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="inference.ipynb").click()
    assert Path(download.value.path()).read_bytes() == (ROOT / "notebooks" / "inference.ipynb").read_bytes()
    tab.get_by_text("Model card: models/default").click()
    expect(tab.get_by_role("img", name="curves")).to_be_visible()
    tab.get_by_text("Show my name").click()
    expect(tab.get_by_text("Whoever has this name")).to_be_visible()
    expect(tab.get_by_text("A small talker")).to_be_visible()
    assert list(violations(tab)) == []
    assert tab.evaluate(NAMELESS) == []
    assert_fits_phone(tab)
    assert [url for url in asked if not url.startswith((f"{gpt2}/", "data:", "blob:"))] == []
