"""Whether a model sees pictures, as a server's row or description of it says. Knows answers; asks nobody.

OpenRouter, LM Studio, llama-server, Ollama, Mistral, LiteLLM, Xinference and others say it, each in a field of its own.
"""

from typing import Any

MODALITIES = ("input_modalities", "supported_input_modalities", "modalities", "modality")  # who lists some, lists all
ABILITIES = ("capabilities", "model_ability", "features")
FLAGS = ("supports_vision", "supports_image_in", "vision")
SEEING = ("vision", "image", "multimodal")
PARTS = ("architecture", "model_info", "info", "meta")


def told_vision(row: Any, *, lists_all: bool = False) -> bool | None:
    """Whether it does; None where nothing of that is said. `lists_all`: of its abilities none is left out."""
    if not isinstance(row, dict):
        return None
    if row.get("type") == "vlm":  # LM Studio
        return True
    told = [_flag(row), *(_listed(row.get(name)) for name in MODALITIES)]
    told += [_able(row.get(name), lists_all) for name in ABILITIES]
    told += [told_vision(row.get(name)) for name in PARTS]
    return True if True in told else False if False in told else None


def _able(value: Any, lists_all: bool) -> bool | None:
    said = _listed(value)
    return None if said is False and isinstance(value, list) and not lists_all else said


def _flag(row: dict[str, Any]) -> bool | None:
    return next((row[name] for name in FLAGS if isinstance(row.get(name), bool)), None)


def _listed(value: Any) -> bool | None:
    """What words, or an object of flags, say."""
    if isinstance(value, dict):
        return _flag(value)
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    said = " ".join(word.partition("->")[0].lower() for word in words if isinstance(word, str))
    return any(each in said for each in SEEING) if said else None
