"""The terminal with nothing set: SmolLM2 answers."""

import json
from pathlib import Path

import pytest

from tests.pdf import pdf
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


def test_with_nothing_set_it_reads_page_seven_and_names_it(tmp_path: Path) -> None:
    pages = [
        f"Chapter {n}. The harbour master counted {n * 11} ships, and wrote of fog and of herring."
        for n in range(1, 21)
    ]
    pages[6] = "The lighthouse of Port Selden was built in 1874 by the engineer Ada Marlow. Its lamp burned whale oil."
    (tmp_path / "book.pdf").write_bytes(pdf(pages))
    asked = ("ask", "--json", "--file", str(tmp_path / "book.pdf"), "Who built the lighthouse of Port Selden?")
    answer = json.loads(run_process(*asked, **NOTHING_SET).out)
    assert "Ada Marlow" in answer["reply"]
    cited = answer["sources"][0]
    assert cited["file"] == "book.pdf"
    assert cited["place"] == "page 7"


def test_backends_says_which_model_answers_and_why() -> None:
    told = run_process("backends", **NOTHING_SET).out
    assert "* llamacpp   ready" in told
    assert "* llamacpp: LLM_BACKEND and OPENAI_API_KEY are unset: SmolLM2-135M-Instruct" in told
