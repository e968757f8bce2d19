"""The arithmetic of docs/scaling.md: what it says is what the command prints."""

import subprocess
import sys

import pytest

from benchmarks.sizing import DAY, IDLE, RATE, WATCHING, Load, Replica, cost, gigabytes, pages, replicas, tabs
from settings import ROOT

ONE = Replica("one", 100, 2)


def printed(*options: str) -> str:
    """What the command says."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sizing", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else done.stderr


def test_the_document_holds_what_the_command_prints() -> None:
    assert printed() in (ROOT / "docs" / "scaling.md").read_text()


def test_replicas_follow_the_peak() -> None:
    load = Load(messages=1, tokens=100, peak=1, full=0.5, minutes=1)
    assert replicas(1, load, ONE) == 1
    assert replicas(DAY, load, ONE) == 2  # a reply a second, 100 tokens, of which half a replica's 100 are allowed
    assert replicas(10 * DAY, load, ONE) == 20
    assert tabs(DAY // 60, load) == 1
    assert pages(600 * DAY, load) == pytest.approx((600 * 60 * IDLE + 600 * 100 / RATE * WATCHING) / 0.5, abs=1)
    assert gigabytes(1000, load) == pytest.approx(2 * gigabytes(500, load))


def test_a_million_tokens_costs_the_cores_for_as_long_as_they_take() -> None:
    load = Load(full=1)
    assert cost(ONE, load, price=3.6) == pytest.approx(2 * 3.6 * (1e6 / 100) / 3600)
    assert cost(ONE, Load(full=0.5), price=3.6) == pytest.approx(2 * cost(ONE, load, price=3.6))


def test_a_replica_of_ones_own() -> None:
    own = printed("--backend", "mine", "--speed", "1000", "--cores", "4", "--users", "5000")
    assert "| mine | 1,000 | 4 |" in own
    assert "llamacpp" not in own
    assert printed("--peak", "0") == "sizing: every figure has to be above 0\n"
