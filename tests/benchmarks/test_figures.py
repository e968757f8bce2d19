"""Medians, percentiles, ratios, goals and their tables, from rows whose figures are known."""

from typing import Any

import numpy as np
import pytest

from benchmarks import figures, goals, report
from benchmarks.figures import Figure
from benchmarks.machine import is_same_build, switches
from benchmarks.texts import TextGenerator, count_tokens

INFO = "CPU : AVX = 1 | AVX2 = 1 | "
OTHER = "system_info: n_threads = 2 / 2 | CPU : AVX = 1 |  AVX2 = 1 | FMA = 1 |"


def row(contender: str, number: int, speed: float, *, info: str = INFO, wait: float = 0.1) -> dict[str, Any]:
    """A round in which every load ran at `speed` tokens a second."""
    loads = {
        str(chats): [{"seconds": 10.0 * chats / speed, "tokens": 10 * chats, "firsts": [wait] * chats}]
        for chats in (1, 8)
    }
    return {"round": number, "model": "124M", "contender": contender, "loads": loads, "start": 0.5, "seconds": 60,
            "memory": 2 * 10**8, "turns": {"800": [{"cold": wait, "second": wait / 10}] * 3},
            "facts": {"build": contender, "system_info": info}}  # fmt: skip


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    """As JSON has them."""
    names = list(dict.fromkeys(each["contender"] for each in rows))
    return {"command": "python -m benchmarks", "models": {"124M": "random"}, "rows": list(rows), "left_out": {},
            "failures": {}, "machine": {"cores": 2, "architecture": "x", "features": [], "system": "Linux",
                                        "python": "3", "versions": {"torch": "2"}},
            "options": {"contenders": names, "chats": [1, 8], "histories": [800], "tokens": 10, "rounds": 3,
                        "threads": 2, "window": 1024}}  # fmt: skip


def about(median: float, least: float, most: float) -> Any:
    """A figure as a tuple, but for rounding."""
    return pytest.approx((median, least, most))


def parts(found: Figure | None) -> tuple[float, ...]:
    """Median, least, most."""
    assert found is not None
    return found.median, found.least, found.most


def goal(found: dict[str, Any], start: str) -> goals.Verdict:
    """The first goal that begins so."""
    return next(verdict for verdict in goals.verdicts(found) if verdict.goal.what.startswith(start))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_percentiles_are_numpys(count: int, share: float) -> None:
    values = [float(v) for v in np.random.default_rng(count).normal(size=count)]
    assert figures.percentile(values, share) == pytest.approx(np.quantile(values, share))


def test_a_rate_is_of_all_waves_together() -> None:
    one = {"seconds": 1.0, "tokens": 10, "firsts": [0.1]}
    other = {"seconds": 3.0, "tokens": 10, "firsts": [0.3]}
    found = {"loads": {"1": [one, other]}, "turns": {}}
    assert figures.rate(1)(found) == 5.0
    assert figures.first_token(1)(found) == pytest.approx(0.2)
    assert figures.rate(2)(found) is None
    assert figures.turn_seconds(800, "cold")(found) is None


def test_a_ratio_is_taken_within_a_round() -> None:
    mine = [row("a", 0, 100.0), row("a", 1, 10.0), row("a", 2, 50.0)]
    theirs = [row("b", 1, 5.0), row("b", 0, 100.0)]
    found = figures.ratios(mine, figures.rate(8), theirs, figures.rate(8))
    assert found == pytest.approx([1.0, 2.0])
    assert parts(figures.figure(found)) == about(1.5, 1.0, 2.0)
    assert figures.figure([]) is None


@pytest.mark.parametrize(("speeds", "held"), [((120.0, 130.0, 90.0), True), ((104.0, 100.0, 200.0), False)])
def test_a_goal_is_held_by_the_median_of_the_rounds(speeds: tuple[float, ...], held: bool) -> None:
    mine = [row("llamacpp-chain", number, speed) for number, speed in enumerate(speeds)]
    theirs = [row("llama-server", number, 100.0) for number in range(3)]
    verdict = goal(results(*mine, *theirs), "llamacpp through the chain against llama-server, 1 chat")
    assert verdict.held is held
    assert verdict.figure == figures.figure(speed / 100 for speed in speeds)


def test_less_is_better_where_time_is_meant() -> None:
    found = results(row("llamacpp-chain", 0, 100.0, wait=0.3), row("llama-server", 0, 100.0, wait=0.2))
    verdict = goal(found, "the same, 8 chats: time to first token")
    assert verdict.held is False
    assert parts(verdict.figure) == about(1.5, 1.5, 1.5)
    second = goal(found, "llamacpp, second turn")
    assert second.held is True
    assert parts(second.figure) == about(0.1, 0.1, 0.1)


def test_builds_that_differ_give_no_ratio() -> None:
    found = results(row("llamacpp-chain", 0, 100.0), row("llama-server", 0, 50.0, info=OTHER))
    for verdict in goals.verdicts(found):
        if verdict.goal.other == goals.SERVER:
            assert (verdict.figure, verdict.held) == (None, None)
            assert verdict.reason == "no ratio: the two builds of llama.cpp differ"
    assert goal(found, "llamacpp, second turn").figure is not None
    said = report.markdown(found)
    assert "differ | - |" in said
    assert "FMA = 1" in said


def test_a_build_that_does_not_tell_is_another_one() -> None:
    assert is_same_build(INFO, OTHER.replace(" FMA = 1 |", ""))
    assert not is_same_build(INFO, OTHER)
    assert not is_same_build("", "")
    assert switches(OTHER) == {"AVX = 1", "AVX2 = 1", "FMA = 1"}


def test_what_was_not_measured_is_no_figure() -> None:
    found = results(row("llamacpp-chain", 0, 100.0))
    verdict = goal(found, "llamacpp through the chain against llama-server, 1 chat")
    assert (verdict.held, verdict.reason) == (None, "not measured in the same round")
    assert goal(found, "llamacpp, `cli.py ask`").reason == "shipped was not measured"


def test_the_tables_say_what_was_found() -> None:
    mine = [row("llamacpp-chain", number, speed) for number, speed in enumerate((100.0, 1200.0, 90.0))]
    found = results(*mine, row("ChatLlamaCpp", 0, 40.0))
    del found["rows"][-1]["loads"]["8"]
    found["failures"]["124M/ChatLlamaCpp/8 chats"] = "aborts (SIGABRT): no room"
    found["left_out"]["llama-server"] = "not there"
    said = report.markdown(found)
    assert "windows of 1024; 4 minutes in all." in said
    assert said.startswith("    python -m benchmarks\n\n2 cores, x (), Linux, Python 3, torch 2. Medians of 3 rounds")
    assert "| llamacpp-chain | 100 (90-1,200) | 100 (90-1,200) |" in said
    assert "| ChatLlamaCpp | 40 (40-40) | aborts |" in said
    assert "| llamacpp-chain | 100 / 100 | 100 / 100 |" in said
    assert "| ChatLlamaCpp | 100 / 100 | - |" in said
    assert "| 100 (100-100) | 10 (10-10) | 0.50 (0.50-0.50) | - | 200 (200-200) |" in said
    assert said.endswith(
        "- llama-server (llama.cpp's own server over HTTP): not there\n"
        "- 124M/ChatLlamaCpp/8 chats: aborts (SIGABRT): no room\n"
    )


@pytest.mark.parametrize("tokens", [12, 100, 800])
def test_what_is_said_has_its_length_and_is_said_once_to_each(tokens: int) -> None:
    one, other, later = TextGenerator(1), TextGenerator(1), TextGenerator(2)
    texts = [one.text(tokens) for _ in range(20)]
    assert texts == [other.text(tokens) for _ in range(20)]
    assert texts[0] != later.text(tokens)
    assert len(set(texts)) == 20
    assert all(tokens <= count_tokens(text) <= tokens + 6 for text in texts)
