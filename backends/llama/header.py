"""The header of a GGUF file: what a model says of itself, read in milliseconds and without loading it.

It follows the format's specification, versions 2 and 3: 1. magic, version and two counts, 2. metadata, key by key,
3. the name, shape, type and place of each tensor, 4. aligned, their data, which are not read. What a header claims is
held against the size of the file before it is believed. Knows bytes; nothing of llama.cpp, nor whether it can load it.
"""

import math
import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from backends.llama.quantization import FILE_TYPES, TENSOR_TYPES

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
LONGEST_STRING = 2**30  # bytes, and elements of an array: llama.cpp's own bound
MOST_ENTRIES = 2**20  # keys, and tensors
KEPT_ELEMENTS = 512  # a longer array is the vocabulary's, whose length alone is kept; no model has more layers
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class HeaderError(ValueError):
    """A file has no header that can be read; the text says why, and goes on after the file's name."""


class CutShortError(HeaderError):
    """A file ends before what its header says is in it."""


class LongArray(NamedTuple):
    """Stands for an array that was passed over."""

    length: int


Value = bool | int | float | str | tuple["Value", ...] | LongArray


class Part(NamedTuple):
    """Which part of a split model a file is: `number` counts from 1."""

    number: int
    total: int


@dataclass(frozen=True)
class Tensor:
    """One tensor: `offset` is its place in bytes after the header, `type` an id of TENSOR_TYPES or an unknown one."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size; 0 for an unknown type."""
        known = TENSOR_TYPES.get(self.type)
        return self.elements // known.block * known.size if known else 0


@dataclass(frozen=True)
class Header:
    """What a file says of itself. `data_offset`: the byte where the tensors' data begin."""

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int

    @property
    def size(self) -> int:
        """The bytes that the file has at least, if it is whole."""
        return max((self.data_offset + tensor.offset + tensor.bytes for tensor in self.tensors), default=0)

    @property
    def architecture(self) -> str:
        """The name by which llama.cpp knows how to compute it, empty where there is none."""
        return self.text("general.architecture")

    @cached_property
    def parameters(self) -> int:
        """The number of weights in this file, which of a split model is one part."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """The mix of types that the file names, else the type of most weights; empty without any."""
        named = FILE_TYPES.get(self.integer("general.file_type", -1))
        weights: Counter[str] = Counter()
        for tensor in self.tensors:
            weights[TENSOR_TYPES[tensor.type].name if tensor.type in TENSOR_TYPES else "?"] += tensor.elements
        return named or next((name for name, _ in weights.most_common(1)), "")

    @property
    def window(self) -> int | None:
        """The tokens that the model was trained for."""
        return self.integer(f"{self.architecture}.context_length", 0) or None

    @property
    def licence(self) -> str:
        """The licence's name, by which files give SPDX ids or words of their own; empty where none is named."""
        return self.text("general.license") or self.text("general.license.name")

    @property
    def name(self) -> str:
        """What the model calls itself."""
        return self.text("general.name")

    @property
    def part(self) -> Part:
        """Which part of how many this file is; 1 of 1 where the model is not split."""
        return Part(self.integer("split.no", 0) + 1, max(1, self.integer("split.count", 1)))

    def text(self, key: str) -> str:
        """The metadata of a key where they are a string, else an empty one."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str, default: int) -> int:
        """The metadata of a key where they are a whole number."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


def read_header(path: Path) -> Header:
    """The header of a file, read once as long as the file stays as it is.

    Raises HeaderError where it has none, CutShortError where it ends within, OSError.
    """
    found = path.stat()
    return _read_file(path, found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=256)
def _read_file(path: Path, *_: int) -> Header:
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise HeaderError("is not a GGUF file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(_Cursor(data))


def _read(cursor: "_Cursor") -> Header:
    # 1. Magic (already seen), version, counts.
    version = _check_version(int(cursor.scalar("I")))
    tensor_count, key_count = int(cursor.scalar("Q")), int(cursor.scalar("Q"))
    if max(tensor_count, key_count) > MOST_ENTRIES:
        raise HeaderError(f"is damaged: its header claims {max(tensor_count, key_count)} entries")
    # 2. Metadata.
    metadata = dict(cursor.pair() for _ in range(key_count))
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise HeaderError(f"is damaged: its header has an alignment of {alignment}")
    # 3. Tensors. 4. Their data begin at the next aligned byte.
    tensors = tuple(cursor.tensor() for _ in range(tensor_count))
    return Header(version, metadata, tensors, -(-cursor.position // alignment) * alignment)


def _check_version(version: int) -> int:
    if version in VERSIONS:
        return version
    if version and not version & 0xFFFF:
        raise HeaderError("is written for big-endian machines; take one for common, little-endian ones")
    newer = version > max(VERSIONS)
    remedy = "update llama-cpp-python, or take" if newer else "take"
    raise HeaderError(f"has version {version} of GGUF, and 2 and 3 are known; {remedy} one of version 3")


class _Cursor:
    """A place in a file's bytes, after the magic; reading moves it on."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self.position = data, 4

    def scalar(self, code: str) -> float | int | bool:
        """One number of a `struct` code. Raises CutShortError."""
        value: float | int | bool = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]
        return value

    def string(self) -> str:
        """A string with its length before it. Raises HeaderError."""
        return self._take(self._length()).decode("utf-8", "replace")

    def pair(self) -> tuple[str, Value]:
        """A key and its value. Raises HeaderError."""
        key, kind = self.string(), int(self.scalar("I"))
        if not key:
            raise HeaderError("is damaged: its header has a key without a name")
        return key, self._array() if kind == ARRAY else self._value(kind)

    def tensor(self) -> Tensor:
        """A tensor's description. Raises HeaderError."""
        name, dimensions = self.string(), int(self.scalar("I"))
        if dimensions > 4:
            raise HeaderError(f"is damaged: its tensor {name!r} has {dimensions} dimensions")
        shape = tuple(int(self.scalar("Q")) for _ in range(dimensions))
        return Tensor(name, shape, int(self.scalar("I")), int(self.scalar("Q")))

    def _value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        if kind not in SCALARS:
            raise HeaderError(f"is damaged: its header has a value of type {kind}, which there is none of")
        return self.scalar(SCALARS[kind])

    def _array(self) -> Value:
        kind, length = int(self.scalar("I")), self._length()
        if length <= KEPT_ELEMENTS:
            return tuple(self._value(kind) for _ in range(length))
        if kind == STRING:
            for _ in range(length):
                size = self._length()
                self.position += size
        elif kind in SCALARS:
            self._take(length * struct.calcsize(SCALARS[kind]), keep=False)
        else:
            raise HeaderError(f"is damaged: its header has an array of type {kind}, which there is none of")
        return LongArray(length)

    def _length(self) -> int:
        length = int(self.scalar("Q"))
        if length > LONGEST_STRING:
            raise HeaderError(f"is damaged: its header has a text or list of length {length}")
        return length

    def _take(self, size: int, *, keep: bool = True) -> bytes:
        begin, self.position = self.position, self.position + size
        if self.position > len(self._data):
            raise CutShortError(f"is cut short: it ends within its header, after {len(self._data)} bytes")
        return self._data[begin : self.position] if keep else b""
