"""What a model on disk would need of this machine's memory, whichever local backend loads it. Loads nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backends.hf import memory as saved_memory
from backends.hf.saved import CONFIG, read_saved
from backends.llama import memory as gguf_memory
from backends.llama.context import LONGEST, Limits
from backends.llama.header import read_header
from backends.llama.parts import parse_name
from backends.local.memory import MemoryEstimate


def estimate(
    path: Path,
    window: int | None = None,
    parallel: int = 8,
    *,
    total: int | None = None,
    int8: bool = False,
    adapters: Sequence[Path] = (),
) -> MemoryEstimate:
    """The memory that a GGUF file (of a split model the first), or a folder with a saved model, needs once loaded.

    `window`, `total`: tokens of one chat and of all, None for what the backend would choose; `int8`: GPT2_QUANTIZE;
    `adapters`: LoRA adapters beside a GGUF, which are kept whole (those of a saved model become part of its weights).
    Raises HeaderError or SavedModelError (ValueError) for what is no model, OSError.
    """
    if (path / CONFIG).is_file():
        return saved_memory.estimate(read_saved(path), parallel, int8=int8)
    part = parse_name(path.name)
    headers = [read_header(path.with_name(name)) for name in (part.all() if part else [path.name])]
    alone = gguf_memory.estimate(headers, limits(headers[0].window, window, parallel, total))
    return replace(alone, weights=alone.weights + sum(read_header(adapter).size for adapter in adapters))


def limits(trained: int | None, window: int | None = None, parallel: int = 8, total: int | None = None) -> Limits:
    """The bounds that the llamacpp backend would set for a model trained for so many tokens."""
    chosen = min(window or LONGEST, trained or LONGEST)
    return Limits(chosen, parallel, max(chosen, total or min(LONGEST, chosen * parallel)), threads=1)
