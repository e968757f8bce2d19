"""Nats without all logits at once, beside torch's own."""

import torch

from training import likelihood


def test_nats_and_their_gradients_are_exact() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(1100, 16, requires_grad=True), torch.randn(60, 16, requires_grad=True)
    target, slope = torch.randint(0, 60, (1100,)), torch.randn(1100)
    results = []
    for nats in (
        likelihood.nats(hidden, weight, target),
        torch.nn.functional.cross_entropy(hidden @ weight.T, target, reduction="none"),
    ):
        results.append((nats.detach(), *torch.autograd.grad((nats * slope).sum(), (hidden, weight))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
