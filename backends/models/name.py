"""How a model of this process is named beside the one that the settings name: `llamacpp:NAME`, `gpt2:NAME`.

Knows names, and which of them settings hold; no file, and no backend but those that compute here.
"""

from dataclasses import dataclass
from typing import Self

from backends.remote.provider import LOCAL, ProviderModel
from settings import Settings


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


def is_model_name(name: str) -> bool:
    """Whether a name is that of one model, of a provider or on this machine, and not of a backend."""
    return LocalName.parse(name) is not None or ProviderModel.parse(name) is not None


def configured_models(settings: Settings) -> list[str]:
    """The names in LLM_BACKEND and LLM_FALLBACK that are models', each once."""
    named = (settings.llm_backend, *settings.llm_fallback)
    return list(dict.fromkeys(name for name in named if name and is_model_name(name)))
