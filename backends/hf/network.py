"""GPT-2's layers over the pipeline's own weights, for many chats at once: what a module call costs is left out.

A call of a transformers module costs more than a small model's arithmetic. All tokens of a step go through a layer's
matrices together; only attention looks at each chat's own past. Knows tensors; nothing of requests. (The network:
Radford et al., Language Models are Unsupervised Multitask Learners, 2019.)
"""

import math
import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from backends.hf.linear import int8_linear, packed_linear, plain_linear

PACKED_PARAMETERS = 160 * 10**6  # parameters of a model whose matrices are kept twice, at most 640 MB
Linear = Callable[[Any], Any]
GELUS = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}


@dataclass(frozen=True)
class Chunk:
    """Tokens of one chat, in its `row` of the cache, that a step computes after the `past` ones computed before."""

    row: int
    past: int
    tokens: Sequence[int]


@dataclass(frozen=True)
class Layer:
    """One block: its two norms, and its four matrices with their biases."""

    attention_norm: tuple[Any, Any]
    qkv: Linear
    attention_output: Linear
    mlp_norm: tuple[Any, Any]
    mlp_up: Linear
    mlp_down: Linear


def is_supported(model: Any) -> bool:
    """Whether a model is a GPT-2 whose every switch is where this file expects it."""
    config = model.config
    return (
        type(model).__name__ == "GPT2LMHeadModel"
        and config.activation_function in GELUS
        and config.scale_attn_weights
        and not config.scale_attn_by_inverse_layer_idx
        and not config.add_cross_attention
    )


class Network:
    """The weights of a GPT2LMHeadModel and the keys and values of at most `rows` chats."""

    keeps_prefix = True  # what was computed in a row stays until something else is

    def __init__(self, model: Any, rows: int, *, int8: bool = False) -> None:
        config, inner = model.config, model.transformer
        self._heads, self._width, self._eps = config.n_head, config.n_embd, config.layer_norm_epsilon
        self._gelu = GELUS[config.activation_function]
        self._token_embedding, self._position_embedding = inner.wte.weight, inner.wpe.weight
        linear = int8_linear if int8 else packed_linear if self._can_pack(model, rows) else plain_linear
        self._final_norm, self._head = weight_and_bias(inner.ln_f), linear(model.lm_head.weight.t(), None)
        self._layers = [
            Layer(
                attention_norm=weight_and_bias(block.ln_1),
                qkv=linear(*weight_and_bias(block.attn.c_attn)),
                attention_output=linear(*weight_and_bias(block.attn.c_proj)),
                mlp_norm=weight_and_bias(block.ln_2),
                mlp_up=linear(*weight_and_bias(block.mlp.c_fc)),
                mlp_down=linear(*weight_and_bias(block.mlp.c_proj)),
            )
            for block in inner.h
        ]
        self._cache = [(self._empty_cache(rows, config), self._empty_cache(rows, config)) for _ in self._layers]

    def compute(self, chunks: Sequence[Chunk]) -> Any:
        """Logits after the last token of each chunk, [chunks, vocabulary] in fp32 on the CPU."""
        import torch
        from torch.nn import functional

        device = self._token_embedding.device
        tokens = torch.tensor([token for chunk in chunks for token in chunk.tokens], device=device)
        positions = torch.tensor([c.past + i for c in chunks for i in range(len(c.tokens))], device=device)
        groups = attention_groups(chunks, self._token_embedding)
        x = self._token_embedding[tokens] + self._position_embedding[positions]
        for layer, (keys, values) in zip(self._layers, self._cache, strict=True):
            h = functional.layer_norm(x, (self._width,), *layer.attention_norm, self._eps)
            h = layer.qkv(h)
            h = self._attend(h.view(-1, 3, self._heads, self._width // self._heads), keys, values, groups)
            x = layer.attention_output(h).add_(x)
            h = functional.layer_norm(x, (self._width,), *layer.mlp_norm, self._eps)
            h = functional.gelu(layer.mlp_up(h), approximate=self._gelu)
            x = layer.mlp_down(h).add_(x)
        if len(x) > len(chunks):
            last_positions = [sum(len(chunk.tokens) for chunk in chunks[: i + 1]) - 1 for i in range(len(chunks))]
            x = x[last_positions]
        x = functional.layer_norm(x, (self._width,), *self._final_norm, self._eps)
        return self._head(x).float().cpu()

    def _attend(self, qkv: Any, keys: Any, values: Any, groups: "Sequence[AttentionGroup]") -> Any:
        """Each token attended to its own row, [tokens, width]; `qkv`: [tokens, 3, heads, size]. Fills the cache."""
        from torch import arange, cat
        from torch.nn.functional import scaled_dot_product_attention

        outputs = []
        for group in groups:
            q, k, v = qkv[group.start : group.end].unbind(1)
            if group.positions is None:  # tokens of one row
                keys[group.rows.start, :, group.past : group.length] = k.transpose(0, 1)
                values[group.rows.start, :, group.past : group.length] = v.transpose(0, 1)
                q = q.transpose(0, 1).unsqueeze(0)
            else:  # one token of each of several rows
                numbers = arange(group.rows.start, group.rows.stop, device=k.device)
                keys[numbers, :, group.positions] = k
                values[numbers, :, group.positions] = v
                q = q.unsqueeze(2)
            k, v = (cache[group.rows, :, : group.length] for cache in (keys, values))
            mixed = scaled_dot_product_attention(q, k, v, attn_mask=group.mask)
            outputs.append(mixed.transpose(1, 2).reshape(-1, self._width))
        return outputs[0] if len(outputs) == 1 else cat(outputs)

    @staticmethod
    def _can_pack(model: Any, rows: int) -> bool:
        """Whether oneDNN can compute with a second copy of the matrices, which costs little memory."""
        import torch

        fits = model.device.type == "cpu" and model.dtype == torch.float32
        small = rows > 1 and model.num_parameters() <= PACKED_PARAMETERS
        return fits and small and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]

    def _empty_cache(self, rows: int, config: Any) -> Any:
        """Keys or values of a layer, [rows, heads, positions, size]: what nothing was written to takes no memory."""
        import torch

        shape = (rows, self._heads, int(config.n_positions), self._width // self._heads)
        like = self._token_embedding
        if like.device.type != "cpu":
            return torch.zeros(shape, dtype=like.dtype, device=like.device)
        return torch.frombuffer(untouched_memory(math.prod(shape) * like.element_size()), dtype=like.dtype).view(shape)


def untouched_memory(size: int) -> mmap.mmap:
    """Memory of zeros that is taken page by page as it is written to.

    numpy's and, on some machines, torch's comes in pages of 2 MB: each head of a chat of some tokens takes one of its
    own, and that it is cleared first takes longer than the layer.
    """
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with suppress(OSError):  # a kernel that knows no large pages
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


@dataclass(frozen=True)
class AttentionGroup:
    """Tokens `start` to `end` of a step, which attend together to the first `length` positions of these rows."""

    start: int
    end: int
    rows: slice
    length: int
    past: int  # of a single row
    positions: Any = None  # [rows], of several rows with one token each: where it goes
    mask: Any = None  # added to the scores; broadcast to [rows, heads, tokens, length]


def attention_groups(chunks: Sequence[Chunk], like: Any) -> list[AttentionGroup]:
    """The groups of a step, in its order; `like`: a tensor of the device and type to use."""
    groups, start = list[AttentionGroup](), 0
    for adjacent in group_adjacent(chunks):
        count, first = sum(len(chunk.tokens) for chunk in adjacent), adjacent[0]
        rows = slice(first.row, first.row + len(adjacent))
        length = max(chunk.past + len(chunk.tokens) for chunk in adjacent)
        positions, mask = (None, None) if count == 1 else positions_and_mask(adjacent, length, like)
        groups.append(AttentionGroup(start, start + count, rows, length, first.past, positions, mask))
        start += count
    return groups


def group_adjacent(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """Chunks in their order, those of one token each and of neighbouring rows together."""
    groups = list[list[Chunk]]()
    for chunk in chunks:
        previous = groups[-1][-1] if groups else None
        if previous and len(previous.tokens) == len(chunk.tokens) == 1 and chunk.row == previous.row + 1:
            groups[-1].append(chunk)
        else:
            groups.append([chunk])
    return groups


def positions_and_mask(chunks: Sequence[Chunk], length: int, like: Any) -> tuple[Any, Any]:
    """The position of each row's token, [rows] (None for a single row), and the mask of what is later than a token."""
    import torch

    empty = torch.full((len(chunks[0].tokens), length), -torch.inf, dtype=like.dtype, device=like.device)
    if len(chunks) == 1:
        return None, empty.triu_(chunks[0].past + 1)
    positions = torch.tensor([chunk.past for chunk in chunks], device=like.device)
    later = torch.arange(length, device=like.device)[None] > positions[:, None]
    return positions, torch.where(later, empty, 0.0)[:, None, None]


def weight_and_bias(module: Any) -> tuple[Any, Any]:
    """The weight and the bias of a module."""
    return module.weight, module.bias
