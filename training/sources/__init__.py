"""Where raw dialogue comes from: one file is one source, its name is the name in `--source`.

Each has LICENCE and `read(raw) -> Iterator[Dialogue | Text]`; `raw` is a local path, None to fetch what is public.
Knows nothing of cleaning, weights or tokens.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from training.dialogue import Item


class UnreachableError(OSError):
    """What a source fetches by itself cannot be had; `remedy` is said with it."""

    def __init__(self, source: str, what: str, cause: BaseException | str) -> None:
        super().__init__(
            f"{source}: {what} cannot be fetched ({cause}). Fetch it where there is a network and name the local copy: "
            f"--raw {source}=PATH"
        )


def names() -> list[str]:
    """The names of all sources, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def module(name: str) -> ModuleType:
    """A source's module. Raises ValueError naming those there are."""
    if name not in names():
        raise ValueError(f"no source is called {name!r}: there are {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")


def read(name: str, raw: Path | None) -> Iterator[Item]:
    """Everything a source has. Raises ValueError (name, file, line), OSError, UnreachableError."""
    if raw is not None and not raw.exists():
        raise FileNotFoundError(f"{name}: {raw} does not exist")
    items: Iterator[Item] = module(name).read(raw)
    yield from items
