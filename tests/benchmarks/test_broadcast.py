"""The benchmark of notes between processes, very short: what it reports; never its speed."""

import json

import pytest

from benchmarks import broadcast
from benchmarks.postgresql import Server


def test_every_note_is_heard_and_counted(postgresql_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with postgresql_server.database() as url:
        assert broadcast.main(["--url", url, "--writers", "2", "--seconds", "0.05", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["delay_ms"] > 0
        assert list(report["per_second"]) == ["1", "25"]
        assert report["per_second"]["25"]["notes"] >= 25
        assert broadcast.main(["--url", url, "--seconds", "0.05"]) == 0
        assert "watched replies" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["nonsense", "postgresql+psycopg:///none?host=/nowhere"])
def test_a_database_that_does_not_answer_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert broadcast.main(["--url", url]) != 0
    assert "--url" in capsys.readouterr().err
