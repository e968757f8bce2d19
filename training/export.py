"""A trained folder to the files that serve: fp16 safetensors and an f16 GGUF of exactly the same weights.

    python -m training.export runs/first/model models/default --licence CC-BY-SA-4.0

Knows GPT-2's layout in both formats; nothing of training or serving.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from training.command import run

# Hugging Face name -> GGUF name; Conv1D matrices are stored the other way round.
BLOCK = {
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip
# How a reply is drawn where nobody sets a knob; both files carry it.
SAMPLING: dict[str, float | int] = {"temperature": 0.5, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1}
OUTER = {"wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight",
         "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias"}  # fmt: skip


def export(source: Path, target: Path, licence: str, description: str, sampling: dict[str, float | int]) -> None:
    """Write `target`; it is complete or not there at all. Raises OSError, ValueError."""
    if target.resolve() == source.resolve():
        raise ValueError(f"{target} is the source itself: name another folder")
    if target.exists() and not (target / "config.json").is_file():
        raise ValueError(f"{target} exists and is no model folder: name a new one")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model = GPT2LMHeadModel.from_pretrained(source, dtype=torch.float32, local_files_only=True).half().eval()
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    ends = sorted({tokenizer.eos_token_id, tokenizer.bos_token_id})
    model.generation_config.update(do_sample=True, eos_token_id=ends, **sampling)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    write_gguf(model, tokenizer, part / "model-f16.gguf", licence, description, sampling)
    for written in part.iterdir():
        written.chmod(0o644)
    if target.exists():
        for kept in target.glob("*.md"):
            shutil.copy2(kept, part / kept.name)
        shutil.rmtree(target)
    os.replace(part, target)


def write_gguf(
    model: Any, tokenizer: Any, path: Path, licence: str, description: str, sampling: dict[str, float | int]
) -> None:
    """One GGUF file: matrices f16, everything else f32 (as llama.cpp's own converter has it)."""
    writer = gguf.GGUFWriter(path, "gpt2")
    config = model.config
    writer.add_name("llm-assistant small talk")
    writer.add_license(licence)
    writer.add_description(description)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_sampling_temp(float(sampling["temperature"]))
    writer.add_sampling_top_p(float(sampling["top_p"]))
    writer.add_sampling_top_k(int(sampling["top_k"]))
    writer.add_sampling_penalty_repeat(float(sampling["repetition_penalty"]))
    add_tokenizer(writer, tokenizer)
    for name, tensor in model.transformer.state_dict().items():
        renamed = gguf_name(name)
        if renamed is None:
            continue
        array = (tensor.T if "c_" in name and name.endswith("weight") else tensor).contiguous().numpy()
        half = array.ndim == 2 and renamed != "position_embd.weight"
        writer.add_tensor(renamed, array.astype(np.float16 if half else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str | None:
    """The GGUF name of a tensor of GPT2Model; None for buffers that are no weights."""
    if name in OUTER:
        return OUTER[name]
    _, number, rest = name.split(".", 2)
    module, _, kind = rest.rpartition(".")
    return f"blk.{number}.{BLOCK[module]}.{kind}" if module in BLOCK else None


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any) -> None:
    """Vocabulary, merges, special tokens and the chat template."""
    bpe = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    special = set(tokenizer.all_special_tokens)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in bpe["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.chat_template)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder written by training.train")
    parser.add_argument("target", type=Path, help="folder to serve from, replaced when all is written")
    parser.add_argument("--licence", default="CC-BY-SA-4.0", help="written into the GGUF")
    parser.add_argument("--description", default="A small demonstration model for everyday chat.")
    for name, value in SAMPLING.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"({value})")
    args = parser.parse_args(argv)
    sampling = {name: getattr(args, name) for name in SAMPLING}
    return run("export", lambda: export(args.source, args.target, args.licence, args.description, sampling))


if __name__ == "__main__":
    sys.exit(main())
