"""Weights that a run starts from: a folder, a hub name or a GGUF file, of GPT-2 or Llama (which SmolLM2 is).

Knows no data and no Trainer.
"""

from contextlib import nullcontext, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, GgufConfig, GPT2DoubleHeadsModel
from transformers.utils import logging

from training import tokenizer
from training.model import GPT2LMHeadModel, LlamaForCausalLM

FAMILIES: dict[str, Any] = {"gpt2": GPT2LMHeadModel, "llama": LlamaForCausalLM}
# The matrices of a block, which adapters stand beside.
MATRICES = {
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def load(name: str, bpe: Any, double_heads: bool = False) -> Any:
    """The saved model in fp32, quantised weights unpacked. Raises OSError, ValueError where `--init` does not do."""
    try:
        model, missing = _read(name, double_heads)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise OSError(
            f"--init {name}: cannot be loaded ({str(error).splitlines()[0]}); name a folder with a saved model, a GGUF "
            "file, or a hub name where there is a network"
        ) from error
    inner = f"{model.base_model_prefix}."
    if lost := [key for key in missing if key.startswith(inner)]:
        raise ValueError(f"--init {name}: {len(lost)} weights are missing, {lost[0]} first: name a whole model")
    source_vocabulary, target_vocabulary = tokenizer.load(name).get_vocab(), bpe.get_vocab()
    if any(target_vocabulary.get(token) != number for token, number in source_vocabulary.items()):
        raise ValueError(
            f"--init {name}: has another vocabulary than the data; "
            f"prepare them with training.prepare --tokenizer {name}"
        )
    model.name_or_path = name  # what adapters of it say that they are for; of a GGUF file, transformers has its folder
    return model


def is_gguf(name: str) -> bool:
    """Whether a name is that of a GGUF file."""
    return name.endswith(".gguf")


def locate(name: str) -> tuple[str, dict[str, Any]]:
    """A name as `from_pretrained` takes it: the folder of a GGUF file with the file's own name, or itself."""
    path = Path(name)
    return (str(path.parent), {"gguf_file": path.name}) if is_gguf(name) else (name, {})


def _read(name: str, double_heads: bool) -> tuple[Any, list[str]]:
    folder, file = locate(name)
    if file and not Path(name).is_file():
        raise FileNotFoundError("there is no such file")
    logging.disable_progress_bar()
    family = AutoConfig.from_pretrained(folder, **file).model_type
    if family not in FAMILIES or (double_heads and family != "gpt2"):
        known = "GPT-2" if double_heads else " and ".join(FAMILIES)
        raise ValueError(f"it is a {family}, and only {known} is trained here{' with a choice head' * double_heads}")
    kind = GPT2DoubleHeadsModel if double_heads else FAMILIES[family]
    options = {"quantization_config": GgufConfig(dequantize=True)} if file else {}
    if family == "gpt2":
        options["num_labels"] = 1
    with redirect_stderr(StringIO()) if file else nullcontext():  # a bar of its own; errors are raised
        model, info = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **file, **options)
    return model, list(info["missing_keys"])
