"""LoRA adapters as GGUF files: named with a scale, held against the model they are for, and loaded beside it.

(Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.) What llama.cpp would say in hints, or pass over,
is told from the headers first. Knows files and llama.cpp's pointers; nothing of how an adapter is applied.
"""

import ctypes
import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.exceptions import ModelNotFoundError

from backends.llama.header import Header, HeaderError, Tensor, read_header
from backends.llama.kind import describe
from backends.llama.parts import parse_name
from backends.local.base import Base, base_error, file_hash

SCALED = re.compile(r"(?P<path>.+?)(?::(?P<scale>[-+]?(?:\d+\.?\d*|\.\d+)))?", re.DOTALL)
MOST = 100.0  # times: a scale beyond it is a slip of the pen
FACTORS = (".lora_a", ".lora_b")  # of a matrix: [inputs, rank] and [rank, outputs]
BASE_HASH = "general.base_model.0.sha256"  # of the GGUF that an adapter was made on
log = logging.getLogger(__name__)


class Adapter(NamedTuple):
    """An adapter's file and by how much it counts; 1 is as it was trained."""

    path: Path
    scale: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "Adapter":
        """`file.gguf` or `file.gguf:0.5`. Raises ValueError for a scale that is none."""
        found = SCALED.fullmatch(text)
        assert found is not None
        scale = float(found["scale"] or 1)
        if abs(scale) > MOST:
            raise ValueError(f"{text}: a scale is a number from -{MOST:.0f} to {MOST:.0f}")
        return cls(Path(found["path"]), scale)

    def __str__(self) -> str:
        return str(self.path) if self.scale == 1 else f"{self.path}:{self.scale:g}"


def adapter_error(adapter: Path, model: Path) -> str | None:
    """Why a file cannot adapt a model's, going on after its name, with the remedy; None where nothing is seen."""
    try:
        header = read_header(adapter)
    except HeaderError:
        return describe(adapter)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    heads = model_headers(model)
    return _kind_error(header) or _whole_error(adapter, header) or _base_error(header, heads, model)


def model_headers(model: Path) -> list[Header]:
    """The headers of a model's file, or of all parts of a split one, the first first. Raises HeaderError, OSError."""
    name = parse_name(model.name)
    return [read_header(model.with_name(part)) for part in name.all()] if name else [read_header(model)]


def _kind_error(header: Header) -> str | None:
    """What a GGUF is that is no adapter which goes for a whole chat."""
    if header.text("general.type") != "adapter":
        return "is no adapter but a model of its own: name it in LLAMACPP_MODEL"
    if header.text("adapter.type") != "lora":
        return f"is an adapter of the kind {header.text('adapter.type')!r}: take a LoRA"
    if "adapter.alora.invocation_tokens" in header.metadata:
        return "is an activated LoRA, which begins in the middle of a prompt: take one that goes for all of it"
    if not any(tensor.name.endswith(FACTORS) for tensor in header.tensors):
        return "holds no weights: convert the adapter anew"
    return None


def _whole_error(path: Path, header: Header) -> str | None:
    size = path.stat().st_size
    return f"is cut short: it has {size} of {header.size} bytes; take it anew" if size < header.size else None


def _base_error(header: Header, heads: Sequence[Header], model: Path) -> str | None:
    """How an adapter and a model do not belong together."""
    named = header.text("general.base_model.0.name")
    made_for = f"was made for {named or 'another model'}"
    remedy = "name its base in LLAMACPP_MODEL"
    if header.architecture != heads[0].architecture:
        return f"{made_for} ({header.architecture}), and {model.name} is a {heads[0].architecture}: {remedy}"
    tensors = {tensor.name: tensor for head in heads for tensor in head.tensors}
    misfit = next(_misfits(header.tensors, tensors), None)
    if misfit:
        return f"{made_for}, and does not fit {model.name}: {misfit}; {remedy}"
    base = Base(named, header.text(BASE_HASH))
    names = (heads[0].name, heads[0].text("general.basename"), model.name)
    trouble, warning = base_error(base, names, lambda: file_hash(model))
    if warning:
        log.warning("LLAMACPP_LORA: the adapter %s; its matrices fit, so it is taken", warning)
    return f"{trouble}: {remedy}" if trouble else None


def _misfits(adapter: Sequence[Tensor], model: dict[str, Tensor]) -> Iterator[str]:
    """What of an adapter's matrices a model does not have, or has in another shape."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for tensor in adapter:
        if tensor.name.endswith(FACTORS):
            pairs.setdefault(tensor.name[:-7], {})[tensor.name[-1]] = tensor
        else:  # llama.cpp would pass over norms
            yield f"it changes {tensor.name}, which is no matrix"
    for name, pair in pairs.items():
        if set(pair) != {"a", "b"}:
            yield f"of {name} it has one factor of two"
        elif name not in model:
            yield f"there is no {name} in the model"
        elif _product(name, pair["a"], pair["b"]) != model[name].shape[:2]:
            yield f"{name} is {_times(model[name].shape)} there, {_times(_product(name, pair['a'], pair['b']))} here"


def _product(name: str, a: Tensor, b: Tensor) -> tuple[int, ...]:
    """The shape of what two factors add to a matrix, [inputs, outputs]; an embedding's factors stand the other way."""
    if a.shape[-1] == 0 or len(a.shape) != len(b.shape) or len(a.shape) < 2:
        return ()
    if name == "token_embd.weight":
        return (b.shape[1], a.shape[1])
    return (a.shape[0], b.shape[1]) if a.shape[1] == b.shape[0] else ()


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape[:2])) or "nothing that can be multiplied"


def load(api: Any, model: Any, path: Path, adapters: Sequence[Adapter]) -> list[Any]:
    """llama.cpp's pointers to adapters, which live as long as the model's own. Raises ModelNotFoundError."""
    pointers = []
    for adapter in adapters:
        trouble = adapter_error(adapter.path, path)
        pointer = None if trouble else api.llama_adapter_lora_init(model, os.fsencode(adapter.path))
        if not pointer:
            raise ModelNotFoundError(
                f"llamacpp: LLAMACPP_LORA={adapter} {trouble or 'cannot be loaded: convert the adapter anew'}."
            )
        pointers.append(pointer)
    return pointers


def apply(api: Any, context: Any, pointers: Sequence[Any], adapters: Sequence[Adapter]) -> None:
    """Have a context compute with adapters that were loaded for its model; all of them, from its first token on."""
    count = len(pointers)
    if count:
        scales = (ctypes.c_float * count)(*(adapter.scale for adapter in adapters))
        api.llama_set_adapters_lora(context, (api.llama_adapter_lora_p_ctypes * count)(*pointers), count, scales)
