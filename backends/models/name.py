"""How a model of this process is named beside the one that the settings name: `llamacpp:NAME`, `gpt2:NAME`.

Knows names; no file, and no backend but those that compute here.
"""

from dataclasses import dataclass
from typing import Self

from backends.remote.provider import LOCAL


@dataclass(frozen=True)
class LocalName:
    """A backend of this process, and which of the models that lie here: the catalogue's name, never a path."""

    backend: str
    model: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The backend and the model that a name holds; None for any other name."""
        backend, colon, model = name.partition(":")
        return cls(backend, model) if colon and model and backend in LOCAL else None

    def __str__(self) -> str:
        return f"{self.backend}:{self.model}"
