"""A LoRA adapter as peft saves it, fp16, with its base's hash in the metadata; read back through peft on that base.

Knows no other format.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.formats import Card, Trained, adapter
from training.formats.source import LARGEST_HALF, TorchReader, load_base, silence_transformers

WEIGHTS = "adapter_model.safetensors"
FACTOR = "lora_"
# What a run leaves in adapter_config.json that says something of the machine or of training alone.
DROPPED = ("revision", "inference_mode")


def write(trained: Trained, path: Path, precision: str, card: Card) -> None:
    """The weights at `path` and adapter_config.json beside them. Raises ValueError for what fp16 cannot hold."""
    assert trained.adapter is not None
    folder, base = trained.adapter
    kind = {"fp16": torch.float16, "fp32": torch.float32}[precision]
    tensors = read_factors(folder)
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    metadata = {"format": "pt", "licence": card.licence, **base.to_metadata(), "shapes": json.dumps(shapes)}
    save_file({name: tensor.to(kind).contiguous() for name, tensor in tensors.items()}, path, metadata)
    settings = {**adapter.read_settings(folder), "base_model_name_or_path": base.name, "inference_mode": True}
    (path.parent / adapter.FILE).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_factors(folder: Path) -> dict[str, Any]:
    """The factors of every matrix in fp32, A (rank, inputs) and B (outputs, rank), by peft's names.

    Raises ValueError for an adapter that brings more than them, and for values that fp16 cannot hold.
    """
    tensors: dict[str, Any] = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    if others := [name for name in tensors if FACTOR not in name]:
        raise ValueError(
            f"the adapter brings {others[0]}, which is no factor of a matrix: export it merged (safetensors)"
        )
    for name, tensor in tensors.items():
        if (largest := float(tensor.abs().max())) > LARGEST_HALF:
            raise ValueError(f"{name} reaches {largest:.4g}, beyond fp16's {LARGEST_HALF:.0f}")
    return tensors


@contextmanager
def open_reader(path: Path, trained: Trained) -> Iterator[TorchReader]:
    """The adapter in the weights of a fresh copy of its base, as the backend serves it."""
    assert trained.adapter is not None
    with silence_transformers():
        model, tokenizer = load_base(str(trained.adapter[1].path))
        yield TorchReader(adapter.merge(model, path.parent, len(tokenizer)), tokenizer)
