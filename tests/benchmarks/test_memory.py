"""What models take of memory is near what was told before they were loaded: of the shapes that models come in."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.memory import WITHIN, Case, measure, table
from benchmarks.shapes import SHAPES, write
from settings import DEFAULT_MODEL
from tests.conftest import GGUF

CASES = [Case("shipped", "llamacpp", GGUF), Case("saved", "gpt2", DEFAULT_MODEL)]


@pytest.mark.server
@pytest.mark.parametrize("number", range(len(CASES) + len(SHAPES)))
def test_what_is_taken_is_near_what_was_told(number: int, tmp_path: Path) -> None:
    if number < len(CASES):
        case = CASES[number]
    else:
        shape = SHAPES[number - len(CASES)]
        shape = replace(shape, layers=max(4, shape.layers // 3), vocabulary=shape.vocabulary // 2)
        case = Case(shape.name, "llamacpp", tmp_path / "model.gguf")
        write(shape, case.path)
    told = measure(case)
    assert abs(told["told"] / told["taken"] - 1) <= WITHIN, list(table([told]))[-1]
