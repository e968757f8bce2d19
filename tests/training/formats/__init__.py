"""The exports, each read by the library that serves it. Here: the tiny models that they are made from."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from training import tokenizer
from training.formats import Card

POSITIONS = 96
CARD = Card("a tiny talker", "CC0-1.0", "Random numbers.", {"temperature": 0.7, "top_p": 0.8, "top_k": 40,
            "repetition_penalty": 1.2})  # fmt: skip


@cache
def words() -> PreTrainedTokenizerFast:
    """A tokenizer of some 400 tokens with the chat's template."""
    texts = [f"hello there, do you like number {i}? yes, it is round and nice. what is your name?" for i in range(60)]
    return tokenizer.train(texts, 400, POSITIONS)


def network(kind: Any = GPT2LMHeadModel, **differs: Any) -> Any:
    """An untrained model. Larger weights keep its choices apart; biases that are not zero are worth exporting."""
    made = words()
    settings = {
        "vocab_size": len(made), "n_positions": POSITIONS, "n_embd": 64, "n_layer": 2, "n_head": 2,
        "bos_token_id": made.bos_token_id, "eos_token_id": made.eos_token_id, "pad_token_id": made.pad_token_id,
    }  # fmt: skip
    torch.manual_seed(7)
    model = kind(GPT2Config(**(settings | differs)))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
            elif "ln_" not in name:
                weight.mul_(4)
    return model.eval()


def saved(folder: Path, model: Any = None) -> Path:
    """A folder as training leaves it."""
    (model if model is not None else network()).save_pretrained(folder)
    words().save_pretrained(folder)
    return folder


def listing(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
