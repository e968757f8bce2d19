"""One model that lies on this machine: what it is and can, as its files say. Knows no folder and reads no file."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Origin(StrEnum):
    """Who keeps a model; only what was downloaded by us is ours to remove."""

    SHIPPED = "shipped"
    DOWNLOADED = "downloaded"
    NAMED = "named in a setting"
    HUB = "Hugging Face cache"
    OLLAMA = "Ollama"
    LM_STUDIO = "LM Studio"
    FOLDER = "MODELS_DIRS"


class Ability(StrEnum):
    """What a model can beside going on with a text, as far as its files tell."""

    CHAT = "chat"
    THINK = "think"
    TOOLS = "tools"
    SEE = "see"
    EMBED = "embed"


@dataclass(frozen=True)
class Entry:
    """A model. `backend` is the one that computes it; `name` is unique for that backend, and no path.

    `path`: what the backend loads, the first of `files` or their folder; `parameters`: 0 where nobody tells;
    `window`: tokens it was trained for; `projector`: the file by which it sees; `problem`: why it cannot be loaded.
    """

    name: str
    backend: str
    origin: Origin
    path: Path
    files: tuple[Path, ...]
    size: int
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    window: int | None = None
    licence: str = ""
    has_template: bool = False
    abilities: frozenset[Ability] = frozenset()
    projector: Path | None = None
    problem: str | None = None

    @property
    def full_name(self) -> str:
        """The name that it is asked for by: `llamacpp:NAME`."""
        return f"{self.backend}:{self.name}"

    def has_key(self, key: str) -> bool:
        """Whether a loaded model with this key (its backend's `model_key`) is this one, with adapters or without."""
        own = f"{self.backend} {self.path.resolve()}"
        return key == own or key.startswith(f"{own} + ")

    @property
    def is_removable(self) -> bool:
        """Whether it is ours to remove."""
        return self.origin is Origin.DOWNLOADED
