"""`--url`: chat, ask and backends against a running server of ours, over a real port."""

import json

from tests.api.conftest import Serve
from tests.conftest import free_port
from tests.loopback import KEY, Loopback
from tests.terminal.conftest import Run, Start, run_process


def test_against_our_own_server(serve: Serve, chat: Start) -> None:
    url = str(serve(MAX_TOKENS="12").base_url)
    answer = json.loads(run_process("ask", "hi", "--url", url, "--json", "--seed", "1").out)
    assert answer["backend"] == "openai"
    assert answer["prompt_tokens"] > 10  # the server's own count
    assert run_process("ask", "I like", "--url", f"{url}/v1/", "--raw", "--backend", "llamacpp").out.strip()

    talk = chat("--url", url, OPENAI_MODEL="of-another-server", OPENAI_N_CTX="8000")
    talk.send_line("hi")
    talk.expect("default · ")
    talk.wait_for_prompt()
    talk.send_line("/backend")
    talk.expect("llamacpp")
    talk.wait_for_prompt()
    talk.send_line("/backend llamacpp")
    talk.expect("llamacpp answers from now on.")
    talk.wait_for_prompt()
    talk.send_line("hi")
    talk.expect("llamacpp · ")
    talk.wait_for_prompt()
    talk.send_line("word " * 1500)
    talk.expect("/reset begins a new conversation")
    talk.wait_for_prompt()
    talk.send_line("/reset")
    talk.wait_for_prompt()
    talk.send_line("hi")
    talk.expect("llamacpp · ")
    talk.send_line("exit")
    assert talk.wait_for_exit() == 0

    lines = run_process("backends", "--url", url).out.splitlines()
    assert "* llamacpp   ready (loaded)" in lines
    assert lines[-1].startswith("status ok, version ")


def test_a_server_that_wants_a_key(serve: Serve) -> None:
    url = str(serve(API_KEYS="one-key-of-32-characters-at-least").base_url)
    done = run_process("ask", "hi", "--url", url, OPENAI_API_KEY="one-key-of-32-characters-at-least", API_KEY="wrong")
    assert (done.code, done.out) == (1, "")
    assert "Set API_KEY" in done.err
    assert len(done.err.splitlines()) == 1
    assert run_process("ask", "hi", "--url", url, API_KEY="one-key-of-32-characters-at-least").code == 0
    assert run_process("backends", "--url", url).code == 0  # health needs none
    spoilt = run_process("ask", "hi", "--url", url, API_KEY="schlüssel")
    assert (spoilt.code, spoilt.err.partition("=")[0]) == (2, "API_KEY")


def test_nobody_there_and_addresses_that_are_none(run: Run, loopback: Loopback) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    other = loopback.url.removesuffix("/v1")
    for words, code, why in (
        (("ask", "hi", "--url", nobody), 1, "nobody answers there. Start it with `python cli.py serve`"),
        (("chat", "--url", nobody), 1, "nobody answers there"),
        (("backends", "--url", nobody), 1, "nobody answers there"),
        (("backends", "--url", other), 1, "is no server of ours"),
        (("ask", "hi", "--url", "localhost:8501"), 2, "give an http(s) address"),
        (("ask", "hi", "--url", "http://[x"), 2, "give an http(s) address"),
        (("chat", "--url", "http://me:secret@host"), 2, "a key belongs into API_KEY"),
        (("ask", "hi", "--url", other, "--backend", "none"), 2, "It offers loopback-small."),
    ):
        done = run(*words, API_KEY=KEY)
        assert (done.code, done.out) == (code, ""), done.err
        assert why in done.err
        assert "secret" not in done.err
        assert len(done.err.splitlines()) == 1
    loopback.models = []
    done = run("ask", "hi", "--url", other)
    assert (done.code, "no OpenAI-compatible API" in done.err) == (1, True)


def test_only_that_server_is_asked(loopback: Loopback) -> None:
    loopback.script.extend(["500"] * 3)
    done = run_process("ask", "hi", "--url", loopback.url, LLM_FALLBACK="llamacpp")
    assert (done.code, done.out) == (1, "")
    assert "The server had an error" in done.err
