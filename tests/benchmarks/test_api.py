"""The API's benchmark at a tiny size, over a real server: what it asks, checks and reports; never its speed."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from benchmarks import api
from benchmarks.targets import Answer, Load, Round, parse_answer

SMALL = ["--backend", "llamacpp", "--requests", "2", "--streams", "2", "--tokens", "4", "--rounds", "1"]
LOADS = [f"{kind}, {count} at once" for kind in ("one token", "whole", "streamed") for count in (1, 2)]


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = api.main([*SMALL, *arguments])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.server
def test_both_sides_answer_the_same_and_are_measured() -> None:
    status, out, err = run("--json")
    assert (status, err) == (0, "")
    report: dict[str, Any] = json.loads(out)
    assert list(report["loads"]) == LOADS
    assert report["same_words"], "the same seeds give the same words through the API"
    for label, row in report["loads"].items():
        assert min(row["request_ms"][side] for side in ("chain", "api")) > 0
        assert min(row["processor_ms"][side] for side in ("chain", "api")) >= 0
        assert row["throughput"] > 0
        assert (row["first_ms"] is not None) == label.startswith("streamed")
        if row["first_ms"]:
            assert 0 < row["first_ms"]["api"] <= 2 * row["request_ms"]["api"] + 1
    title, *table = api.lines(report)
    assert title.startswith("llamacpp, replies of 4 tokens, medians of 1 rounds")
    assert [line[:22].rstrip() for line in table[2:]] == LOADS


class Told:
    """A side whose rounds are known beforehand."""

    def __init__(self, *seconds: float) -> None:
        self.left = list(seconds)

    def measure(self, load: Load) -> Round:
        """The next one."""
        taken = self.left.pop(0)
        return Round([Answer("x", taken / 2)] * load.requests, taken, taken * 2, 0.001)


def test_figures_are_medians_of_pairs() -> None:
    load = Load(streamed=True, streams=1, requests=2, tokens=10)
    row = api.summarize(load, api.run_rounds(Told(1.0, 2.0, 1.0), Told(1.5, 2.2, 1.1), load, 3))
    assert row["request_ms"] == {"chain": 500.0, "api": 750.0, "cost": 100.0}
    assert row["tokens_per_second"] == {"chain": 20.0, "api": 13.33, "cost": -1.82}
    assert row["throughput"] == 0.9091
    assert row["first_ms"] == {"chain": 500.0, "api": 750.0, "cost": 100.0}


BODY = (b'data: {"choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\u00e9a"}}],"usage":null}\n\n',
        b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\ndata: [DONE]\n\n')  # fmt: skip


def sent(status: str, *parts: bytes) -> list[tuple[float, bytes]]:
    """An answer as it comes from the network, a part each second."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {sum(map(len, parts))}\r\nConnection: close\r\n\r\n".encode()
    return [(0.5, head), *((second, part) for second, part in enumerate(parts, 1))]


def test_the_first_text_is_timed_not_the_first_byte() -> None:
    load = Load(streamed=True, streams=1, requests=1, tokens=2)
    assert parse_answer(load, sent("200 OK", *BODY)) == Answer("\u00e9a", 2)


@pytest.mark.parametrize(
    ("tokens", "status", "body", "said"),
    [
        (3, "200 OK", BODY, "2 tokens instead of 3"),
        (2, "401 No", (b'{"error":{"message":"A key is needed."}}',), "answered 401: A key is needed."),
        (2, "200 OK", (BODY[0], b'data: {"error":{"message":"It broke."}}\n\n'), "broke off: It broke."),
    ],
)
def test_no_failure_is_taken_for_a_fast_answer(tokens: int, status: str, body: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_answer(Load(streamed=True, streams=1, requests=1, tokens=tokens), sent(status, *body))


@pytest.mark.server
def test_an_api_that_does_not_start_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICT_MODE", "neither")
    status, out, err = run()
    assert (status, out) == (2, "")
    assert err.startswith("benchmark: the API did not start: PREDICT_MODE=neither: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--streams", "0"], "benchmark: --streams 0: 1 or more\n"),
        (["--tokens", "-1"], "benchmark: --tokens -1: 1 or more\n"),
        (["--backend", "nonsense"], "benchmark: --backend=nonsense: there is no such backend. Known: gpt2, llamacpp,"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(said)
    assert err.count("\n") == 1
