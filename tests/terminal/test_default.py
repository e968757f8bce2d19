"""The terminal with nothing set: SmolLM2 answers."""

import json

import pytest

from tests.smollm2 import ANSWER, NOTHING_SET, QUESTION, needs_smollm2
from tests.terminal.conftest import run_process

pytestmark = [pytest.mark.server, needs_smollm2]


def test_with_nothing_set_it_knows_the_capital_of_france() -> None:
    done = run_process("ask", QUESTION, **NOTHING_SET)
    assert done.code == 0, done.err
    assert ANSWER in done.out
    answer = json.loads(run_process("ask", QUESTION, "--json", **NOTHING_SET).out)
    assert answer["backend"] == "llamacpp"
    assert answer["model"].startswith("SmolLM2-135M-Instruct")
    assert ANSWER in answer["reply"]


def test_backends_says_which_model_answers_and_why() -> None:
    told = run_process("backends", **NOTHING_SET).out
    assert "* llamacpp   ready" in told
    assert "* llamacpp: LLM_BACKEND and OPENAI_API_KEY are unset: SmolLM2-135M-Instruct" in told
