"""A model to be evaluated: its weights, its tokenizer and its name, from a folder or the hub. Knows no data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GPT2DoubleHeadsModel
from transformers.utils import logging

from training.chat_encoder import ChatEncoder


@dataclass(frozen=True)
class LoadedModel:
    """`name` as the user gave it; `choice`: whether the model has a head that chooses the next utterance."""

    name: str
    model: Any
    encoder: ChatEncoder
    choice: bool


def load(name: str, bf16: bool = False) -> LoadedModel:
    """Load a model for reading alone. Raises ValueError, OSError in one line that names it."""
    local = _is_folder(name)
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(name, local_files_only=local)
        # The same function as gelu_new, in one step instead of eight.
        faster = {"activation_function": "gelu_pytorch_tanh"} if _gelu_new(config) else {}
        choice = "GPT2DoubleHeadsModel" in (config.architectures or ())
        kind: Any = GPT2DoubleHeadsModel if choice else AutoModelForCausalLM
        dtype = torch.bfloat16 if bf16 else torch.float32
        model = kind.from_pretrained(name, dtype=dtype, local_files_only=local, **faster).eval()
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=local)
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(f"{name} cannot be loaded as a model: {reason}") from error
    return LoadedModel(name, model, ChatEncoder(tokenizer, int(config.max_position_embeddings)), choice)


def _gelu_new(config: Any) -> bool:
    return bool(config.model_type == "gpt2" and config.activation_function == "gelu_new")


def _is_folder(name: str) -> bool:
    """Whether `name` is a folder here; False for a hub name. Raises ValueError, OSError where it is neither."""
    path = Path(name)
    if path.suffix == ".gguf" or path.is_file():
        raise ValueError(f"{name} is a file: name the model folder that it was exported from")
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"{name} holds no config.json: name a folder saved by training.train or training.export")
        return True
    if path.is_absolute() or name.count("/") > 1 or path.parts[:1] in {(".",), ("..",), ("models",), ("runs",)}:
        raise FileNotFoundError(f"{name} does not exist: name a model folder or a Hugging Face hub name")
    return False
