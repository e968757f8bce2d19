"""Whether the model that an adapter was made on is the one it is given to, by hash and by name.

A name alone refuses nothing: the same model has many, and adapters are tried on its relatives. A hash that is another
one refuses unless the name is the same, as that of a model in another quantization is. Knows no format.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple


class Base(NamedTuple):
    """What an adapter says of its base: a name, and the SHA-256 of the file; empty where it does not."""

    name: str
    sha256: str = ""


def base_error(
    base: Base, names: Iterable[str], sha256: Callable[[], str] | None = None
) -> tuple[str | None, str | None]:
    """Why a model of these names (and of this hash) is not the base, and what is only odd; each goes on after the name.

    `sha256` reads the file, and is asked only where that counts; None for a model that is not one file.
    """
    known = [name for name in names if name]
    if base.sha256 and sha256 is not None and sha256() == base.sha256:
        return None, None
    if not base.name or any(is_same(base.name, name) for name in known):
        return (None, None) if base.name or not base.sha256 else (_words(base, known), None)
    strict = bool(base.sha256 and sha256 is not None)
    return (_words(base, known), None) if strict else (None, _words(base, known))


def _words(base: Base, known: list[str]) -> str:
    hashed = f" (sha256 {base.sha256[:12]}…)" if base.sha256 else ""
    return f"was made for {base.name or 'a file'}{hashed}, and the model is {known[-1] if known else 'another one'}"


def is_same(one: str, other: str) -> bool:
    """Whether two names are of the same model: one begins with the other, but for folders and how it is written."""
    first, second = _normalized(one), _normalized(other)
    return bool(first and second) and (first.startswith(second) or second.startswith(first))


def _normalized(name: str) -> str:
    return re.sub(r"[\W_]+", "", re.split(r"[/\\]", name.removesuffix(".gguf").rstrip("/"))[-1].lower())


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal: a second for a few gigabytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
