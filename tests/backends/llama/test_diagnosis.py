"""A file that cannot be loaded says why, and what to do: "download again" only where it is cut short."""

import gzip
import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelNotFoundError

import backends
from backends.llama.diagnosis import load_error
from backends.llama.header import read_header
from backends.llama.model import Model
from settings import Settings
from tests.broken_gguf import ARRAY, STRING, rewrite, small, split
from tests.conftest import GGUF

GPT2: dict[str, Any] = {"general.architecture": (STRING, "gpt2")}
TENSORS = [("token_embd.weight", (8,), 0)]
WHOLE = GGUF.read_bytes() if GGUF.is_file() else b""


def archive(name: str) -> bytes:
    """A zip with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, b"x")
    return buffer.getvalue()


def kind(architecture: str, **more: Any) -> bytes:
    """A small GGUF of this architecture; keys in `more` have two underscores for a dot."""
    rest = {key.replace("__", "."): content for key, content in more.items()}
    return small({"general.architecture": (STRING, architecture), **rest}, TENSORS)


NO_GGUF = {
    "page": (b"\n<!DOCTYPE html>\n<html><head><title>Hub</title>", "a web page: .*/resolve/, not /blob/"),
    "page in short": (b"\xef\xbb\xbf<HTML lang='en'>", "a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 98362432\n", "run `git lfs pull`"),
    "safetensors": (
        struct.pack("<Q", 100) + b'{"__metadata__":{"format":"pt"}' + b" " * 90,
        "a safetensors.*GPT2_MODEL",
    ),
    "torch": (archive("archive/data.pkl"), "a PyTorch file.*GPT2_MODEL"),
    "pickle": (pickle.dumps({"weights": 1}, protocol=2), "a PyTorch file.*GPT2_MODEL"),
    "zip": (archive("model.gguf"), "a zip archive: unpack it"),
    "gzip": (gzip.compress(b"GGUF" * 100), "a gzip archive: unpack it"),
    "tar": (b"model.gguf".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 200, "a tar archive: unpack it"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\x10", "an ONNX model"),
    "json": (b'{"error":"Repository not found"}', "a JSON text"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML text"),
    "text": (b"Entry not found", "a text: take"),
    "before gguf": (b"tjgg\x03\0\0\0" + b"\1" * 100, "before August 2023"),
    "program": (b"MZqFpD='\n" + b"\0" * 100, "a program: .*llamafile"),
    "noise": (b"\x01\x02\x03" * 400, "something else: take"),
    "empty": (b"", "is empty: download it again"),
    "begun": (b"\0" * 10_000, "a download that has not ended"),
}

NO_MODEL = {
    "version 1": (WHOLE[:4] + struct.pack("<I", 1) + WHOLE[8:], "has version 1 of GGUF, .*; take one of version 3"),
    "version 9": (WHOLE[:4] + struct.pack("<I", 9) + WHOLE[8:], "has version 9 of GGUF, .*; update llama-cpp-python"),
    "big-endian": (WHOLE[:4] + struct.pack(">I", 3) + WHOLE[8:], "big-endian machines; take one for .*little-endian"),
    "last byte": (WHOLE[:-1], r"is cut short: it has (\d+) of \d+ bytes; download it again"),
    "half": (WHOLE[: len(WHOLE) // 2], "is cut short: .*; download it again"),
    "in its header": (WHOLE[:2000], "is cut short: it ends within its header, after 2000 bytes: download it again"),
    "in its counts": (WHOLE[:20], "is cut short: .* after 20 bytes: download it again"),
    "keys": (WHOLE[:16] + struct.pack("<Q", 2**60) + WHOLE[24:], "is damaged: its header claims 1152921504606846976"),
    "long text": (small({})[:16] + struct.pack("<QQ", 1, 2**60) + b"x" * 64, "is damaged: .* of length 1152921504606"),
    "no such type": (small({"a": (4, 1)}).replace(b"a\x04\0\0\0", b"a\x63\0\0\0"), "is damaged: .* value of type 99"),
    "alignment": (kind("gpt2", general__alignment=(4, 7)), "is damaged: its header has an alignment of 7"),
    "layers": (kind("gpt2", gpt2__block_count=(4, 999)), "is damaged: its header names 999 layers"),
    "mmproj": (kind("clip", general__type=(STRING, "mmproj")), "is the projector of .*: name the GGUF of the model"),
    "clip": (kind("clip"), "is the projector of a model"),
    "adapter": (kind("gpt2", general__type=(STRING, "adapter")), "is a LoRA adapter"),
    "imatrix": (small({"general.type": (STRING, "imatrix")}, TENSORS), "is an importance matrix"),
    "vocabulary": (small(GPT2), "holds no weights, only a vocabulary"),
    "nameless": (small({"general.name": (STRING, "x")}, TENSORS), "names no architecture"),
    "embeddings": (kind("bert", bert__attention__causal=(7, False)), r"\(bert: made for embeddings.*take a chat model"),
    "pooled": (kind("qwen3", qwen3__pooling_type=(4, 3)), r"\(qwen3: made for embeddings"),
    "encoder": (kind("t5"), r"is an encoder model \(t5\)"),
    "removed type": (small(GPT2, [("token_embd.weight", (8,), 31)]), "as Q4_0_4_4, .*: take another quantization"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_GGUF)
def test_what_is_no_gguf_is_named(name: str, tmp_path: Path) -> None:
    data, expected = NO_GGUF[name]
    (tmp_path / "model.gguf").write_bytes(data)
    said = str(load_error(tmp_path / "model.gguf"))
    assert re.search(expected, said)
    assert "\n" not in said


@pytest.mark.parametrize("name", NO_MODEL)
def test_a_gguf_that_is_no_whole_model_is_told_before_it_is_loaded(name: str, tmp_path: Path) -> None:
    data, expected = NO_MODEL[name]
    (tmp_path / "model.gguf").write_bytes(data)
    said = str(load_error(tmp_path / "model.gguf"))
    assert re.search("^" + expected if expected.startswith(("is ", "has ")) else expected, said)
    assert ("ownload" in said) == ("cut short" in said)


def other(folder: Path, change: Callable[[Path], object]) -> str:
    """What is said of the shipped model with a change."""
    change(folder / "changed.gguf")
    with pytest.raises(ModelNotFoundError) as raised:
        Model(folder / "changed.gguf", 0)
    return str(raised.value).removeprefix(f"llamacpp: LLAMACPP_MODEL={folder / 'changed.gguf'} ")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"tokenizer.ggml.pre": "zork-3"}, "splits words as zork-3, which .* does not know: update llama-cpp-python"),
        ({"tokenizer.ggml.model": "zork"}, "has a tokenizer zork, which this llama.cpp .* does not know"),
        ({"gpt2.block_count": None}, r"has no gpt2\.block_count in its header: take another GGUF"),
        ({"tokenizer.ggml.merges": None}, "cannot be loaded: cannot find tokenizer merges in model file; take another"),
        (
            {"general.file_type": "x"},
            "cannot be loaded: key general.file_type has wrong type str but expected type u32",
        ),
    ],
)
def test_what_the_library_refuses_in_a_header_is_told_in_words(
    tmp_path: Path, metadata: dict[str, Any], expected: str
) -> None:
    assert re.match(expected, other(tmp_path, lambda path: rewrite(GGUF, path, metadata=metadata)))


def test_an_architecture_that_nobody_knows_is_named(tmp_path: Path) -> None:
    said = other(tmp_path, lambda path: rewrite(GGUF, path, architecture="frobnicate9"))
    assert re.match(r"is of the architecture frobnicate9, which this llama\.cpp \(llama-cpp-python \d", said)


def test_a_tensor_that_lacks_or_has_another_shape_is_named(tmp_path: Path) -> None:
    lacks, short = "blk.2.attn_qkv.weight", "position_embd.weight"
    said = other(tmp_path, lambda path: rewrite(GGUF, path, tensor=lambda n, d: None if n == lacks else (n, d)))
    assert re.match(rf"lacks the tensor {re.escape(lacks)}: it was converted", said)
    said = other(tmp_path, lambda path: rewrite(GGUF, path, tensor=lambda n, d: (n, d[:64] if n == short else d)))
    assert re.match(rf"has a tensor {re.escape(short)} of another shape", said)


def test_a_type_of_tensors_to_come_is_told(tmp_path: Path) -> None:
    data = small(GPT2, [("token_embd.weight", (8,), 99)])
    said = other(tmp_path, lambda path: path.write_bytes(data))
    assert re.match(r"has a tensor token_embd\.weight of type 99, which .*: update llama-cpp-python", said)


def test_the_parts_of_a_split_model_are_looked_at(tmp_path: Path) -> None:
    first, second, third = split(GGUF, tmp_path, 3)
    assert load_error(first) is None
    assert read_header(second).part == (2, 3)
    assert load_error(second) == f"is part 2 of 3 of a split model: name the first part, {first.name}"
    whole = third.read_bytes()
    third.write_bytes(whole[:-500])
    size = f"{len(whole) - 500} of {len(whole)} bytes"
    said = f"has a part that cannot be read: {third.name} is cut short: it has {size}; download it again"
    assert load_error(first) == said
    third.write_bytes(second.read_bytes())
    assert load_error(first) == f"has a part {third.name} that by its header is part 2 of 3: take the parts anew"
    third.write_bytes(b"<html>")
    assert str(load_error(first)).startswith(f"has a part that cannot be read: {third.name} is not a GGUF file")
    third.unlink()
    assert re.search(rf"part 1 of 3 .*, and {third.name} is missing: put all", str(load_error(first)))
    renamed = first.rename(tmp_path / "model.gguf")
    assert re.search(r"first of 3 parts .* let it end in -00001-of-00003\.gguf", str(load_error(renamed)))


@pytest.mark.parametrize("name", ["model.gguf-split-a", "model.gguf.part1of2", "model.gguf.001", "model.gguf-split-aa"])
def test_the_first_piece_of_a_cut_up_file_is_told_from_a_short_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[:1_000_000])
    assert re.search("first piece of a file that was cut up: join all pieces", str(load_error(tmp_path / name)))


def test_a_split_model_answers_as_the_whole_one(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    whole = backends.load("llamacpp", settings).invoke("hi, how are you?", temperature=0, max_tokens=12).text
    backends.unload()
    monkeypatch.setenv("LLAMACPP_MODEL", str(split(GGUF, tmp_path, 3)[0]))
    parts = backends.load("llamacpp", Settings.read())
    assert parts.invoke("hi, how are you?", temperature=0, max_tokens=12).text == whole


def test_a_folder_names_the_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.gguf").write_bytes(b"")
    monkeypatch.setenv("LLAMACPP_MODEL", str(tmp_path))
    said = str(backends.availability_error("llamacpp", Settings.read()))
    assert said == f"LLAMACPP_MODEL={tmp_path} is a folder: name the GGUF file in it, as {tmp_path / 'small.gguf'}"


def test_a_header_tells_of_the_model_without_loading_it(tmp_path: Path) -> None:
    header = read_header(GGUF)
    assert (header.architecture, header.parameters, header.quantization) == ("gpt2", 10_347_520, "F16")
    assert (header.window, header.licence, header.part) == (1024, "CC-BY-SA-4.0", (1, 1))
    assert header.size == GGUF.stat().st_size
    assert header.metadata["tokenizer.ggml.tokens"] == (8192,), "only its length"
    words = {"general.languages": (ARRAY, (STRING, ["en", "de"])), "general.file_type": (4, 15), **GPT2}
    (tmp_path / "small.gguf").write_bytes(small(words, [("a", (256, 4), 12), ("b", (8,), 0)], version=2))
    own = read_header(tmp_path / "small.gguf")
    assert own.metadata["general.languages"] == ("en", "de")
    assert (own.quantization, own.version, own.window, own.licence) == ("Q4_K_M", 2, None, "")
    assert [tensor.bytes for tensor in own.tensors] == [576, 32]
