"""The benchmark of summaries: ten facts each, that the conversations tell themselves, counted by their words."""

import pytest

from benchmarks import summaries
from tests.loopback import Loopback


def test_each_conversation_tells_ten_facts() -> None:
    for asked, judges in summaries.read_conversations():
        assert len(judges) == 10
        assert asked[0].text.startswith("Sum up this conversation")
        assert all(judge(asked[-1].text) for judge in judges)
        assert not any(judge("The user told several things.") for judge in judges)


def test_facts_that_survive_are_counted(loopback: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(body: dict[str, list[dict[str, str]]]) -> str:
        heard = body["messages"][-1]["content"]
        return heard if "Ottokar" in heard else "Marlene has a wedding." if "Marlene" in heard else "A talk."

    loopback.answer = answer
    assert summaries.main(["--only", "server", "--server", loopback.url, "--seeds", "1"]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    assert row == "| server | 1.8 | 0 | 10 |", "ten of ten, one of ten and four times none"


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str], fresh_backends: None) -> None:
    assert summaries.main(["--only", "base", "--base", "none.gguf"]) == 2
    assert "none.gguf" in capsys.readouterr().err
