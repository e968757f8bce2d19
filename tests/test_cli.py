"""The commands as a person types them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import cli as program
from settings import ROOT
from tests import fork
from tests.loopback import KEY, Loopback


def cli(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *words]
    return fork.run(command, env={**os.environ, **environment}, text=True, timeout=300)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The same in this process, where it is what the command says that matters."""

    def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["cli.py", *words])
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                code = program.main()
            except SystemExit as end:
                code = int(end.code or 0)
        out, err = capsysbinary.readouterr()
        return subprocess.CompletedProcess(words, code, out.decode(), err.decode())

    return command


@pytest.mark.parametrize("backend", ["gpt2", "llamacpp"])
def test_ask_prints_a_reply_and_nothing_else(backend: str) -> None:
    done = cli("ask", "hi, how are you?", "--backend", backend, "--seed", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.strip()) > 3


def test_json_is_one_object() -> None:
    words = ("--temperature", "0.5", "--top-p", "0.8", "--max-tokens", "7", "--seed", "4", "--system", "Be kind.")
    first, second = (cli("ask", "hi", "--backend", "llamacpp", "--json", *words) for _ in range(2))
    answer = json.loads(first.stdout)
    assert answer["reply"] == json.loads(second.stdout)["reply"]
    assert answer["completion_tokens"] <= 7
    assert {"reply", "backend", "model", "prompt_tokens", "completion_tokens", "ttft_ms", "tokens_per_second"} <= set(
        answer
    )
    assert answer["model"] == "models/default/model-f16.gguf"


def test_raw_continues_the_text() -> None:
    answer = json.loads(cli("ask", "I like", "--raw", "--backend", "llamacpp", "--json").stdout)
    assert answer["prompt_tokens"] < 5


def test_options_reach_the_server(loopback: Loopback) -> None:
    done = cli("ask", "hi", "--temperature", "0.3", "--top-k", "4", "--system", "Be brief.")
    assert done.stdout.strip() == loopback.reply
    sent = loopback.requests[-1]
    assert (sent["temperature"], sent["top_k"], sent["messages"][0]["content"]) == (0.3, 4, "Be brief.")


def test_a_failed_model_is_one_line_and_exit_1(loopback: Loopback) -> None:
    loopback.script.append("refuse top_k")
    done = cli("ask", "hi", "--top-k", "4")
    assert done.returncode == 1
    assert "top_k" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_bad_setting_is_one_line_and_exit_2(run: Run) -> None:
    done = cli("ask", "hi", TEMPERATURE="hot")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("TEMPERATURE=hot")
    assert run("serve", PORT="0").returncode == 2
    assert run("ask", "hi", "--temperature", "9").returncode == 2


@pytest.mark.parametrize("backend", ["gpt2", "llamacpp"])
def test_a_closed_pipe_ends_it_without_a_crash(backend: str) -> None:
    words = ["ask", "I like", "--raw", "--max-tokens", "900", "--temperature", "2", "--top-k", "0", "--top-p", "1"]
    command = [sys.executable, str(ROOT / "cli.py"), *words, "--backend", backend]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read(3)
        process.stdout.close()
        assert 0 <= process.wait(60) < 128


def test_a_fallback_that_answered_is_named(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    done = cli("ask", "hi", "--max-tokens", "5", LLM_FALLBACK="llamacpp")
    assert done.returncode == 0
    assert done.stderr.startswith("(llamacpp answered: openai (")


def test_an_unknown_backend_lists_the_known(run: Run) -> None:
    done = run("ask", "hi", "--backend", "none")
    assert done.returncode == 2
    assert "gpt2, llamacpp, openai" in done.stderr
    assert run("ask", "hi", LLM_BACKEND="none").returncode == 2
    assert run("serve", LLM_FALLBACK="none").returncode == 2
    assert run("ask", "hi", "--backend", "gpt2", LLAMACPP_N_CTX="x").stderr.startswith("LLAMACPP_N_CTX=x")
    assert run("ask", " ").returncode == 2


def test_backends_says_ready_or_why_not(run: Run) -> None:
    told = run("backends", LLAMACPP_MODEL="/no/such.gguf").stdout
    lines = told.splitlines()
    assert lines[0] == "* gpt2       ready"
    assert "* gpt2: LLM_BACKEND and OPENAI_API_KEY are unset: the small model in models/default (llamacpp: LLAM" in told
    assert "LLAMACPP_MODEL=/no/such.gguf is no file" in lines[1]
    assert "set OPENAI_API_KEY" in lines[2]


@pytest.mark.parametrize(
    "command", ["chat", "ask", "find", "backends", "config", "serve", "export", "import", "vacuum"]
)
def test_each_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        program.app([command, "--help"])
    assert end.value.code == 0
    assert f"cli.py {command}" in capsys.readouterr().out.partition("Example: ")[2]


def test_config_masks_secrets_and_names_origins(run: Run) -> None:
    done = run("config", OPENAI_API_KEY=KEY, TOP_K="3")
    assert KEY not in done.stdout + done.stderr
    rows = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines()}
    assert rows["OPENAI_API_KEY"] == ["********", "environment"]
    assert rows["TOP_K"] == ["3", "environment"]
    assert rows["PORT"] == ["8501", "default"]
