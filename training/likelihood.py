"""Nats of each token under an output layer, without ever holding all logits at once.

A few hundred tokens go through the vocabulary at a time, in the forward pass and again in the backward one: the logits
of a batch (tokens x vocabulary) are the largest tensor of a small model by far, and the slowest to carry around.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

CHUNK = 512  # tokens at a time: 512 x 8,192 logits are 16 MB, which a processor's cache holds


class Nats(torch.autograd.Function):
    """-log softmax(hidden @ weight.T)[target], chunk by chunk."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """hidden (N, W) and weight (V, W) of one type, target (N,) -> (N,) float32."""
        scale = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        nats = torch.empty_like(scale)
        for part in _parts(len(hidden)):
            logits = (hidden[part] @ weight.T).float()
            scale[part] = logits.logsumexp(-1)
            nats[part] = scale[part] - logits.gather(1, target[part, None])[:, 0]
        ctx.save_for_backward(hidden, weight, target, scale)
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Gradients to hidden and weight; logits are computed anew."""
        hidden, weight, target, scale = ctx.saved_tensors
        to_hidden = torch.empty_like(hidden)
        learns_weight = ctx.needs_input_grad[1]  # adapters leave the output layer as it is
        to_weight = torch.zeros(weight.shape if learns_weight else 0, dtype=torch.float32, device=weight.device)
        for part in _parts(len(hidden)):
            slope = (hidden[part] @ weight.T).float().sub_(scale[part, None]).exp_()
            slope[torch.arange(len(slope), device=slope.device), target[part]] -= 1
            slope = slope.mul_(grads[0][part, None]).to(weight.dtype)
            to_hidden[part] = slope @ weight
            if learns_weight:
                to_weight += slope.T @ hidden[part]
        return to_hidden, to_weight.to(weight.dtype) if learns_weight else None, None


def nats(hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of `target` (N,) after `hidden` (N, W), in nats; the matrices in autocast's type."""
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
        hidden, weight = hidden.to(kind), weight.to(kind)
    # Whole sixteenths of a chunk: matrix kernels are made, and kept, for each shape they meet.
    spare = -len(hidden) % (CHUNK // 16)
    padded, padded_target = (
        torch.nn.functional.pad(hidden, (0, 0, 0, spare)),
        torch.nn.functional.pad(target, (0, spare)),
    )
    result: torch.Tensor = Nats.apply(padded, weight, padded_target)  # type: ignore[no-untyped-call]
    return result[: len(hidden)]


def _parts(length: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, length)) for start in range(0, length, CHUNK)]
