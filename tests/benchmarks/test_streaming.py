"""The benchmark of streams at a tiny size, over real servers: what it asks, checks and reports; never its speed."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from benchmarks import streaming
from settings import ROOT

SMALL = ["--streams", "2", "--tokens", "4", "--rounds", "1"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are told apart by Linux")


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = streaming.main([*SMALL, *arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.server
def test_two_checkouts_are_measured_in_turns() -> None:
    status, out, err = run("--json", "--beside", str(ROOT))
    assert (status, err) == (0, "")
    report: dict[str, Any] = json.loads(out)
    row = report["streams"]["2"]
    assert "ratio" in row
    for side in ("this", "before"):
        assert row[side]["slowest_by_median"] >= 1
        assert row[side]["seconds"] > 0
    title, _, *table = streaming.lines({**report, "streams": {2: row}})
    assert title.startswith("openai, replies of 4 tokens, medians of 1 rounds")
    assert [line.split()[-4:-3] for line in table[:2]] == [["this"], ["before"]]


@pytest.mark.server
def test_an_engine_in_the_process_is_left_out() -> None:
    status, out, err = run("--json", "--backend", "llamacpp", "--tokens", "64")
    assert (status, err) == (0, "")
    assert json.loads(out)["streams"]["2"]["this"]["seconds"] > 0


def test_a_wrong_number_is_told() -> None:
    status, _, err = run("--tokens", "0")
    assert status == 2
    assert "--tokens 0: 1 or more" in err
