"""The weights as Hugging Face has them, fp16 or fp32, read back through AutoModelForCausalLM.

Config and tokenizer stand beside them, written by the export. Knows no other format.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from training.formats import Card, Trained
from training.formats.source import TorchReader, silence_transformers

KINDS = {"fp16": torch.float16, "fp32": torch.float32}


def write(trained: Trained, path: Path, precision: str, card: Card) -> None:
    """`path`, which is model.safetensors, and the config.json that names its precision. Raises OSError."""
    try:
        with silence_transformers():
            copy.deepcopy(trained.model).to(KINDS[precision]).save_pretrained(path.parent)
    except SafetensorError as error:  # a full disk, most of all
        raise OSError(f"{path.name}: {error}") from error


@contextmanager
def open_reader(path: Path) -> Iterator[TorchReader]:
    """The folder of `path` as transformers loads it, computing in fp32."""
    with silence_transformers():
        model = AutoModelForCausalLM.from_pretrained(path.parent, local_files_only=True).float().eval()
        tokenizer = AutoTokenizer.from_pretrained(path.parent, local_files_only=True)
    yield TorchReader(model, tokenizer)
