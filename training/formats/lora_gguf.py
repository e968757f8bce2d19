"""A LoRA adapter as a GGUF file of f16 factors, read back through llama.cpp beside its base. Knows no other format.

Names and order of rows are those of llama.cpp's convert_lora_to_gguf: a Llama's queries and keys have the two halves of
each head's rotary pairs interleaved, so the rows of their B factors are permuted as the base's rows were.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import gguf
import numpy as np

import llama_library
from training.formats import Card, Trained, adapter
from training.formats.base import Base, gguf_shapes
from training.formats.gguf import LlamaReader, add_sampling
from training.formats.lora import read_factors

NAME = re.compile(r"base_model\.model\.(?:transformer\.h|model\.layers)\.(\d+)\.(.+)\.lora_([AB])\.weight")
MODULES = {
    "gpt2": {"attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"},
    "llama": {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
}


def write(trained: Trained, path: Path, precision: str, card: Card) -> None:
    """One GGUF file. Raises ValueError for a matrix that the base, where it is a GGUF file, has not in that shape."""
    assert trained.adapter is not None
    folder, base = trained.adapter
    settings = adapter.read_settings(folder)
    writer = gguf.GGUFWriter(path, base.architecture)
    try:
        add_identity(writer, base, card)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(settings["lora_alpha"]))
        for name, array in check_shapes(tensors(read_factors(folder), trained.model.config), base):
            writer.add_tensor(name, array.astype(np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def add_identity(writer: gguf.GGUFWriter, base: Base, card: Card) -> None:
    """What it is, what it is for, and how a reply is drawn where nobody sets an option."""
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(card.name)
    writer.add_license(card.licence)
    writer.add_description(card.description)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, base.name)
    if base.sha256:
        writer.add_string("general.base_model.0.sha256", base.sha256)
        writer.add_uint64("general.base_model.0.size", base.size)
    add_sampling(writer, card)


def tensors(factors: dict[str, Any], config: Any) -> Iterator[tuple[str, Any]]:
    """GGUF name and float32 array of each factor: A (rank, inputs), B (outputs, rank)."""
    modules = MODULES[config.model_type]
    for name, tensor in factors.items():
        found = NAME.fullmatch(name)
        if found is None or found[2] not in modules:
            raise ValueError(f"{name}: llama.cpp's {config.model_type} has no adapter there")
        array = tensor.numpy()
        if found[3] == "B" and found[2] in ("self_attn.q_proj", "self_attn.k_proj"):
            heads = config.num_attention_heads if found[2] == "self_attn.q_proj" else config.num_key_value_heads
            array = interleave(array, heads)
        yield f"blk.{found[1]}.{modules[found[2]]}.weight.lora_{found[3].lower()}", array


def interleave(rows: Any, heads: int) -> Any:
    """The rows of each head in llama.cpp's order: first and second half of the rotary pairs take turns."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def check_shapes(found: Iterator[tuple[str, Any]], base: Base) -> Iterator[tuple[str, Any]]:
    """The tensors, each held against the base's. Raises ValueError naming the first that does not fit."""
    shapes = gguf_shapes(base.path) if base.is_gguf else {}
    for name, array in found:
        matrix, _, factor = name.rpartition(".lora_")
        if shapes:
            inputs, outputs = shapes.get(matrix, (0, 0))[:2]
            expected, got = (inputs, array.shape[1]) if factor == "a" else (outputs, array.shape[0])
            if expected != got:
                raise ValueError(f"{name} has {got} where the base's {matrix} has {expected or 'nothing'}")
        yield name, array


@contextmanager
def open_reader(path: Path, trained: Trained, window: int = 512) -> Iterator[LlamaReader]:
    """The adapter in llama.cpp beside its base. Raises ValueError where llama.cpp refuses it."""
    from llama_cpp import Llama as Engine

    llama_library.load()
    assert trained.adapter is not None
    threads = min(os.cpu_count() or 1, 8)
    base = str(trained.adapter[1].path)
    with redirect_stderr(StringIO()):  # verbose=False lets llama.cpp's warnings through
        try:
            llm = Engine(
                base,
                n_ctx=window,
                n_batch=window,
                n_threads=threads,
                logits_all=True,
                verbose=False,
                lora_path=str(path),
            )
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"llama.cpp does not load it ({error})") from error
    try:
        yield LlamaReader(llm)
    finally:
        llm.close()
