"""LoRA adapters for tests: saved by peft itself, with random weights, and the same ones as a GGUF."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import safetensors.torch
import torch

RANK = 4
NAME = re.compile(r"base_model\.model\.(?:transformer\.h|model\.layers)\.(\d+)\.(.+)\.lora_([AB])\.weight")
MODULES = {  # transformers' names and llama.cpp's
    "gpt2": {"attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"},
    "llama": {"self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.down_proj": "ffn_down"},
}


def write_adapter(model: Any, base: str, folder: Path, size: float = 0.15, **metadata: str) -> Path:
    """An adapter of a loaded model's in `folder`, with `metadata` in its safetensors; its GGUF."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    kind = str(model.config.model_type)
    targets = sorted({name.rpartition(".")[2] for name in MODULES[kind]})
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=targets, fan_in_fan_out=kind == "gpt2")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        adapted = get_peft_model(model, config)
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=size)
        adapted.peft_config["default"].base_model_name_or_path = base
        adapted.save_pretrained(folder, save_embedding_layers=False)
    path = folder / "adapter_model.safetensors"
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {"format": "pt", **metadata})
    keys = {"general.base_model.0.name": base, "general.base_model.0.sha256": metadata.get("base_sha256", "")}
    return write_gguf(tensors, folder / "adapter.gguf", kind, keys)


def write_gguf(tensors: Mapping[str, Any], path: Path, kind: str, texts: Mapping[str, str]) -> Path:
    """An adapter's tensors as llama.cpp reads them; `texts` go into its metadata, over what makes it an adapter."""
    writer = gguf.GGUFWriter(path, kind)
    for key, text in {"general.type": "adapter", "adapter.type": "lora", **texts}.items():
        if text:
            writer.add_string(key, text)
    writer.add_float32("adapter.lora.alpha", 2 * RANK)
    for name, tensor in tensors.items():
        found = NAME.fullmatch(name)
        assert found is not None, name
        block, module, factor = found.groups()
        writer.add_tensor(f"blk.{block}.{MODULES[kind][module]}.weight.lora_{factor.lower()}", tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
