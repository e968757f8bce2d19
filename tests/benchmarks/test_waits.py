"""The benchmark of what a person waits for, at a tiny size, in a real browser; never its speed."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from benchmarks import waits


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = waits.main([*arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.browser
@pytest.mark.server
def test_a_round_of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path(waits.CHROMIUM).exists():
        pytest.skip(f"no Chromium at {waits.CHROMIUM}")
    monkeypatch.setattr(waits, "TIMES", 1)
    status, out, err = run("--rounds", "1", "--messages", "60", "--backend", "openai", "--json")
    assert (status, err) == (0, "")
    [(name, seconds)] = json.loads(out)["seconds"].items()
    assert name == "this"
    assert {what: len(each) for what, each in seconds.items()} == dict.fromkeys(waits.NAMES, 1)
    assert all(0 < second < 600 for each in seconds.values() for second in each)


def test_the_report_beside_another_checkout() -> None:
    seconds = {"this": {what: [1.0, 2.0, 4.0] for what in waits.NAMES}, "before": {what: [4.0] for what in waits.NAMES}}
    title, *rest = waits.lines({"cores": 2, "backend": "openai", "messages": 60, "seconds": seconds})
    assert title == "Seconds in Chromium, openai, 60 messages, 2 cores"
    measured = "this 2.00 (1.00-4.00), before 4.00 (4.00-4.00), ratio 0.50"
    assert rest == [f"{name}: {measured}" for name in waits.NAMES.values()]


@pytest.mark.parametrize("name", ["rounds", "messages"])
def test_a_wrong_option_is_one_line(name: str) -> None:
    assert run(f"--{name}", "0") == (2, "", f"benchmark: --{name} 0: 1 or more\n")


def test_no_browser_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/none")
    assert run() == (2, "", "benchmark: no Chromium at /none: apt install chromium, or name one in CHROMIUM\n")
