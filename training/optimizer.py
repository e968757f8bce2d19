"""Muon for the matrices of the blocks and AdamW for everything else, as one optimizer. Knows no schedule."""

from collections.abc import Callable
from typing import Any

import torch

from training.muon import Muon


class MuonAdamW(torch.optim.Optimizer):
    """Muon beside AdamW: one state, one schedule. `rate` is Muon's; AdamW takes `ratio` of it."""

    def __init__(self, model: torch.nn.Module, rate: float, weight_decay: float, ratio: float = 0.6) -> None:
        matrices = [p for n, p in model.named_parameters() if ".h." in n and p.ndim == 2 and p.requires_grad]
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
        self.parts: list[torch.optim.Optimizer] = []
        if matrices:
            self.parts.append(Muon(matrices, lr=rate, weight_decay=weight_decay))
        self.parts.append(torch.optim.AdamW(rest, lr=rate * ratio, betas=(0.9, 0.98), weight_decay=0.0))
        super().__init__([group for part in self.parts for group in part.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of both, on the groups and the state that this optimizer saves and loads."""
        loss = None if closure is None else closure()
        for part, group in zip(self.parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state
            part.step()
        return loss


def build_optimizer(model: torch.nn.Module, optimizer: str, rate: float, weight_decay: float) -> Any:
    """The optimizer a recipe names: "muon" or "adamw"."""
    if optimizer == "muon":
        return MuonAdamW(model, rate, weight_decay)
    decayed = [p for p in model.parameters() if p.ndim >= 2 and p.requires_grad]
    undecayed = [p for p in model.parameters() if p.ndim < 2 and p.requires_grad]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999))
