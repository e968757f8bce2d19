"""What a folder saved by `save_pretrained` says of itself: configuration and the headers of its weights. Loads nothing.

Knows the layout of safetensors files: 8 bytes with the length of a JSON text, then that text, which names each tensor
with its type and shape (huggingface.co/docs/safetensors). Nothing of torch.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
LONGEST_HEADER = 100 * 2**20  # bytes: the format's own bound
BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}


class SavedModelError(ValueError):
    """A folder is no model that can be loaded; the text says why, and goes on after the folder's name."""


@dataclass(frozen=True)
class SavedModel:
    """A saved model: `config` is its config.json, `files` are those with weights, `shapes` its tensors by name."""

    folder: Path
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    shapes: Mapping[str, tuple[str, tuple[int, ...]]]

    @property
    def architecture(self) -> str:
        """The kind of model, by transformers' name for it."""
        return str(self.config.get("model_type") or "")

    @property
    def parameters(self) -> int:
        """The number of weights; 0 where only PyTorch's pickles hold them."""
        return sum(math.prod(shape) for _, shape in self.shapes.values())

    @property
    def type(self) -> str:
        """The type of most weights, as files name it; empty without any."""
        counts: dict[str, int] = {}
        for name, shape in self.shapes.values():
            counts[name] = counts.get(name, 0) + math.prod(shape)
        return max(counts, key=counts.__getitem__, default="")

    def number(self, *names: str, default: int = 0) -> int:
        """The first of some whole numbers of the configuration, or of the text part of one that also sees."""
        text = self.config.get("text_config")
        for found in (self.config, text if isinstance(text, dict) else {}):
            for name in names:
                if isinstance(value := found.get(name), int) and not isinstance(value, bool):
                    return value
        return default

    @property
    def window(self) -> int | None:
        """The tokens that the model was trained for."""
        return self.number("n_positions", "max_position_embeddings", "seq_length", "n_ctx") or None

    @property
    def size(self) -> int:
        """Bytes of the files with weights."""
        return sum(path.stat().st_size for path in self.files)


def read_saved(folder: Path) -> SavedModel:
    """What a folder holds. Raises SavedModelError, OSError."""
    config = _read_json(folder / CONFIG)
    files = _weight_files(folder)
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path in files:
        if path.suffix == ".safetensors":
            shapes |= _read_shapes(path)
    return SavedModel(folder, config, files, shapes)


def _weight_files(folder: Path) -> tuple[Path, ...]:
    """Files with weights: those that an index names, else what is there. Raises SavedModelError."""
    if (folder / INDEX).is_file():
        named = _read_json(folder / INDEX).get("weight_map")
        names = sorted(set(named.values())) if isinstance(named, dict) else []
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise SavedModelError(f"lacks {missing[0]}{others}: download all files of the model")
        return tuple(folder / name for name in names)
    found = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not found:
        raise SavedModelError("holds no weights (model.safetensors)")
    return tuple(found)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SavedModelError(f"has a {path.name} that is no JSON: download it again") from error
    if not isinstance(found, dict):
        raise SavedModelError(f"has a {path.name} that is no object of JSON: download it again")
    return found


def _read_shapes(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each tensor of a file. Raises SavedModelError where the file is none, or not whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else LONGEST_HEADER + 1
        if length > min(LONGEST_HEADER, size):
            raise SavedModelError(f"has a {path.name} that is no safetensors file, or cut short: download it again")
        text = file.read(length)
    try:
        header = json.loads(text)
        tensors = {name: each for name, each in header.items() if name != "__metadata__"}
        end = max((each["data_offsets"][1] for each in tensors.values()), default=0)
        shapes = {name: (str(each["dtype"]), tuple(map(int, each["shape"]))) for name, each in tensors.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SavedModelError(f"has a {path.name} with a damaged header: download it again") from error
    if size < 8 + length + end:
        raise SavedModelError(
            f"has a {path.name} that is cut short, {size} of {8 + length + end} bytes: download it again"
        )
    return shapes
