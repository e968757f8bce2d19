"""One matrix of a network as a function: plain, packed for this CPU, or in 8 bits. Knows tensors only."""

import warnings
from collections.abc import Callable
from typing import Any

INT8_MAX = 127  # of a signed byte
TYPICAL_TOKENS = 8  # tokens of a step, for which oneDNN orders a matrix
CACHED_WEIGHTS = 2**19  # weights that stay in a core's cache, where the plain order is faster for a single token


def plain_linear(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """A function from [tokens, inputs] to [tokens, outputs]: times `weight`, [inputs, outputs], plus `bias` or None."""
    import torch

    if bias is None:
        return lambda x: torch.mm(x, weight)
    return lambda x: torch.addmm(bias, x, weight)


def packed_linear(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """A function as plain_linear's over a copy in oneDNN's own order: far faster for several tokens or a large one."""
    import torch

    fp32_product, copied = plain_linear(weight, bias), weight.detach().t().contiguous()
    packed = torch.ops.mkldnn._reorder_linear_weight(copied, TYPICAL_TOKENS)
    added = None if bias is None else bias.detach()

    def product(x: Any) -> Any:
        if len(x) == 1 and weight.numel() <= CACHED_WEIGHTS:
            return fp32_product(x)
        return torch.ops.mkldnn._linear_pointwise(x, packed, added, "none", [], "")

    return product


def int8_linear(weight: Any, bias: Any) -> Callable[[Any], Any]:
    """A function as plain_linear's in 8 bits, which a CPU reads four times as fast, with a scale for each output."""
    import torch

    outputs = weight.detach().t().contiguous()
    scales = outputs.abs().amax(1).clamp_min(1e-12).double() / INT8_MAX
    with warnings.catch_warnings():  # its maker, torch.ao, moves house; the operations stay
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_channel(
            outputs, scales, torch.zeros(len(scales), dtype=torch.long), 0, torch.qint8
        )
        packed = torch.ops.quantized.linear_prepack(quantized, None if bias is None else bias.detach())

    def product(x: Any) -> Any:
        return torch.ops.quantized.linear_dynamic(x, packed, reduce_range=True)

    return product
