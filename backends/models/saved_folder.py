"""A folder with a saved model of Hugging Face's as an entry of the catalogue. Reads configuration; loads nothing."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from backends.hf.saved import CONFIG, SavedModel, SavedModelError, read_saved
from backends.models.abilities import read_template
from backends.models.card import read_licence
from backends.models.entry import Ability, Entry, Origin

BACKEND = "gpt2"
WRITES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")  # how classes end that write text
SENTENCES = "modules.json"  # what sentence-transformers save beside a model
KINDS = {"F32": "F32", "F16": "F16", "BF16": "BF16", "F64": "F64"}


def saved_entry(folder: Path, origin: Origin, name: str) -> Entry:
    """The model of a folder; one that is broken has the reason."""
    try:
        saved = read_saved(folder)
    except (SavedModelError, OSError) as error:
        reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        return Entry(name, BACKEND, origin, folder, _files(folder), _size(folder), problem=reason)
    template = _template(folder)
    return Entry(
        name,
        BACKEND,
        origin,
        folder,
        _files(folder),
        _size(folder),
        saved.architecture,
        saved.parameters,
        _quantization(saved),
        saved.window,
        read_licence(folder),
        bool(template),
        _abilities(saved, template),
        problem=_problem(saved),
    )


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a model's configuration and something like weights; adapters have another."""
    if not (folder / CONFIG).is_file():
        return False
    return any(next(folder.glob(pattern), None) for pattern in ("*.safetensors*", "pytorch_model*", "*.incomplete"))


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".gguf"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _quantization(saved: SavedModel) -> str:
    """How its weights are stored: the method that quantized them, else their type."""
    method = saved.config.get("quantization_config")
    named = str(method.get("quant_method") or "") if isinstance(method, dict) else ""
    return named or KINDS.get(saved.type, saved.type)


def _classes(saved: SavedModel) -> list[str]:
    named = saved.config.get("architectures")
    return [str(each) for each in named] if isinstance(named, list) else []


def _abilities(saved: SavedModel, template: str | None) -> frozenset[Ability]:
    if (saved.folder / SENTENCES).is_file():
        return frozenset({Ability.EMBED})
    seen = frozenset({Ability.SEE}) if "vision_config" in saved.config else frozenset[Ability]()
    return read_template(template) | seen


def _problem(saved: SavedModel) -> str | None:
    """Why it cannot answer; None where nothing is seen."""
    if "quantization" in saved.config:
        return "is a model for MLX, which computes on Apple's machines alone: take its GGUF"
    if (saved.folder / SENTENCES).is_file():
        return None
    classes = _classes(saved)
    if classes and not any(name.endswith(WRITES) for name in classes):
        return f"writes no text one token after the other ({classes[0]}): take a chat model"
    return None


def _template(folder: Path) -> str | None:
    """The chat template saved with the tokenizer, of several the default one."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    with suppress(OSError, ValueError):
        saved: Any = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        named = saved.get("chat_template") if isinstance(saved, dict) else None
        several = {each.get("name"): each.get("template") for each in named} if isinstance(named, list) else {}
        found = several.get("default") if several else named
        return found if isinstance(found, str) else None
    return None
