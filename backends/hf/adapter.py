"""An adapter's folder as peft saves it, held against a model and made part of its weights: it costs nothing per token.

Knows peft and tensors; nothing of tokens, nor of where the model came from.
"""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelNotFoundError

from backends.local.base import Base, base_error

CONFIG, WEIGHTS = "adapter_config.json", ("adapter_model.safetensors", "adapter_model.bin")
FACTOR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<factor>[AB])\.weight")
BASE_HASH = "base_sha256"  # in the metadata of the safetensors: of the GGUF that the adapter was made on
log = logging.getLogger(__name__)


def folder_error(folder: Path) -> str | None:
    """Why a folder is no adapter of peft's, going on after its name; None where nothing is seen. Loads nothing."""
    if not folder.is_dir():
        gguf = folder.suffix == ".gguf" and folder.is_file()
        return (
            "is a GGUF file: name it in LLAMACPP_LORA, or the folder that it was made from" if gguf else "is no folder"
        )
    try:
        kind = str(read_config(folder).get("peft_type") or "")
    except (OSError, ValueError) as error:
        return f"holds no {CONFIG} that can be read ({error}): name a folder saved by peft"
    if kind != "LORA":
        return f"is an adapter of the kind {kind or 'unknown'}: take a LoRA"
    if not any((folder / name).is_file() for name in WEIGHTS):
        return f"holds no {WEIGHTS[0]}: name a folder saved by peft"
    return None


def read_config(folder: Path) -> dict[str, Any]:
    """What an adapter says of itself. Raises OSError, ValueError."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("it is no JSON object")
    return config


def merge(model: Any, folder: Path, names: Iterable[str], sha256: Callable[[], str] | None = None) -> Any:
    """The model with an adapter in its weights; `names` are the model's. Raises ModelNotFoundError where it fits not.

    `sha256` reads the model's file, where it is a single one.
    """
    trouble = folder_error(folder) or _base_error(model, folder, [*names], sha256)
    if trouble:
        raise ModelNotFoundError(f"gpt2: GPT2_ADAPTER={folder} {trouble}.")
    from peft import PeftModel

    with warnings.catch_warnings():  # peft 0.21 asks transformers 5.23 under a name that is on its way out
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        try:
            return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelNotFoundError(f"gpt2: GPT2_ADAPTER={folder} cannot be loaded: {reason}") from error


def _base_error(model: Any, folder: Path, names: list[str], sha256: Callable[[], str] | None) -> str | None:
    """How an adapter and a model do not belong together."""
    named = str(read_config(folder).get("base_model_name_or_path") or "")
    remedy = "name its base in GPT2_MODEL"
    misfit = next(_misfits(read_shapes(folder), model), None)
    if misfit:
        return f"was made for {named or 'another model'}, and does not fit {names[-1]}: {misfit}; {remedy}"
    trouble, warning = base_error(Base(named, _saved_hash(folder)), names, sha256)
    if warning:
        log.warning("GPT2_ADAPTER: the adapter %s; its matrices fit, so it is taken", warning)
    return f"{trouble}: {remedy}" if trouble else None


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of an adapter in safetensors; none of one in PyTorch's own format, which peft checks."""
    from safetensors import safe_open

    path = folder / WEIGHTS[0]
    if not path.is_file():
        return {}
    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict


def _saved_hash(folder: Path) -> str:
    from safetensors import safe_open

    path = folder / WEIGHTS[0]
    if not path.is_file():
        return ""
    with safe_open(path, "pt") as file:
        return str((file.metadata() or {}).get(BASE_HASH, ""))


def _misfits(shapes: dict[str, tuple[int, ...]], model: Any) -> Iterator[str]:
    """What of an adapter's matrices a model does not have, or has in another shape."""
    modules = dict(model.named_modules())
    for name, shape in shapes.items():
        found = FACTOR.fullmatch(name)
        if not found:
            continue  # embeddings and modules saved whole: peft itself holds them against the model
        weight = getattr(modules.get(found["module"]), "weight", None)
        if weight is None:
            yield f"there is no {found['module']} in the model"
            continue
        outside = shape[-1] if found["factor"] == "A" else shape[0]
        if outside not in _sides(modules[found["module"]], found["factor"]):
            sides = " x ".join(map(str, weight.shape))
            yield f"{found['module']} is {sides} there, and lora_{found['factor']} is {' x '.join(map(str, shape))}"


def _sides(module: Any, factor: str) -> tuple[int, ...]:
    """The inputs (A) or outputs (B) of a module: Conv1D of GPT-2 keeps them the other way than Linear."""
    rows, columns = module.weight.shape
    inputs, outputs = (rows, columns) if type(module).__name__ == "Conv1D" else (columns, rows)
    return (inputs,) if factor == "A" else (outputs,)


def saved_generation(folder: Path) -> dict[str, Any]:
    """The generation_config.json that lies beside an adapter; empty where none does. Raises ModelNotFoundError."""
    path = folder / "generation_config.json"
    if not path.is_file():
        return {}
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(f"gpt2: GPT2_ADAPTER={folder}: {path.name} cannot be read: {error}") from error
    return saved if isinstance(saved, dict) else {}


def saved_template(folder: Path) -> str | None:
    """The chat template that lies beside an adapter; None where none does. Raises OSError, ValueError."""
    path = folder / "chat_template.jinja"
    return path.read_text(encoding="utf-8") if path.is_file() else None
