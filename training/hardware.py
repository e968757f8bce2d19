"""What this machine can do for a run: number format, and whether the memory is enough. Knows no data."""

import os
from typing import Any

import psutil
import torch

from training import branches
from training.recipe import Recipe

GIB = 1 << 30


def choose_precision(requested: str) -> tuple[str, str]:
    """The number format and why. Raises ValueError for one the machine lacks."""
    if requested == "fp16" and not torch.cuda.is_available():
        raise ValueError("--precision fp16: needs an NVIDIA GPU; take bf16 or fp32")
    if requested != "auto":
        return requested, "asked for"
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        return ("bf16", f"{name} has it") if torch.cuda.is_bf16_supported() else ("fp16", f"{name} has no bf16")
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return "bf16", "the processor multiplies it (AVX512-BF16 or AMX)"
    return "fp32", "neither a GPU nor a processor with bf16"


def estimate_bytes(model: Any, plan: Recipe, length: int) -> int:
    """An estimate of the bytes a step takes: weights, gradients, optimizer state, activations, what is in use now."""
    config, parameters = model.config, sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    # Gradients, and two moments (AdamW) or one (Muon, for most of the weights).
    state = trained * 4 * (3 if plan.optimizer == "adamw" else 2.3)
    beside = plan.turns * plan.distractors * branches.MAX_REPLY_TOKENS if plan.contrast else 0
    row_tokens = length + beside
    tokens = plan.batch * row_tokens * (plan.distractors + 1 if plan.double_heads else 1)
    # Kept for the backward pass: about 28 vectors a token and layer; with dropout the attention weights, thrice.
    dropping = any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in model.modules())
    activations = (
        tokens
        * config.num_hidden_layers
        * 4
        * (28 * config.hidden_size + (3 if dropping else 0.1) * config.num_attention_heads * row_tokens)
    )
    logits = tokens * config.vocab_size * 12 if plan.double_heads else 0
    beyond = 0 if torch.cuda.is_available() else psutil.Process().memory_info().rss
    per_process = parameters * 4 + state + activations + logits
    processes = 1 if torch.cuda.is_available() else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return int(per_process * processes + beyond)


def check_memory(model: Any, plan: Recipe, length: int) -> str:
    """Says the estimate. Raises ValueError when it is more than what is free."""
    needed = estimate_bytes(model, plan, length)
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    estimate = f"about {needed / GIB:.1f} GiB for batches of {plan.batch} x {length} tokens, {free / GIB:.1f} GiB free"
    if needed > free:
        raise ValueError(f"this run would not fit: {estimate}; take a smaller --batch (with --accumulate) or --config")
    return estimate
