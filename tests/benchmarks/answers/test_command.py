"""The command that makes the table, at a tiny size: a real model, a server over HTTP; never how many are right."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.answers import __main__ as command
from benchmarks.answers.score import Score, table
from tests.conftest import GGUF
from tests.loopback import Loopback


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert command.main([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_contender_is_asked_every_part(
    capsys: pytest.CaptureFixture[str], loopback: Loopback, fresh_backends: None, tmp_path: Path
) -> None:
    loopback.answer = lambda _: "Hello! Paris, Hanna Voss, 12 and green"
    replies = tmp_path / "replies.jsonl"
    options = [
        "--base",
        str(GGUF),
        "--server",
        loopback.url,
        "--seeds",
        "2",
        "--every",
        "20",
        "--top",
        "1",
        "--window",
        "1024",
    ]
    rows = run(capsys, *options, "--only", "base", "server", "--replies", str(replies))
    assert {row["contender"] for row in rows} == {"base", "server"}
    asked = {row["part"]: row["asked"] for row in rows if row["contender"] == "server"}
    assert asked == {"openings": 4, "facts": 6, "given": 4, "found": 4, "personas": 10}
    right = {row["part"]: row["right"] for row in rows if row["contender"] == "server"}
    assert (right["openings"], right["facts"]) == (2, 2), "Hi! and the capital of France, with both seeds"
    assert {request["seed"] for request in loopback.requests} == {1, 2}
    assert not {"temperature", "top_p"} & set(loopback.requests[0]), "the server samples as it does"
    assert max(len(request["messages"]) for request in loopback.requests) == 10, "five turns and the system prompt"
    logged = [json.loads(line) for line in replies.read_text(encoding="utf-8").splitlines()]
    assert len(logged) == sum(row["asked"] for row in rows)
    assert sum(row["counts"] for row in logged) == sum(row["right"] for row in rows)
    assert run(capsys, "--from", str(replies)) == rows, "the table again, from what was kept"


def test_sampling_options_make_rows_of_their_own(capsys: pytest.CaptureFixture[str], fresh_backends: None) -> None:
    options = ["--only", "shipped", "--parts", "facts", "--every", "30", "--seeds", "2"]
    rows = run(capsys, *options, "--options", "temperature=0", "top_k=5,repeat_last_n=-1")
    assert [row["contender"] for row in rows] == [
        'shipped, {"temperature": 0.0}',
        'shipped, {"top_k": 5, "repeat_last_n": -1}',
    ]
    assert rows[0]["spread"] == 0, "without chance each seed says the same"


def test_the_table_has_a_row_for_each_contender() -> None:
    lines = list(table([Score("a", "facts", 3, 6, 0.5), Score("a", "given", 1, 6, 0), Score("b", "given", 2, 6, 0)]))
    assert lines[0] == "| | facts | given |"
    assert lines[2:] == ["| a | 3 of 6 (±0.5) | 1 of 6 (±0.0) |", "| b |  | 2 of 6 (±0.0) |"]


@pytest.mark.parametrize(
    ("options", "named"), [(["--options", "warm"], "warm"), (["--base", "none.gguf"], "none.gguf")]
)
def test_a_wrong_option_is_one_line(options: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = command.main(["--only", "base", "--parts", "facts", "--every", "60", *options])
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]
