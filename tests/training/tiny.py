"""Untrained models of a few thousand weights, with a tokenizer trained on what the tests say."""

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2DoubleHeadsModel, GPT2LMHeadModel

from training import tokenizer
from training.loaded_model import LoadedModel, load

WORDS = ["dogs", "cats", "rain", "tea", "music", "books", "boats", "maps", "trees", "snow", "bread", "stars"]


def turn(number: int) -> str:
    """A different text for every number."""
    first, second = WORDS[number % 12], WORDS[(number // 12) % 12]
    return f"I like {first} and {second}" + (" very much indeed" if number % 3 else "") + "!" * (number // 144)


def save(folder: Path, *, positions: int = 128, choice: bool = False, scale: float = 4.0) -> Path:
    """A random GPT-2 in `folder`; larger weights keep its choices apart."""
    made = tokenizer.train([turn(i) for i in range(144)], 320, positions)
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(made), n_positions=positions, n_embd=32, n_layer=2, n_head=2, bos_token_id=made.bos_token_id,
        eos_token_id=made.eos_token_id, pad_token_id=made.pad_token_id,
    )  # fmt: skip
    kind: Any = GPT2DoubleHeadsModel if choice else GPT2LMHeadModel
    model = kind(config)
    for weight in model.parameters():
        weight.data.mul_(scale)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def loaded(folder: Path, **options: Any) -> LoadedModel:
    """The same, loaded."""
    return load(str(save(folder, **options)))
