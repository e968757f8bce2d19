"""Muon, whose iteration runs in the number format that the device multiplies fastest. Knows no model and no schedule.

torch's own rounds to bfloat16 everywhere. A GPU gains by that; most CPUs have no instruction for it, and multiply many
times slower than in float32.
"""

import math
from collections.abc import Callable
from typing import Any

import torch


class Muon(torch.optim.Muon):
    """Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon/) for matrices.

    Options, defaults and state are those of torch's; the rate is scaled to AdamW's step size (Liu et al. 2025,
    arXiv:2502.16982).
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move each matrix by its orthogonalized momentum; return what `closure` returns."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, matrix.grad, group)
        return loss

    def _move(self, matrix: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        # 1. The momentum takes in the gradient.
        momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - group["momentum"])
        # 2. Nesterov looks one step ahead.
        ahead = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
        # 3. What is left of the momentum is its direction: all singular values become about 1.
        update = orthogonalize(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
        # 4. The weights decay, and move by a root mean square like that of AdamW's steps.
        matrix.mul_(1 - group["lr"] * group["weight_decay"])
        matrix.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonalize(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> torch.Tensor:
    """The orthogonal matrix nearest to one of shape (rows, columns), roughly, by a quintic Newton-Schulz iteration."""
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    # 1. The smaller side first, so that its square is the small one; the largest singular value at most 1.
    found = matrix.to(torch.float32 if matrix.device.type == "cpu" else torch.bfloat16)
    found = found.T if tall else found
    found = found / found.norm().clamp(min=eps)
    # 2. X becomes aX + b(XXᵀ)X + c(XXᵀ)²X, which draws every singular value towards 1.
    for _ in range(steps):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=b, alpha=c), found, beta=a)
    return found.T if tall else found
