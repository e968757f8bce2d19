"""Small vocabularies with the tokens that models have beside words, for both engines; no single model has them all."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import TokenType
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = [
    "▁",
    "▁▁",
    "▁a",
    "▁b",
    "▁h",
    "▁hi",
    "▁x",
    "hi",
    "he",
    "ll",
    "<|",
    "|>",
    "en",
    "end",
    "us",
    "er",
    "user",
    "▁<",
    "\n",
]
LETTERS = [chr(code) for code in range(33, 127)]


def write_sentencepiece(
    path: Path, markers: dict[str, TokenType], name: str = "tiny", template: str | None = None, **metadata: int
) -> None:
    """A GGUF of one layer whose vocabulary is as SentencePiece's, with `markers` behind the words."""
    tokens = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", TokenType.BYTE) for byte in range(256)]
    tokens += [(text, TokenType.NORMAL) for text in [*WORDS, *LETTERS]]
    tokens += [("<|endoftext|>", TokenType.CONTROL), *markers.items()]  # llama.cpp looks for it in each Phi-3
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-float(i) if kind is TokenType.NORMAL else 0.0 for i, (_, kind) in enumerate(tokens)])
    writer.add_token_types([int(kind) for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    for key, number in metadata.items():
        writer.add_uint32(f"tokenizer.ggml.{key}", number)
    if template is not None:
        writer.add_chat_template(template)
    _write_network(writer, len(tokens))


def _write_network(writer: gguf.GGUFWriter, vocabulary: int, width: int = 32) -> None:
    writer.add_context_length(2048)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_layer_norm_rms_eps(1e-5)
    shapes = {"token_embd": (vocabulary, width), "output_norm": (width,)}
    shapes |= {f"blk.0.{part}": (width, width) for part in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{part}": (width, width) for part in ("ffn_gate", "ffn_up", "ffn_down")}
    shapes |= {f"blk.0.{part}": (width,) for part in ("attn_norm", "ffn_norm")}
    generator = np.random.default_rng(1)
    for part, shape in shapes.items():
        writer.add_tensor(f"{part}.weight", generator.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def sentencepiece(*added: AddedToken, prepend: str = "first", normalizer: Any = None) -> Any:
    """A tokenizer of transformers' as SentencePiece's, a space before its "first" piece or "always"."""
    letters = [f"<0x{byte:02X}>" for byte in range(256)] + LETTERS
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(["<unk>", "<s>", "</s>", *letters, *WORDS]))}
    pairs = [
        "▁ a",
        "▁ b",
        "▁ h",
        "▁ x",
        "h i",
        "▁h i",
        "h e",
        "l l",
        "▁ <",
        "< |",
        "| >",
        "e n",
        "en d",
        "u s",
        "e r",
        "us er",
    ]
    merges = [(pair.split()[0], pair.split()[1]) for pair in pairs]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=prepend)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return _fast(tokenizer, added)


def byte_level(*added: AddedToken, normalizer: Any = None) -> Any:
    """A tokenizer of transformers' of single bytes, as GPT-2's without its merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return _fast(tokenizer, added)


def _fast(tokenizer: Tokenizer, added: tuple[AddedToken, ...]) -> Any:
    tokenizer.add_tokens([AddedToken("<s>", special=True), AddedToken("</s>", special=True), *added])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<s>")


__all__ = ["AddedToken", "TokenType", "byte_level", "normalizers", "sentencepiece", "write_sentencepiece"]
