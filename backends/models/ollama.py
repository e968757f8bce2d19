"""The models that Ollama keeps: manifests that name blobs by their hash. Read only; Ollama itself is never asked.

The layout: `manifests/HOST/NAMESPACE/NAME/TAG` is a JSON text whose layers have a media type and a digest, and
`blobs/sha256-…` are the layers. Knows that layout; nothing of GGUF.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HOST, NAMESPACE = "registry.ollama.ai", "library"  # left out of a model's name, as Ollama does
PREFIX = "application/vnd.ollama.image."


class OllamaModel(NamedTuple):
    """A model by its name there: its weights, its projector where it has one, and its licence's first line."""

    name: str
    model: Path
    projector: Path | None
    licence: str


def list_models(folder: Path) -> Iterator[OllamaModel]:
    """The models of a folder that OLLAMA_MODELS would name; a manifest that cannot be read names none."""
    root = folder / "manifests"
    for path in sorted(root.glob("*/*/*/*")):
        layers = _layers(path, folder / "blobs")
        if model := layers.get("model"):
            yield OllamaModel(_name(path, root), model, layers.get("projector"), _first_line(layers.get("license")))


def _name(manifest: Path, root: Path) -> str:
    host, namespace, name, tag = manifest.relative_to(root).parts
    before = [part for part, usual in ((host, HOST), (namespace, NAMESPACE)) if part != usual]
    if host != HOST:
        before = [host, namespace]
    return "/".join([*before, f"{name}:{tag}"])


def _layers(manifest: Path, blobs: Path) -> dict[str, Path]:
    """The first layer of each kind, by the kind's name."""
    try:
        told: Any = json.loads(manifest.read_text(encoding="utf-8"))
        layers = [(str(each["mediaType"]), str(each["digest"])) for each in told["layers"]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found: dict[str, Path] = {}
    for kind, digest in layers:
        if kind.startswith(PREFIX):
            found.setdefault(kind.removeprefix(PREFIX), blobs / digest.replace(":", "-").replace("/", "-"))
    return found


def _first_line(path: Path | None) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:2000] if path else ""
    except OSError:
        return ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
