"""The benchmark of a full window at a small size, on each backend: what it counts, and that our cut holds its aim."""

import argparse
import json
from typing import Any

import pytest

from benchmarks import window
from tests.conftest import GGUF

SIZES = {"message": 60, "reply": 8, "window": 384, "turns": 9, "spread": 0.0}
OTHERS: dict[
    str, dict[str, int]
] = {  # the window of gpt2 is its model's, and what a server's messages take is estimated
    "gpt2": {"message": 165, "window": 1024, "turns": 5},
    "server": {"window": 576},
}


@pytest.fixture
def measured(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> dict[str, dict[str, Any]]:
    """The rows of one backend. The variables that the benchmark sets are put back."""
    for name in ("OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_N_CTX", "OPENAI_BASE_URL", "LLAMACPP_N_CTX"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    args = argparse.Namespace(**SIZES | OTHERS.get(request.param, {}), backends=[request.param], json=False)
    [(name, rows)] = window.measure_all(args).items()
    assert name == request.param
    assert any(line.startswith(f"{name} kept") for line in window.lines({name: rows}, args))
    measured: dict[str, dict[str, Any]] = rows
    return measured


@pytest.mark.parametrize(
    "measured", ["llamacpp", "gpt2", pytest.param("server", marks=pytest.mark.server)], indirect=True
)
def test_a_full_window_computes_a_third_of_what_a_cut_that_moves_each_time_does(
    measured: dict[str, dict[str, Any]],
) -> None:
    assert measured["least"]["cuts"] >= 5
    assert measured["least"]["median"] > 200
    for cut in ("kept", "sent"):
        assert measured[cut]["ratio"] < 0.34
        assert measured[cut]["cuts"] <= 3
        assert measured[cut]["used"] > 0.5
        assert measured[cut]["least_used"] > 0.25


def test_a_wrong_size_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert window.main(["server", "--turns", "0"]) == 2
    assert window.main(["server", "--spread", "1.5"]) == 2
    assert [line.count("--") for line in capsys.readouterr().err.splitlines()] == [1, 1]


def test_json_has_the_same_rows() -> None:
    row = window.summary([window.Turn(100, 40, 1), window.Turn(80, 80, 3), window.Turn(90, 10, 3)], 100)
    assert json.loads(json.dumps(row)) == {
        "computed": 130, "median": 40, "cuts": 2, "used": 0.9, "least_used": 0.8,
    }  # fmt: skip
