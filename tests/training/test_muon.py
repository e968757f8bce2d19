"""Muon beside torch's own, which rounds to bfloat16 and is otherwise the same."""

from typing import Any

import pytest
import torch

from training.muon import Muon, orthogonalize


def steps(kind: Any, shape: tuple[int, int], **options: str) -> torch.Tensor:
    """The weights after three steps towards the same three matrices."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(shape))
    optimizer = kind([weights], lr=0.1, weight_decay=0.1, **options)
    for _ in range(3):
        weights.grad = torch.randn(shape)
        optimizer.step()
    return weights.detach()


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_steps_are_those_of_torch(shape: tuple[int, int]) -> None:
    expected = steps(torch.optim.Muon, shape, adjust_lr_fn="match_rms_adamw")
    torch.testing.assert_close(steps(Muon, shape), expected, rtol=0.02, atol=0.02)


def test_every_direction_weighs_about_the_same() -> None:
    """Its authors' coefficients leave the singular values between 0.7 and 1.2."""
    torch.manual_seed(0)
    made = orthogonalize(torch.randn(24, 96), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    assert made.dtype == torch.float32
    values = torch.linalg.svdvals(made)
    assert 0.6 < values.min() <= values.max() < 1.3


def test_a_state_of_torch_goes_on() -> None:
    """A run that was begun with torch's is resumed with ours."""
    kinds: tuple[Any, Any] = (torch.optim.Muon, Muon)
    theirs, ours = (kind([torch.nn.Parameter(torch.ones(4, 4))], lr=0.1) for kind in kinds)
    theirs.param_groups[0]["params"][0].grad = torch.eye(4)
    theirs.step()
    ours.load_state_dict(theirs.state_dict())
    momentum = next(iter(ours.state.values()))["momentum_buffer"]
    torch.testing.assert_close(momentum, torch.eye(4) * 0.05)
