"""The models that are measured: the shipped one, and GPT-2's 124M shape with random weights, made where it is missing.

Speed does not depend on weights. The shape keeps the shipped tokenizer and fills its vocabulary up with pairs of words
that no text is ever cut into, so that prompts are the same tokens to both, and each token drawn is text.

Example: python -m benchmarks.models runs/benchmarks/gpt2-124m
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from settings import DEFAULT_MODEL, ROOT

FOLDER = ROOT / "runs" / "benchmarks"
VOCABULARY, WINDOW = 50257, 1024
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1}


@dataclass(frozen=True)
class Model:
    """One model's weights in two forms; `ends` are the ids that end a reply, none where they are never drawn."""

    name: str
    about: str
    gguf: Path
    folder: Path
    ends: tuple[int, ...] = ()


def shipped() -> Model:
    """The one in models/default. Raises OSError where it is not there."""
    config = json.loads((DEFAULT_MODEL / "generation_config.json").read_text(encoding="utf-8"))
    gguf = next(iter(sorted(DEFAULT_MODEL.glob("*.gguf"))), DEFAULT_MODEL / "model-f16.gguf")
    return Model(
        "shipped", f"as it ships: {gguf.name}; fp32 in transformers", gguf, DEFAULT_MODEL, tuple(config["eos_token_id"])
    )


def gpt2() -> Model:
    """The shape, from what an earlier run left, else made now. Raises ValueError where that fails."""
    folder = FOLDER / "gpt2-124m"
    if not folder.is_dir():
        print("Making a GPT-2 of 124M parameters with random weights…", file=sys.stderr)
        process = subprocess.run(
            [sys.executable, "-m", __name__, str(folder)], cwd=ROOT, capture_output=True, text=True
        )  # in a process of its own: torch stays out of this one
        if process.returncode:
            raise ValueError(f"the 124M model cannot be made: {(process.stderr.splitlines() or ['?'])[-1]}")
    about = "GPT-2's shape, random weights: Q8_0 in llama.cpp, fp32 in transformers"
    return Model("124M", about, folder / "model-q8_0.gguf", folder)


MODELS = {"shipped": shipped, "124M": gpt2}


def make(folder: Path) -> None:
    """Both forms, in a folder that is there only when it is whole."""
    import torch
    import transformers

    from training.formats import Card, Trained, gguf

    torch.manual_seed(0)
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(DEFAULT_MODEL)
    bpe = json.loads(tokenizer.backend_tokenizer.to_str())
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(partial)
    bpe["model"]["vocab"] |= fill_vocabulary(bpe["model"]["vocab"], len(tokenizer))
    (partial / "tokenizer.json").write_text(json.dumps(bpe, ensure_ascii=False), encoding="utf-8")
    tokenizer = transformers.AutoTokenizer.from_pretrained(partial)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=WINDOW,
        n_embd=768,
        n_layer=12,
        n_head=12,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: Any = transformers.GPT2LMHeadModel(config).eval()
    model.save_pretrained(partial)
    card = Card("gpt2-124m", "cc0-1.0", "Random weights, for measures of speed.", SAMPLING)
    gguf.write(Trained(model, tokenizer), partial / "model-q8_0.gguf", "q8_0", card)
    partial.rename(folder)


def fill_vocabulary(vocabulary: dict[str, int], size: int) -> dict[str, int]:
    """Tokens from `size` up to VOCABULARY: two words in one, which the splitting before BPE keeps apart."""
    tokens = sorted(word for word in vocabulary if word.startswith("Ġ") and word[1:].isascii() and word[1:].isalpha())
    pairs = ("".join(pair) for pair in product(tokens, tokens))
    return dict(zip(pairs, range(size, VOCABULARY), strict=False))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
