"""The replicas' benchmark: figures, table and refusals. What it starts is tested in tests/deploy/test_ray.py."""

import io
from contextlib import redirect_stderr

import pytest

from benchmarks import replicas
from benchmarks.targets import Answer, Load, Round, ServerTarget

LOAD = Load(streamed=True, streams=2, requests=4, tokens=10)
SECONDS = {"plain": (1.0, 2.0, 1.0), "one": (2.0, 2.0, 4.0), "two": (1.0, 1.0, 1.0)}


def turns() -> list[dict[str, Round]]:
    """Three rounds, whose times are known."""
    return [
        {name: Round([Answer("x", taken[at] / 2)] * LOAD.requests, taken[at], 0) for name, taken in SECONDS.items()}
        for at in range(3)
    ]


def test_figures_are_medians_and_ratios_are_taken_within_a_round() -> None:
    row = replicas.summarize(LOAD, turns())
    assert row["tokens_per_second"] == {"plain": 40.0, "one": 20.0, "two": 40.0}
    assert row["requests_per_second"] == {"plain": 4.0, "one": 2.0, "two": 4.0}
    assert row["first_ms"] == {"plain": 500.0, "one": 1000.0, "two": 500.0}
    assert row["ratios"] == {"one / plain": 0.5, "two / one": 2.0, "two / plain": 1.0}
    report = {"backend": "llamacpp", "tokens": 10, "rounds": 3, "cores": 2, "loads": {"2": row}}
    title, kinds, names, line = replicas.lines(report)
    assert title.startswith("llamacpp, streams of 10 tokens, medians of 3 rounds, 2 cores")
    assert len(kinds) == len(line) == len(names) + 13 * len(replicas.RATIOS)
    assert line.split() == ["2", "40", "20", "40", "4.0", "2.0", "4.0", "500", "1000", "500", "0.50", "2.00", "1.00"]


class Noted(ServerTarget):
    """A side that notes when it was asked."""

    def __init__(self, name: str, order: list[str]) -> None:
        self._name, self._order = name, order

    def measure(self, load: Load) -> Round:
        """A round of one second."""
        self._order.append(self._name)
        return Round([Answer("x", 0.5)] * load.requests, 1.0, 0)


def test_the_order_turns_round() -> None:
    order = list[str]()
    replicas.run_rounds({name: Noted(name, order) for name in replicas.TARGETS}, LOAD, 2)
    assert order == ["plain", "one", "two", "two", "one", "plain"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--streams", "8", "0"], "benchmark: --streams 0: 1 or more\n"),
        (["--rounds", "0"], "benchmark: --rounds 0: 1 or more\n"),
        (["--backend", "nonsense"], "benchmark: --backend=nonsense: there is no such backend."),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], said: str) -> None:
    with redirect_stderr(io.StringIO()) as told:
        assert replicas.main(arguments) == 2
    assert told.getvalue().startswith(said)
    assert told.getvalue().count("\n") == 1
