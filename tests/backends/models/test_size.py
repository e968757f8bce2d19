"""How large a model is, by its name and by its files."""

from pathlib import Path

import pytest

import backends
from backends.models.size import parameters_in_name
from settings import Settings
from tests.conftest import GGUF


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SmolLM2-135M-Instruct.Q4_1.gguf", 135_000_000), ("qwen2.5:0.5b", 500_000_000), ("llama3.2:1b", 10**9),
     ("Qwen2.5-7B-Instruct-Q4_K_M", 7 * 10**9), ("gpt-4o-mini", None), ("phi-3-mini-4k", None), ("mixtral-8x7b", None),
     ("gemma-3n-e2b", None), ("model-f16", None), ("", None), ("m", None)],
)  # fmt: skip
def test_a_name_tells_the_size_or_does_not(name: str, expected: int | None) -> None:
    assert parameters_in_name(name) == expected


def test_files_tell_it_and_the_name_where_they_are_not_here(tmp_path: Path) -> None:
    settings = Settings.read()

    def told(backend: str, model: str) -> int | None:
        return backends.parameters(backend, backends.with_settings(settings, backend, model=model))

    for backend, model in (("llamacpp", GGUF), ("gpt2", GGUF.parent)):
        assert 10_300_000 < (told(backend, str(model)) or 0) < 10_400_000
    assert told("llamacpp", "someone/Tiny-360M-GGUF:tiny.gguf") == 360_000_000
    (tmp_path / "empty.gguf").touch()
    assert told("llamacpp", str(tmp_path / "empty.gguf")) is None
    assert told("openai", "smollm2:1.7b") == 1_700_000_000
    assert told("openai", "gpt-4o-mini") is None
    assert backends.parameters("openai", settings, "qwen2.5:0.5b") == 500_000_000
    assert backends.parameters("ollama:qwen2.5:0.5b", settings) == 500_000_000
