"""A LoRA adapter's folder, as peft writes it, put on its base or made one model with it.

Knows no tokenizer and no file format.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch

FILE = "adapter_config.json"
CHANGE = 0.001  # of the logits' standard deviation: what merging may change by rounding alone


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter."""
    return (folder / FILE).is_file()


def base_model(folder: Path) -> str:
    """Its base: a path as it stands or beside the adapter, else a hub name. Raises ValueError where it names none."""
    base_name = str(read_settings(folder).get("base_model_name_or_path") or "")
    if not base_name:
        raise ValueError(f"{FILE} names no base model (base_model_name_or_path)")
    return next((str(path) for path in (Path(base_name), folder / base_name) if path.exists()), base_name)


def saved_modules(folder: Path) -> list[str]:
    """The modules that it brings whole; none where the folder is no adapter."""
    return list(read_settings(folder).get("modules_to_save") or ()) if is_adapter(folder) else []


def merge(model: Any, folder: Path, tokens: int) -> Any:
    """`model` with the adapter in its weights, room made for `tokens`. Raises ValueError where that changes answers."""
    if tokens > model.config.vocab_size:
        model.resize_token_embeddings(tokens, mean_resizing=False)
    adapted = apply(model, folder)
    before = _logits(adapted, model.config)
    merged = adapted.merge_and_unload()
    apart = float((_logits(merged, model.config) - before).abs().max() / before.std())
    if not apart <= CHANGE:
        raise ValueError(f"merging changes logits by {apart:.2%} of their spread, at most {CHANGE:.1%} are allowed")
    return merged


def apply(model: Any, folder: Path, learning: bool = False) -> Any:
    """`model` with the adapter beside its weights, in fp32; `learning`: to be trained further."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 under a name that is on its way out.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        adapted: Any = PeftModel.from_pretrained(model, str(folder), is_trainable=learning)
    return adapted if learning else adapted.eval()


@torch.inference_mode()
def _logits(model: Any, config: Any) -> Any:
    ids = torch.arange(min(16, config.vocab_size, config.max_position_embeddings))[None]
    return model(ids, attention_mask=torch.ones_like(ids)).logits


def read_settings(folder: Path) -> dict[str, Any]:
    """Its adapter_config.json. Raises ValueError, OSError."""
    settings = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if not isinstance(settings, dict):
        raise ValueError(f"{FILE} is no JSON object")
    return settings
