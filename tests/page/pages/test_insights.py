"""The page Insights, without a browser and in a real one."""

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from conversations.replies import turn
from conversations.store.schema import State
from page.pages import insights
from tests.conversations.talk import mine
from tests.conversations.weeks import weeks
from tests.page.person import assert_fits_phone, picture_folder
from tests.page.test_accessibility import NAMELESS, violations

ME = "session:me"
MARKUP = "![x](http://127.0.0.1:9/leak.png)<img src=/leak>"


def script() -> None:
    from page.pages import insights

    insights.draw()


def page(owner: str = ME) -> AppTest:
    made = AppTest.from_function(script, default_timeout=300)
    made.session_state["owner"] = owner
    app = made.run()
    assert not app.exception
    return app


def reply(**fields: object) -> None:
    """A question and its reply, now."""
    store = mine(ME)
    with store.database.writing() as session:
        found = store.create(session)
        question = turn.add_message(session, found, None, text="hi")
        turn.add_message(session, found, question.id, role="assistant", **fields)


def figures(app: AppTest) -> dict[str, str]:
    return {str(metric.label): str(metric.value) for metric in app.metric}


def titles(app: AppTest) -> list[str]:
    return [str(each.value) for each in app.subheader]


def test_an_empty_store_says_what_will_be_here() -> None:
    app = page()
    assert "Nothing was said in this period" in app.info[0].value
    assert titles(app) == []


def test_the_sums_are_those_of_the_store() -> None:
    for state in (State.DONE, State.DONE, State.DONE, State.FAILED):
        reply(backend="gpt2", completion_tokens=300, state=state, ttft_ms=40.0, tokens_per_second=200.0)
    app = page()
    assert figures(app) == {
        "Conversations": "4",
        "Messages": "8",
        "Tokens written": "1,200",
        "Failed replies": "25.0%",
    }
    assert len(app.get("vega_lite_chart")) == 5
    assert "No thumbs and no votes in this period." in [m.value for m in app.markdown]
    speed = next(t.value for t in app.table if "Tokens a second" in t.value)
    assert speed["Tokens a second"].tolist() == [200.0]


def test_thinking_has_its_own_figures_and_charts() -> None:
    reply(backend="gpt2", completion_tokens=300, thinking_tokens=120, thinking_ms=2500.0, ttft_ms=40.0)
    reply(backend="gpt2", completion_tokens=100, ttft_ms=40.0)
    app = page()
    assert (figures(app)["Tokens written"], figures(app)["Of them thought"]) == ("400", "120")
    assert titles(app)[4:6] == ["Thinking a day", "Time to think"]
    thought = next(t.value for t in app.table if "Tokens thought" in t.value)
    assert (thought["Tokens thought"].tolist(), thought["Seconds"].tolist()) == ([120], [2.5])


def test_the_period_is_chosen_and_others_are_never_counted() -> None:
    count = weeks(mine(ME), days=60)
    app = page()
    fewer = int(figures(app)["Messages"].replace(",", ""))
    app.button_group(key="period").set_value("All").run()
    assert int(figures(app)["Messages"].replace(",", "")) == count > fewer
    assert page("session:other").info


def test_every_chart_is_told_and_has_its_table() -> None:
    weeks(mine(ME))
    app = page()
    told = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert len(told) == len(app.table) == len(titles(app)) == 6
    assert told[3].startswith("Speed: ")
    assert ", openai 8" in told[3]


@pytest.mark.browser
def test_a_browser_draws_them_and_fetches_nothing_elsewhere(gpt2: str, chromium: Browser, tmp_path: Path) -> None:
    asked: list[str] = []
    with chromium.new_context(viewport={"width": 1200, "height": 1400}, timezone_id="America/New_York") as context:
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        weeks(mine(name(tab, gpt2)))
        tab.goto(f"{gpt2}/insights")
        expect(tab.locator(".stVegaLiteChart canvas, .stVegaLiteChart svg")).to_have_count(6)
        tab.wait_for_timeout(500)  # its animation
        tab.screenshot(path=picture_folder(tmp_path, bool(os.environ.get("UPDATE_DOCS"))) / "insights.png")
        assert list(violations(tab)) == []
        assert tab.evaluate(NAMELESS) == []
        assert_fits_phone(tab)
    assert [url for url in asked if not url.startswith((f"{gpt2}/", "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("days", "first", "last"), [((0,), -6, 1), ((0, 2), -4, 3), ((0, 6), 0, 7), ((0, 29), 0, 30), ((0, 3, 400), 0, 401)]
)
def test_an_axis_of_days_has_a_week_at_least(days: tuple[int, ...], first: int, last: int) -> None:
    begin = date(2026, 3, 1)
    rows = [{"Day": begin + timedelta(days=day), "Messages": 1, "Whose": "yours"} for day in days]
    spec = insights.daily_spec("Messages", insights.colour_scale("Whose", ["yours"]), rows)
    ends = [
        date(each["year"], each["month"], each["date"]) - begin for each in spec["encoding"]["x"]["scale"]["domain"]
    ]
    assert [end.days for end in ends] == [first, last]


@pytest.mark.browser
def test_a_single_day_has_a_bar_and_no_block(gpt2: str, tab: Page) -> None:
    store = mine(name(tab, gpt2))
    with store.database.writing() as session:
        turn.add_message(session, store.create(session), None, text="hi")
    tab.goto(f"{gpt2}/insights")
    chart = tab.locator(".stVegaLiteChart svg").first
    bar = chart.locator(".mark-rect.role-mark path")
    expect(bar).to_have_count(1)
    tab.wait_for_timeout(500)  # its animation
    whole, part = chart.bounding_box(), bar.bounding_box()
    assert whole
    assert part
    share = part["width"] / whole["width"]
    assert 0.08 < share < 0.16  # a seventh of the axis


@pytest.mark.browser
def test_an_imported_name_is_no_markup(gpt2: str, tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    store = mine(name(tab, gpt2))
    with store.database.writing() as session:
        found = store.create(session)
        question = turn.add_message(session, found, None, text="hi")
        turn.add_message(
            session, found, question.id, role="assistant", backend=MARKUP, completion_tokens=3, ttft_ms=4.0
        )
    tab.goto(f"{gpt2}/insights")
    tab.get_by_text("As a table").nth(1).click()
    expect(tab.get_by_role("cell").filter(has_text="leak.png)<img")).to_be_visible()
    assert not [url for url in asked if "leak" in url]


def name(tab: Page, address: str) -> str:
    """Whose page it is, as About tells him."""
    tab.goto(f"{address}/about")
    tab.get_by_text("Show my name").click()
    command = tab.get_by_test_id("stCode").filter(has_text="--owner").inner_text()
    return command.split("--owner")[1].split()[0]
