"""`python -m benchmarks` at a tiny size, on the shipped model: what it writes and leaves behind; never its speed."""

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import psutil
import pytest
from tokenizers import Tokenizer

from benchmarks import __main__ as everything
from benchmarks import models
from benchmarks.contenders import Contender, Message, Reply, Task, messages_of
from benchmarks.contenders.server import parse_reply
from benchmarks.measure import Plan, Run
from benchmarks.process import BrokenError, error_line, start_contender
from benchmarks.worker import wave
from settings import DEFAULT_MODEL, ROOT

pytestmark = pytest.mark.server

MINE = ["llamacpp-chain", "llamacpp-engine"]
SMALL = ["--quick", "--only", *MINE, "--chats", "1,2", "--tokens", "8"]
ALONE = Task("llamacpp-engine", str(models.shipped().gguf), 2, 1024, 2)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = everything.main(list(arguments))
    return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run's folder."""
    folder = tmp_path_factory.mktemp("run")
    status, said, told = run(*SMALL, "--out", str(folder))
    assert status == 0, told
    assert said == (folder / "results.md").read_text() + "\n"
    return folder


@pytest.fixture
def results(out: Path) -> Any:
    """Its JSON."""
    return json.loads((out / "results.json").read_text())


def test_each_contender_is_measured(results: Any) -> None:
    assert [row["contender"] for row in results["rows"]] == MINE
    assert (results["failures"], results["left_out"]) == ({}, {})
    for row in results["rows"]:
        for chats, waves in row["loads"].items():
            assert [wave["tokens"] for wave in waves] == [8 * int(chats)] * (4 // int(chats))
            assert all(0 < first <= wave["seconds"] for wave in waves for first in wave["firsts"])
            assert {len(wave["firsts"]) for wave in waves} == {int(chats)}
        assert list(row["loads"]) == ["1", "2"]
        assert [sorted(turn) for turn in row["turns"]["800"]] == [["cold", "second"]]
        assert row["start"] > 0
        assert "CPU :" in row["facts"]["system_info"]
    assert results["rows"][0]["ask"] > 0
    assert "ask" not in results["rows"][1]


def test_nothing_of_this_machine_is_told(out: Path) -> None:
    for name in ("results.json", "results.md"):
        text = (out / name).read_text()
        assert str(ROOT) not in text
        assert str(out) not in text
        assert "python -m benchmarks --quick --only llamacpp-chain llamacpp-engine --chats 1,2 --tokens 8" in text


def test_tables_and_plot_can_be_made_again(out: Path, tmp_path: Path) -> None:
    status, _, told = run("--from", str(out / "results.json"), "--out", str(tmp_path))
    assert (status, told) == (0, "")
    assert (tmp_path / "results.md").read_text() == (out / "results.md").read_text()
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_a_contender_that_fails_ends_no_run(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"nothing")
    plan = Plan(tuple(MINE[1:]), (1,), (), 4, 2, 1, 2, tmp_path, None)
    found = Run(plan)
    rows = list(found.rounds([models.Model("broken", "", broken, DEFAULT_MODEL)]))
    assert [row["loads"] for row in rows] == [{}, {}]
    assert list(found.failures) == ["broken/llamacpp-engine/1 chats"]
    assert "broken.gguf is not a GGUF file" in found.failures["broken/llamacpp-engine/1 chats"]
    assert str(tmp_path) not in str(found.failures)


def test_a_contender_that_dies_is_told_and_gone(tmp_path: Path) -> None:
    with start_contender(ALONE, sys.executable, {}, tmp_path) as process:
        assert process.order("first", text="Hello.", tokens=2)["at"] > process.began
        psutil.Process(process.number).send_signal(signal.SIGABRT)
        with pytest.raises(BrokenError, match=r"aborts \(SIGABRT\)"):
            process.order("first", text="Hello.", tokens=2)
    assert not psutil.pid_exists(process.number)


def test_an_interrupted_run_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", *SMALL, "--rounds", "1000", "--out", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        it, children = psutil.Process(process.pid), list[psutil.Process]()
        while not children and process.poll() is None:
            time.sleep(0.05)
            children = it.children(recursive=True)
        process.terminate()
        _, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert children
    end = time.monotonic() + 300
    while any(map(lives, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(lives, children))


def lives(process: psutil.Process) -> bool:
    """Whether it is more than an entry in a table."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Told(Contender):
    """One whose replies are shorter than was asked."""

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """Half of it."""
        return Reply("x", 0.1, tokens // 2)


async def test_short_replies_are_no_measure() -> None:
    with pytest.raises(ValueError, match="8 tokens instead of 16: the end of replies is not suppressed"):
        await wave(Told(), [messages_of("a"), messages_of("b")], 8)


HEAD = "HTTP/1.1 {}\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
LINES = ['{"choices":[{"delta":{"role":"assistant","content":null}}]}', '{"choices":[{"delta":{"content":"é"}}]}',
         '{"choices":[{"delta":{"content":"a"}}]}', '{"choices":[],"usage":{"completion_tokens":7}}']  # fmt: skip


def sent(status: str) -> list[tuple[float, bytes]]:
    """A stream as the server sends it, a line each second."""
    lines = [f"data: {line}\n\n".encode() for line in LINES]
    chunks = [f"{len(line):x}\r\n".encode() + line + b"\r\n" for line in lines]
    whole = [HEAD.format(status).encode(), *chunks, b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]
    return [(float(second), part) for second, part in enumerate(whole)]


def test_the_servers_first_text_is_timed_not_its_first_line() -> None:
    assert parse_reply(sent("200 OK")) == Reply("éa", 2.0, 7)
    with pytest.raises(ValueError, match="answered 503"):
        parse_reply(sent("503 Busy"))


def test_the_filled_vocabulary_cuts_no_text_otherwise() -> None:
    path = DEFAULT_MODEL / "tokenizer.json"
    bpe = json.loads(path.read_text(encoding="utf-8"))
    size = Tokenizer.from_file(str(path)).get_vocab_size()
    more = models.fill_vocabulary(bpe["model"]["vocab"], size)
    assert sorted(more.values()) == list(range(size, models.VOCABULARY))
    assert not more.keys() & bpe["model"]["vocab"].keys()
    bpe["model"]["vocab"] |= more
    text = "<|user|>What a day, tell me all about the garden of your brother.<|end|>"
    filled, plain = Tokenizer.from_str(json.dumps(bpe)), Tokenizer.from_file(str(path))
    assert filled.encode(text).ids == plain.encode(text).ids
    assert filled.get_vocab_size() == models.VOCABULARY


def test_the_last_words_are_those_that_tell() -> None:
    assert error_line("loading\n/a/b.cpp:1: GGML_ASSERT(x) failed\n[New LWP 7]\n") == "b.cpp:1: GGML_ASSERT(x) failed"
    assert error_line("Traceback\nValueError: /home/me/x.gguf is bad\n\n") == "ValueError: x.gguf is bad"
    assert error_line("") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "0"], "benchmark: --rounds 0: 1 or more\n"),
        (["--from", "none.json"], "benchmark: [Errno 2] No such file or directory: 'none.json'\n"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    assert run(*arguments, "--out", str(tmp_path)) == (2, "", said)


def test_other_json_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1]")
    status, _, told = run("--from", str(tmp_path / "x.json"), "--out", str(tmp_path))
    assert (status, told.count("\n")) == (2, 1)
    assert told.endswith("no results of this benchmark; name a results.json\n")


def test_a_contender_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LLAMA_SERVER_BIN", raising=False)
    status, _, told = run("--quick", "--only", "llama-server", "--out", str(tmp_path))
    assert status == 2
    assert "LLAMA_SERVER_BIN names no program; benchmarks/README.md says how it is built" in told
