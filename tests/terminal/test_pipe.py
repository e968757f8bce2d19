"""`chat` and `ask` between pipes: plain text, exit codes, and nothing that a terminal would obey."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conversations.exchange import export_conversation, import_conversation
from settings import ROOT
from tests.conversations.talk import mine, texts, wait_for
from tests.loopback import Loopback
from tests.terminal.conftest import Run, run_process


def test_each_line_is_a_message(run: Run, loopback: Loopback) -> None:
    done = run("chat", said="hi\n\nhow are\\\nyou?\n/backend\nexit\nnot read\n", LLM_BACKEND="openai")
    assert done.code == 0
    replies = done.out.splitlines()
    assert [line.strip() for line in replies[:2]] == [loopback.reply] * 2
    assert "*\topenai\tready" in replies
    assert done.err == "openai · 6 tokens\n" * 2 or "tokens/s" in done.err
    assert "\x1b" not in done.out + done.err
    [kept] = mine("terminal").listing()
    assert texts(mine("terminal"), kept.id)[::2] == ["hi", "how are\nyou?"]
    assert [len(r["messages"]) for r in loopback.requests] == [2, 4]


def test_nothing_of_a_temporary_chat_is_kept(run: Run, loopback: Loopback) -> None:
    done = run("chat", "--temporary", said="What is a Quetzalcoatlus?\nhow big?\n/reset\n", LLM_BACKEND="openai")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "A new conversation begins."
    assert [len(r["messages"]) for r in loopback.requests] == [2, 4]  # it is remembered as long as it lasts
    database = mine("terminal").database
    assert mine("terminal").listing() == []
    assert database.file is not None
    assert not [path for path in database.file.parent.iterdir() if b"uetzalcoatlus" in path.read_bytes()]
    refused = run("chat", "--temporary", "--resume", LLM_BACKEND="openai")
    assert (refused.code, refused.err.splitlines()) == (
        2,
        ["--temporary begins a new conversation: leave --resume and --conversation out."],
    )


def test_what_was_thought_is_no_part_of_the_text(run: Run, loopback: Loopback) -> None:
    loopback.script.extend(["think 3", "think 2"])
    done = run("chat", said="hi\n/thoughts\n/thoughts on\nhi\n/thoughts always\n", LLM_BACKEND="openai")
    thought = ("thought0 thought1 thought2 ", "thought0 thought1 ")
    assert done.out.splitlines() == [
        f"{loopback.reply} ", thought[0], "What models think is shown as it comes.", f"{loopback.reply} ",
    ]  # fmt: skip
    first, rest = done.err.split("\n", 1)
    assert first == "Thought for 0 s. /thoughts shows it."
    assert "openai · 8 tokens · thought for 0." in rest
    assert f"\n{thought[1]}\n\n" in rest
    assert thought[0] not in rest
    assert "/thoughts always: say on or off" in rest
    for words in (("export", "--all"), ("export", "--all", "--format", "markdown")):
        assert "thought0 thought1 thought2" in run(*words).out


def test_ask_tells_programs_what_was_thought(run: Run, loopback: Loopback) -> None:
    loopback.script.extend(["think 3"])
    told = json.loads(run("ask", "hi", "--json", LLM_BACKEND="openai").out)
    assert (told["thinking"], told["thinking_tokens"]) == ("thought0 thought1 thought2 ", 3)
    assert told["thinking_ms"] > 0
    assert "thinking" not in json.loads(run("ask", "hi", "--json", LLM_BACKEND="llamacpp").out)


def test_a_line_that_failed_is_exit_1_and_the_next_is_answered(run: Run, loopback: Loopback) -> None:
    loopback.script.append("refuse x")
    done = run("chat", said="hi\nhi\n", LLM_BACKEND="openai")
    assert (done.code, done.out.strip()) == (1, loopback.reply)
    assert "Unknown parameter: 'x'" in done.err
    assert "Traceback" not in done.err
    assert run("chat", said="/nothing\n", LLM_BACKEND="llamacpp").code == 1
    assert run("chat", said=b"h\xffi\n", LLM_BACKEND="openai").code == 0
    assert loopback.requests[-1]["messages"][-1]["content"] == "h\ufffdi"


def test_going_on_and_where_it_cannot(run: Run, loopback: Loopback) -> None:
    first = run("chat", "--resume", said="/help\n", LLM_BACKEND="openai")
    assert (first.code, first.err) == (0, "There is no conversation yet: a new one begins.\n")
    assert run("chat", "--system", "Be kind.", said="one\n", LLM_BACKEND="openai").code == 0
    assert run("chat", "--resume", said="two\n", LLM_BACKEND="openai").code == 0
    [kept] = mine("terminal").listing()
    assert run("chat", "--conversation", kept.id, said="three\n", LLM_BACKEND="openai").code == 0
    assert texts(mine("terminal"), kept.id)[::2] == ["one", "two", "three"]
    assert loopback.requests[-1]["messages"][0]["content"] == "Be kind."
    assert export_conversation(mine("terminal"), kept.id)["system"] == "Be kind."
    assert not mine("terminal").get(kept.id).imported
    brought = {**export_conversation(mine("terminal"), kept.id), "id": "brought"}
    import_conversation(mine("terminal"), brought)
    assert run("chat", "--conversation", "brought", said="/reset\nfour\n", LLM_BACKEND="openai").code == 0
    [begun] = [row for row in mine("terminal").listing() if row.id not in {kept.id, "brought"}]
    assert (begun.system, begun.imported) == ("Be kind.", True), "a stranger's words still"
    for words, said in (
        (("--conversation", "none"), "There is no conversation 'none' of yours."),
        (("--resume", "--conversation", "x"), "give one of the two"),
        (("--resume", "--persona", "beekeeper"), "leave --resume and --conversation out"),
        (("--persona", "beekeper"), "Near: beekeeper"),
        (("--persona", "beekeeper", "--system", "x"), "give one of the two"),
        (("--backend", "none"), "--backend=none: there is no such backend"),
    ):
        done = run("chat", *words, LLM_BACKEND="openai")
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert len(done.err.splitlines()) == 1
    assert run("chat", DATABASE_URL="sqlite:////proc/no/x.db", LLM_BACKEND="openai").code == 2


def test_ask_reads_the_pipe(loopback: Loopback) -> None:
    def asked(*words: str, said: str = "") -> str:
        done = run_process("ask", *words, said=said)
        assert (done.code, done.err) == (0, "")
        return str(loopback.requests[-1]["messages"][-1]["content"])

    assert asked("summarise", "--persona", "beekeeper", said="first\nsecond\n") == "summarise\n\nfirst\nsecond\n"
    assert loopback.requests[-1]["messages"][0]["content"].startswith("I am Otis")
    assert asked("only that", said=" \n") == "only that"
    options = ("--min-p", "0.1", "--frequency-penalty", "0.5", "--presence-penalty", "-1")
    assert asked(*options, said="\ufeffonly this") == "only this"
    sent = loopback.requests[-1]
    assert (sent["min_p"], sent["frequency_penalty"], sent["presence_penalty"]) == (0.1, 0.5, -1)


def test_what_ask_refuses(run: Run, loopback: Loopback) -> None:
    for words, said, code, why in (
        ((), b"", 2, "The message is empty"),
        ((" ",), b"\n", 2, "The message is empty"),
        (("hi",), b"ab\xff", 2, "The piped text is not UTF-8 (byte 2)"),
        (("hi", "--persona", "nobody"), b"", 2, "There is no persona 'nobody'"),
        (("hi", "--persona", "beekeeper", "--system", ""), b"", 2, "give one of the two"),
        (("x", "--backend", "llamacpp"), b"word " * 2000, 1, "1024"),
    ):
        done = run("ask", *words, said=said)
        assert (done.code, done.out) == (code, ""), done.err
        assert why in done.err
        assert len(done.err.splitlines()) == 1
    assert loopback.requests == []


def test_no_reply_and_no_error_is_an_order_to_the_terminal(loopback: Loopback) -> None:
    loopback.reply = "\x1b[31mred\x1b[0m \x9b5mblink"
    assert run_process("ask", "hi").out.strip() == "[31mred[0m 5mblink"
    done = run_process("ask", "hi", "--json")
    assert not {"\x1b", "\x9b"} & set(done.out)
    assert json.loads(done.out)["reply"].split() == loopback.reply.split()  # in JSON nothing is lost
    loopback.script.append("refuse \x1b[31mx")
    failed = run_process("ask", "hi")
    assert failed.code == 1
    assert "[31mx'" in failed.err
    assert "\x1b" not in failed.err


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_ctrl_c(command: str, loopback: Loopback) -> None:
    loopback.script.append("slow")
    words = [sys.executable, str(ROOT / "cli.py"), command, *(["count"] if command == "ask" else [])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        if command == "ask":
            process.stdin.close()
        else:
            process.stdin.write(b"count\nhi\n")
            process.stdin.flush()
        assert process.stdout.read(5) == b"word0"
        process.send_signal(signal.SIGINT)
        wait_for(lambda: loopback.gone)
        assert loopback.sent < 150
        if command == "ask":
            assert process.wait(10) == 130
        else:  # the reply ends, the program goes on
            assert loopback.reply.encode() in read_until(process, loopback.reply.encode())
            assert b"stopped" in process.stderr.readline()
            assert b"openai" in process.stderr.readline()  # the line below: no reply is left for Ctrl-C to stop
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130


def read_until(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    """What comes out until there is this text."""
    found, end = b"", time.monotonic() + 300
    assert process.stdout
    while text not in found and time.monotonic() < end:
        found += os.read(process.stdout.fileno(), 1000)
    return found


def test_a_stdout_that_cannot_say_everything(loopback: Loopback) -> None:
    loopback.reply = "naïve 猫"
    variables = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, str(ROOT / "cli.py"), "chat"]
    done = subprocess.run(words, input=b"hi\n", env=variables, capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"na?ve ?")


def test_talking_starts_light() -> None:
    heavy = {"streamlit", "fastapi", "torch", "transformers", "llama_cpp"}
    for module in ("cli", "terminal.session"):
        code = f"import sys, {module}; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=300).returncode == 0


def shell(line: str) -> tuple[int, str]:
    """The exit code of a command line, its first word the program, and what it says on stderr."""
    program = shlex.join([sys.executable, str(ROOT / "cli.py")])
    done = subprocess.run(["bash", "-c", f"{program} {line}"], capture_output=True, timeout=300, check=False)
    return done.returncode, done.stderr.decode()


def test_a_reader_that_goes_ends_the_reply_and_the_program(loopback: Loopback) -> None:
    for command in ("ask count", "chat <<< count"):
        loopback.script.append("slow")
        code, said = shell(f"{command} | head -c 5; exit ${{PIPESTATUS[0]}}")
        assert (code, said) == (1, ""), command
        assert loopback.sent < 150
        loopback.sent = 0
    assert [row.state for row in mine("terminal").thread(mine("terminal").listing()[0].id).messages] == [
        "done",
        "stopped",
    ]


def test_a_full_disk_is_one_line(loopback: Loopback) -> None:
    for command in ("ask hi", "chat <<< hi", "backends"):
        assert shell(f"{command} > /dev/full") == (1, "stdout: No space left on device\n"), command


def test_no_stdin_at_all(loopback: Loopback) -> None:
    assert shell("chat <&-") == (0, "")
    assert shell("ask hi <&-") == (0, "")


def test_ask_holds_the_reply_to_a_schema(run: Run, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"happy": {"type": "boolean"}}, "required": ["happy"]}
    file = tmp_path / "mood.json"
    file.write_text(json.dumps({**schema, "additionalProperties": False}), encoding="utf-8")
    done = run("ask", "how are you?", "--schema", str(file), LLM_BACKEND="llamacpp")
    assert done.code == 0, done.err
    assert json.loads(done.out).keys() == {"happy"}
    file.write_text("{", encoding="utf-8")
    wrong = run("ask", "how are you?", "--schema", str(file), LLM_BACKEND="llamacpp")
    assert wrong.code == 2
    assert "mood.json" in wrong.err
    file.write_text('{"not": {}}', encoding="utf-8")
    refused = run("ask", "how are you?", "--schema", str(file), LLM_BACKEND="llamacpp")
    assert refused.code == 1
    assert "not at #/not" in refused.err
