"""The file formats that a trained folder is exported to: `NAME:PRECISION` to a file's name, its writer and its bounds.

gguf.py, onnx.py and safetensors.py are one format of a whole model each, lora.py and lora_gguf.py one of an adapter:
`write(trained, path, precision, card)`, and `open_reader(path)`, which yields a Reader, the file as a program that
serves it sees it (an adapter beside its base: `open_reader(path, trained)`). source.py, adapter.py and base.py load
what is exported, samples.py has what it is tried on, check.py compares. Knows no command line, and loads nothing heavy
by itself.
"""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from training.formats.base import Base

# Threads that wait must sleep: spinning ones of torch slow llama.cpp down, and each other. Read when either loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

Logits = NDArray[np.float32]  # (tokens, vocabulary)


@dataclass(frozen=True)
class Card:
    """What a file says of itself, beside its numbers."""

    name: str
    licence: str
    description: str
    sampling: dict[str, float | int]


class Reader(Protocol):
    """A written file, loaded by the library that serves it."""

    template: str | None

    def tokens(self, text: str) -> list[int]:
        """Ids of a text that may spell special tokens."""
        ...

    def logits(self, ids: Sequence[int], prefix_length: int) -> Logits:
        """(len(ids), vocabulary): the first `prefix_length` ids at once, the others one at a time over the past."""
        ...


@dataclass(frozen=True)
class Format:
    """One format at one precision, and how far from its source it may be.

    `rounded`: its greedy tokens are those of the source's weights rounded to fp16. `greedy`: they must be equal.
    `perplexity`: the largest difference from the source's, as a share of it. `logits`: the largest difference of
    one logit, as a share of the logits' standard deviation at that place (None: not looked at).
    """

    name: str
    file: str
    perplexity: float
    greedy: bool = True
    rounded: bool = False
    logits: float | None = None

    @property
    def precision(self) -> str:
        """What stands behind the colon; "" where nothing does."""
        return self.name.partition(":")[2]

    @property
    def adapts(self) -> bool:
        """Whether it is a file of an adapter, which is nothing without its base."""
        return self.name.startswith("lora")

    @property
    def module(self) -> ModuleType:
        """What writes and reads it."""
        return importlib.import_module(f"{__name__}.{self.name.partition(':')[0].replace('-', '_')}")


FORMATS = {
    form.name: form
    for form in (
        Format("safetensors:fp16", "model.safetensors", perplexity=0.005, rounded=True, logits=0.001),
        Format("safetensors:fp32", "model.safetensors", perplexity=0.001, logits=0.001),
        # llama.cpp rounds activations and cached keys to fp16 as well: single logits wander more than choices do.
        Format("gguf:f16", "model-f16.gguf", perplexity=0.005, rounded=True),
        Format("gguf:q8_0", "model-q8_0.gguf", perplexity=0.01, greedy=False),
        Format("lora:fp16", "adapter_model.safetensors", perplexity=0.005, logits=0.02),
        # llama.cpp rounds what it multiplies with a base of 4 bits to 8 bits.
        Format("lora-gguf:f16", "adapter-f16.gguf", perplexity=0.03, greedy=False),
        Format("onnx", "model.onnx", perplexity=0.001, logits=0.005),
        Format("onnx:int8", "model-int8.onnx", perplexity=0.02, greedy=False),
    )
}
SERVED = ("safetensors:fp16", "gguf:f16")  # what the backends of this project load
ADAPTED = ("lora:fp16", "lora-gguf:f16")  # and what they put beside a base that is a GGUF file


def parse_formats(requested: Iterable[str]) -> list[Format]:
    """The formats that a list of names, each of them perhaps several between commas, asks for; each once.

    Raises ValueError for an unknown name, and for two that would be one file.
    """
    names = dict.fromkeys(name.strip() for several in requested for name in several.split(","))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise ValueError(f"--format {', '.join(unknown)}: there are {', '.join(FORMATS)}")
    forms = [FORMATS[name] for name in names]
    for form in forms:
        same = [other.name for other in forms if other.file == form.file]
        if len(same) > 1:
            raise ValueError(f"--format {' and '.join(same)} would both be {form.file}: choose one")
    if len({form.adapts for form in forms}) > 1:
        raise ValueError(
            f"--format {', '.join(names)}: an adapter and a whole model are two folders: export one at a time"
        )
    return forms


@dataclass(frozen=True)
class Trained:
    """A source in memory: a model in fp32, its tokenizer, and what was done to get there, in sentences.

    `adapter`: the folder of the adapter that is merged in it, and its base; None where it is a model of its own.
    """

    model: Any
    tokenizer: Any
    notes: tuple[str, ...] = ()
    adapter: tuple[Path, "Base"] | None = None
