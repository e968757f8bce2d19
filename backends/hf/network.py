"""GPT-2's layers over the pipeline's own weights, for many chats at once: what a module call costs is left out.

A call of a transformers module costs more than a small model's arithmetic. All tokens of a step go through a layer's
matrices together; only attention looks at each chat's own past. Knows tensors; nothing of requests. (The network:
Radford et al., Language Models are Unsupervised Multitask Learners, 2019.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backends.hf.linear import exact, rounded, twofold

SMALL = 160 * 10**6  # parameters of a model whose matrices are kept twice, at most 640 MB
Product = Callable[[Any], Any]
GELUS = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}


@dataclass(frozen=True)
class Piece:
    """Tokens of one row that a step computes, after the `past` tokens that were computed before."""

    row: int
    past: int
    tokens: Sequence[int]


@dataclass(frozen=True)
class Layer:
    """One block: its two norms, and its four matrices with their biases."""

    norm: tuple[Any, Any]
    attention: Product
    project: Product
    second: tuple[Any, Any]
    widen: Product
    narrow: Product


def known(model: Any) -> bool:
    """Whether this is a GPT-2 whose every switch is where this file expects it."""
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

    keeps = True  # what was computed in a row stays until something else is

    def __init__(self, model: Any, rows: int, *, int8: bool = False) -> None:
        config, inner = model.config, model.transformer
        self._heads, self._width, self._eps = config.n_head, config.n_embd, config.layer_norm_epsilon
        self._gelu = GELUS[config.activation_function]
        self._words, self._places = inner.wte.weight, inner.wpe.weight
        product = rounded if int8 else twofold if self._doubles(model, rows) else exact
        self._last, self._head = pair(inner.ln_f), product(model.lm_head.weight.t(), None)
        self._layers = [
            Layer(
                pair(b.ln_1), product(*pair(b.attn.c_attn)), product(*pair(b.attn.c_proj)),
                pair(b.ln_2), product(*pair(b.mlp.c_fc)), product(*pair(b.mlp.c_proj)),
            )
            for b in inner.h
        ]  # fmt: skip
        self._kept = [(self._room(rows, config), self._room(rows, config)) for _ in self._layers]

    def compute(self, pieces: Sequence[Piece]) -> Any:
        """Logits after the last token of each piece, [pieces, vocabulary] in fp32 on the CPU."""
        import torch
        from torch.nn import functional

        device = self._words.device
        tokens = torch.tensor([t for piece in pieces for t in piece.tokens], device=device)
        places = torch.tensor([p.past + i for p in pieces for i in range(len(p.tokens))], device=device)
        views = looks(pieces, self._words)
        x = self._words[tokens] + self._places[places]
        for layer, (keys, values) in zip(self._layers, self._kept, strict=True):
            h = functional.layer_norm(x, (self._width,), *layer.norm, self._eps)
            h = layer.attention(h)
            h = self._attend(h.view(-1, 3, self._heads, self._width // self._heads), keys, values, views)
            x = layer.project(h).add_(x)
            h = functional.layer_norm(x, (self._width,), *layer.second, self._eps)
            h = functional.gelu(layer.widen(h), approximate=self._gelu)
            x = layer.narrow(h).add_(x)
        if len(x) > len(pieces):
            ends = [sum(len(p.tokens) for p in pieces[: i + 1]) - 1 for i in range(len(pieces))]
            x = x[ends]
        x = functional.layer_norm(x, (self._width,), *self._last, self._eps)
        return self._head(x).float().cpu()

    def _attend(self, mixed: Any, keys: Any, values: Any, views: Any) -> Any:
        """What each token takes from its own chat's past; `mixed`: [tokens, 3, heads, size]."""
        from torch import arange, cat
        from torch.nn.functional import scaled_dot_product_attention

        found = []
        for view in views:
            q, k, v = mixed[view.begin : view.end].unbind(1)
            if view.places is None:  # tokens of one row
                keys[view.rows.start, :, view.past : view.length] = k.transpose(0, 1)
                values[view.rows.start, :, view.past : view.length] = v.transpose(0, 1)
                q = q.transpose(0, 1).unsqueeze(0)
            else:  # one token of each of several
                numbers = arange(view.rows.start, view.rows.stop, device=k.device)
                keys[numbers, :, view.places] = k
                values[numbers, :, view.places] = v
                q = q.unsqueeze(2)
            k, v = (kept[view.rows, :, : view.length] for kept in (keys, values))
            seen = scaled_dot_product_attention(q, k, v, attn_mask=view.mask)
            found.append(seen.transpose(1, 2).reshape(-1, self._width))
        return found[0] if len(found) == 1 else cat(found)

    @staticmethod
    def _doubles(model: Any, rows: int) -> bool:
        """Whether a second copy of the matrices costs little memory and can be used."""
        import torch

        fits = model.device.type == "cpu" and model.dtype == torch.float32
        small = rows > 1 and model.num_parameters() <= SMALL
        return fits and small and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]

    def _room(self, rows: int, config: Any) -> Any:
        """Keys or values of a layer, [rows, heads, places, size]: memory that nothing was written to takes none."""
        import numpy
        import torch

        shape = (rows, self._heads, int(config.n_positions), self._width // self._heads)
        if self._words.device.type == "cpu" and self._words.dtype == torch.float32:
            return torch.from_numpy(numpy.zeros(shape, numpy.float32))
        return torch.zeros(shape, dtype=self._words.dtype, device=self._words.device)


@dataclass(frozen=True)
class View:
    """Tokens `begin` to `end` of a step, which attend together to the first `length` places of these rows."""

    begin: int
    end: int
    rows: slice
    length: int
    past: int  # of a single row
    places: Any = None  # of several rows, with one token each: where it goes
    mask: Any = None


def looks(pieces: Sequence[Piece], like: Any) -> list[View]:
    """Neighbouring rows of one token each are looked at together, a piece of a prompt alone."""
    views, at = list[View](), 0
    for run in runs(pieces):
        count, first = sum(len(piece.tokens) for piece in run), run[0]
        rows = slice(first.row, first.row + len(run))
        length = max(piece.past + len(piece.tokens) for piece in run)
        places, mask = (None, None) if count == 1 else shade(run, length, like)
        views.append(View(at, at + count, rows, length, first.past, places, mask))
        at += count
    return views


def runs(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces in their order, those of one token and of neighbouring rows together."""
    found = list[list[Piece]]()
    for piece in pieces:
        before = found[-1][-1] if found else None
        if before and len(before.tokens) == len(piece.tokens) == 1 and piece.row == before.row + 1:
            found[-1].append(piece)
        else:
            found.append([piece])
    return found


def shade(run: Sequence[Piece], length: int, like: Any) -> tuple[Any, Any]:
    """For several rows the place of each one's token, else None; and a mask of what is later than each token."""
    import torch

    empty = torch.full((len(run[0].tokens), length), -torch.inf, dtype=like.dtype, device=like.device)
    if len(run) == 1:
        return None, empty.triu_(run[0].past + 1)
    places = torch.tensor([piece.past for piece in run], device=like.device)
    later = torch.arange(length, device=like.device)[None] > places[:, None]
    return places, torch.where(later, empty, 0.0)[:, None, None]


def pair(module: Any) -> tuple[Any, Any]:
    """Its weight and its bias."""
    return module.weight, module.bias
