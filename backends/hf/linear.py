"""One matrix of a network: as it was saved, or in 8 bits, which a CPU reads four times as fast. Knows tensors only."""

import warnings
from collections.abc import Callable
from typing import Any

LARGEST = 127  # of a signed byte
USUAL = 8  # tokens of a step, for which oneDNN orders a matrix
NEAR = 2**19  # numbers of a matrix that stays in a core's cache: there the plain order is faster for a single token


def exact(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """Multiply [tokens, inputs] by `weight`, [inputs, outputs], and add `bias`, [outputs] or None."""
    import torch

    if bias is None:
        return lambda x: torch.mm(x, weight)
    return lambda x: torch.addmm(bias, x, weight)


def twofold(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """The same from a copy in oneDNN's own order: far faster for several tokens, and for one where it is large."""
    import torch

    plain, copied = exact(weight, bias), weight.detach().t().contiguous()
    packed = torch.ops.mkldnn._reorder_linear_weight(copied, USUAL)
    added = None if bias is None else bias.detach()

    def product(x: Any) -> Any:
        if len(x) == 1 and weight.numel() <= NEAR:
            return plain(x)
        return torch.ops.mkldnn._linear_pointwise(x, packed, added, "none", [], "")

    return product


def rounded(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """The same with a scale for each output and whole numbers up to 127; the tokens' own are found as they come."""
    import torch

    outputs = weight.detach().t().contiguous()
    scales = outputs.abs().amax(1).clamp_min(1e-12).double() / LARGEST
    with warnings.catch_warnings():  # its maker, torch.ao, moves house; the operations stay
        warnings.simplefilter("ignore")
        whole = torch.quantize_per_channel(outputs, scales, torch.zeros(len(scales), dtype=torch.long), 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(whole, None if bias is None else bias.detach())

    def product(x: Any) -> Any:
        return torch.ops.quantized.linear_dynamic(x, packed, reduce_range=True)

    return product
