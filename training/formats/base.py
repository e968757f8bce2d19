"""The base of an adapter: which file or folder it is, and how an adapter's files name it, so that no other is taken.

Knows headers and hashes; loads no weights.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf


@dataclass(frozen=True)
class Base:
    """`name` for people, `architecture` as GGUF names it; size and SHA-256 where it is one GGUF file."""

    path: Path
    name: str
    architecture: str
    size: int = 0
    sha256: str = ""

    @property
    def is_gguf(self) -> bool:
        """Whether it is a GGUF file, and not a folder."""
        return self.path.suffix == ".gguf"

    def to_metadata(self) -> dict[str, str]:
        """What stands in the metadata of an adapter's safetensors."""
        known = {"base_name": self.name, "base_architecture": self.architecture, "base_sha256": self.sha256}
        return {**{key: value for key, value in known.items() if value}, "base_size": str(self.size)}


def read_base(path: Path, config: Any, name: str = "") -> Base:
    """The base at `path`, whose loaded config is `config`; named by its file where no name is given. Raises OSError."""
    architecture = str(config.model_type)
    if path.suffix != ".gguf":
        return Base(path, name or path.name, architecture)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Base(path, name or path.stem.rsplit(".", 1)[0], architecture, path.stat().st_size, digest)


def gguf_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape ([inputs, outputs]) of each tensor of a GGUF file."""
    return {tensor.name: tuple(int(n) for n in tensor.shape) for tensor in gguf.GGUFReader(path).tensors}
