"""A model as Ollama describes one, from what its files say. Asks no server and loads nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from langchain_core.exceptions import ModelNotFoundError
from pydantic import BaseModel

import backends
from api.http.models import ready_models
from api.http.state import AppState
from api.ollama.answer import format_time
from api.ollama.names import listed_name
from backends import Entry, models
from documents import embedding
from settings import Settings, SettingsError

CAPABILITIES = {
    models.Ability.TOOLS: "tools",
    models.Ability.THINK: "thinking",
    models.Ability.EMBED: "embedding",
}
VISION = "vision"
STARTED = datetime.now(UTC)


class Details(BaseModel):
    """What kind of model it is; empty where a server has it, or nobody tells."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: list[str] = []
    parameter_size: str = ""
    quantization_level: str = ""


@dataclass(frozen=True)
class Described:
    """A model by the name that clients ask for, and its entry in the catalogue where it lies on this machine.

    `is_embedder`: it makes vectors, and no text. `can_see`: it sees pictures, or nobody knows better.
    """

    name: str
    backend: str
    entry: Entry | None = None
    is_embedder: bool = False
    can_see: bool = False

    @property
    def listed(self) -> str:
        """Its name with a tag."""
        return listed_name(self.name)

    @property
    def size(self) -> int:
        """Bytes on the disk; 0 for a server's."""
        return self.entry.size if self.entry else 0

    @property
    def modified(self) -> str:
        """When its file was written; of a server's, when this one was started."""
        return format_time(self._time())

    @property
    def digest(self) -> str:
        """What tells it from another one of the same name: by file, size and time, since no file is read for a list."""
        place = f"{self.entry.path} {self.entry.size} {self._time()}" if self.entry else f"{self.backend} {self.name}"
        return hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()

    @property
    def details(self) -> Details:
        """What kind of model it is."""
        if self.entry is None:
            return Details(family=self.backend, families=[self.backend])
        family = self.entry.architecture
        return Details(
            format="gguf" if self.entry.path.suffix == ".gguf" else "safetensors",
            family=family,
            families=[family] if family else [],
            parameter_size=models.format_parameters(self.entry.parameters) if self.entry.parameters else "",
            quantization_level=self.entry.quantization,
        )

    @property
    def capabilities(self) -> list[str]:
        """What it can; of a server's model what most can."""
        if self.is_embedder:
            return [CAPABILITIES[models.Ability.EMBED]]
        able = {models.Ability.TOOLS} if self.entry is None else self.entry.abilities
        found = ["completion", *(name for ability, name in CAPABILITIES.items() if ability in able)]
        return [*found, VISION] if self.can_see else found

    @property
    def template(self) -> str:
        """Its chat template, where its file holds one."""
        if self.entry is None or self.entry.path.suffix != ".gguf":
            return ""
        try:
            return models.read_header(self.entry.path).text("tokenizer.chat_template")
        except (OSError, ValueError):
            return ""

    def model_info(self) -> dict[str, str | int]:
        """What is known of it, by the names of GGUF's metadata."""
        if self.entry is None:
            return {}
        entry, family = self.entry, self.entry.architecture
        found: dict[str, str | int | None] = {
            "general.architecture": family,
            "general.parameter_count": entry.parameters,
            "general.license": entry.licence,
            f"{family}.context_length": entry.window,
        }
        return {name: value for name, value in found.items() if value}

    def _time(self) -> datetime:
        try:
            return datetime.fromtimestamp(self.entry.path.stat().st_mtime, UTC) if self.entry else STARTED
        except OSError:  # it was deleted meanwhile
            return STARTED


def describe_all(state: AppState) -> list[Described]:
    """Every model that may be asked for now."""
    entries = backends.list_catalogue(state.settings)
    found = [
        Described(name, backend, _find(backend, state.settings, entries))
        for name, backend in ready_models(state).items()
    ]
    return found if (embedder := find_embedder()) is None else [*found, embedder]


def find_embedder() -> Described | None:
    """What makes the vectors of documents; None where nothing does."""
    try:
        embedder = embedding.current_embedder()
    except SettingsError:
        return None
    return None if embedder is None else Described(embedder.name, "embeddings", is_embedder=True)


def describe(state: AppState, name: str, backend: str) -> Described:
    """One of them, by its name and the backend behind it."""
    entry = _find(backend, state.settings, backends.list_catalogue(state.settings))
    return Described(name, backend, entry, can_see=backends.vision_error(backend, state.settings) is None)


def _find(backend: str, settings: Settings, entries: list[Entry]) -> Entry | None:
    return next(_matching(backend, settings, entries), None)


def _matching(backend: str, settings: Settings, entries: list[Entry]) -> Iterator[Entry]:
    """The entries that are the model of a backend of this machine."""
    local = backends.LocalName.parse(backend)
    if local is not None:
        yield from (each for each in entries if (each.backend, each.name) == (local.backend, local.model))
    elif backend in backends.LOCAL:
        try:
            key = backends.find_backend(backend).model_key(settings)  # type: ignore[union-attr]
        except ModelNotFoundError:
            return
        yield from (each for each in entries if each.has_key(key))
