"""The tabs' benchmark at a tiny size, over the real page: a tab sees what a browser sees; never its speed."""

import argparse
import asyncio
import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from benchmarks import tab_load, tabs
from benchmarks.browser_tab import LOADING, Tab
from benchmarks.scripted_server import prompt_for, reply_words
from conversations.store.database import Database
from conversations.store.store import Store
from identity import cookies
from settings import Settings

Page = tuple[str, psutil.Process, str]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Address, process and database of one page for all tests, each of which is another browser."""
    database = f"sqlite:///{tmp_path_factory.mktemp('tabs')}/tabs.db"
    with tab_load.start_page(database) as (address, process):
        yield address, process, database


def kept(database: str, tab: Tab) -> list[str]:
    """What the store holds of this browser's one conversation."""
    badge = cookies(Settings(cookie_secret=SecretStr(tab_load.SECRET))).read(tab.cookies)
    assert badge is not None
    opened = Database(database)
    mine = Store(opened, badge.owner)
    [one] = mine.listing()
    texts = [message.text for message in mine.thread(one.id).messages]
    opened.close()
    return texts


@pytest.mark.server
def test_what_a_tab_shows_is_what_the_store_holds(page: Page) -> None:
    address, _, database = page

    async def talked() -> tuple[Tab, list[str], list[str], list[str]]:
        async with Tab(address) as tab, Tab(address) as other:
            await tab.until(lambda: tab.loaded, "the page")
            await other.until(lambda: other.loaded, "the page")
            await tab.say(prompt_for(25, 20))
            await tab.until(lambda: "word3 " in "".join(tab.texts), "a part of the reply")
            assert tab_load.is_watching(tab)
            part = tab.texts
            await tab.until(lambda: not tab_load.is_watching(tab), "a page that rests")
            await tab.until(lambda: "".join(reply_words(25)).strip() in map(str.strip, tab.texts), "the whole reply")
            assert tab.tick is None
            assert all(interval == LOADING for interval, _ in tab.answers), "nothing else is looked at again"
            return tab, part, tab.texts, other.texts

    tab, part, shown, strange = asyncio.run(talked())
    asked, answered = kept(database, tab)
    assert (asked, answered.strip()) == (prompt_for(25, 20), "".join(reply_words(25)).strip())
    texts = [text.strip() for text in shown]
    assert texts.index(asked) < texts.index(answered.strip())
    [live] = [text for text in part if text.startswith("word0 ")]
    assert 0 < len(live) < len(answered)
    assert answered.startswith(live.strip())
    assert not any("word" in text for text in strange), "another browser sees nothing of it"


@pytest.mark.server
def test_a_tab_without_a_page_says_so(page: Page) -> None:
    async def waits() -> None:
        async with Tab(page[0]) as tab:
            await tab.until(lambda: False, "what never comes", 0.01)

    with pytest.raises(ValueError, match=r"a tab waited 0\.01 s for what never comes"):
        asyncio.run(waits())


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = tabs.main([*arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.server
def test_the_report(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab_load, "SETTLE", 0.1)
    monkeypatch.setattr(tab_load, "LONGEST", 5)
    args = argparse.Namespace(seconds=0.7, rate=20, after=0.0, each=2, idle=False)
    report = tabs.report([asyncio.run(tab_load.measure_page(2, args, *page[:2]))], args)
    [row] = report["rows"]
    assert row["tabs"] == 4
    assert row["watching"]["following"] == 4
    assert all(50 < megabytes < 5000 for megabytes in row["memory"].values())
    assert list(row["memory"]) == ["before", "open", "talked", "watching", "closed"]
    assert row["idle"]["answers_per_second"] == 0
    assert row["watching"]["answers_per_second"] > 0
    assert 0 < row["watching"]["median_ms"] <= row["watching"]["p95_ms"]
    assert row["watching"]["percent"] > 0
    assert all(row[load]["percent"] >= 0 for load in ("idle", "away"))  # a clock of 10 ms may miss what takes less
    title, _, _, line, *rest = tabs.lines(report)
    assert title.startswith("Tabs of one process")
    assert line.split()[0] == "4"
    assert len(rest) == 3


@pytest.mark.server
def test_tabs_that_rest_alone(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab_load, "SETTLE", 0.1)
    args = argparse.Namespace(seconds=0.5, rate=20, after=0.0, each=1, idle=True)
    report = tabs.report([asyncio.run(tab_load.measure_page(2, args, *page[:2]))], args)
    assert list(report["rows"][0]) == ["tabs", "memory", "idle"]
    assert "watching" not in report
    _, _, _, line, *rest = tabs.lines(report)
    assert line.split()[0] == "2"
    assert [each.split(":")[0] for each in rest[1:]] == ["idle"]


def test_how_many_tabs_a_process_bears() -> None:
    rows: list[dict[str, Any]] = [{"tabs": count, "idle": {"percent": percent, "p95_ms": late}}
            for count, percent, late in ((10, 5.0, 20.0), (50, 30.0, 300.0), (100, 99.0, 900.0))]  # fmt: skip
    assert tabs.capacity(rows, "idle") == {"percent_per_tab": 0.6, "in_time": 50, "late": 100}
    assert tabs.capacity([{**rows[0], "idle": {**rows[0]["idle"], "following": 9}}], "idle")["late"] == 10
    assert tabs.capacity([{"tabs": 10, "idle": {"percent": 80.0}}], "idle")["late"] == 10, "no tick was answered"
    assert tabs.capacity(rows[2:], "idle") == {"percent_per_tab": 0.99, "in_time": 0, "late": 100}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tabs", "3", "0"], "benchmark: --tabs 0: 1 or more\n"),
        (["--seconds", "0"], "benchmark: --seconds 0: 0.1 or more\n"),
        (["--rate", "0"], "benchmark: --rate 0: 1 or more\n"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], said: str) -> None:
    assert run(*arguments) == (2, "", said)
