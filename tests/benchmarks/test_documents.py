"""The benchmark of documents at a tiny size: what it measures and reports; never its speed."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from benchmarks import documents


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = documents.main(list(arguments))
    return status, out.getvalue(), err.getvalue()


def test_pages_are_added_and_searched() -> None:
    status, out, err = run("add", "search", "quality", "--pages", "12", "--passages", "60", "--json")
    assert (status, err) == (0, "")
    report: dict[str, Any] = json.loads(out)
    assert list(report) == ["add", "search", "quality"]
    assert report["add"]["pages"] == 12
    assert report["add"]["passages"] >= 24
    assert report["search"]["passages"] >= 60
    assert 0 < report["search"]["median ms"] <= report["search"]["slowest ms"]
    assert report["quality"]["questions"] == 40
    assert len(report["quality"]) == 1 + len(documents.LENGTHS)


def test_a_reply_runs_beside_it(fresh_backends: None) -> None:
    rates = [documents.rate(lambda: documents.script(20))]
    assert rates[0] > 0
    assert documents.format_share([50.0], 100.0) == "50%"


def test_what_fails_beside_it_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        documents.rate(lambda: 1 // 0)


def test_the_table_has_a_line_for_each_figure() -> None:
    status, out, _ = run("quality")
    assert status == 0
    title, first, *rest = out.splitlines()
    assert (title, first.split()) == ("the right passage is found", ["questions", "40"])
    assert len(rest) == len(documents.LENGTHS)


@pytest.mark.parametrize("name", ["pages", "passages", "rounds"])
def test_a_wrong_option_is_one_line(name: str) -> None:
    assert run(f"--{name}", "0") == (2, "", f"benchmark: --{name} 0: 1 or more\n")
