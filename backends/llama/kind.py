"""What a file is that should be a GGUF and is none, told by its first bytes, and what to do about it.

Knows how files begin; nothing of what stands in a GGUF.
"""

import re
from pathlib import Path
from typing import NamedTuple

BEGINNING = 4096  # bytes that are looked at
TAKE_GGUF = "take the model's GGUF"


class Kind(NamedTuple):
    """A kind of file: how its bytes begin, what it is called, and the remedy."""

    pattern: re.Pattern[bytes]
    what: str
    remedy: str


def kind(pattern: bytes, what: str, remedy: str = TAKE_GGUF) -> Kind:
    """A kind of file that begins with a pattern."""
    return Kind(re.compile(pattern, re.DOTALL | re.IGNORECASE), what, remedy)


FOLDER = "the gpt2 backend loads such weights: name their folder in GPT2_MODEL, or " + TAKE_GGUF
UNPACK = "unpack it, and name the GGUF file that was in it"
PAGE = (
    "the page about a file was saved instead of it: use the link that downloads it (on the hub /resolve/, not /blob/)"
)

KINDS = (
    kind(
        rb"version https://git-lfs", "a Git LFS pointer, which stands for the file", "run `git lfs pull` where it lies"
    ),
    kind(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head)", "a web page", PAGE),
    kind(rb".{6}\0\0\s*\{\s*\"", "a safetensors file", FOLDER),
    kind(rb"PK\x03\x04.{26}[^/]{1,200}/(data\.pkl|version|\.format_version|byteorder)", "a PyTorch file", FOLDER),
    kind(rb"\x80[\x02-\x05](\x8a\x0a|\}|c|\x8c|\x95)", "a PyTorch file", FOLDER),
    kind(rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a zip archive", UNPACK),
    kind(rb"\x1f\x8b", "a gzip archive", UNPACK),
    kind(rb"BZh\d", "a bzip2 archive", UNPACK),
    kind(rb"\xfd7zXZ\0", "an xz archive", UNPACK),
    kind(rb"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    kind(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    kind(rb"Rar!\x1a", "a rar archive", UNPACK),
    kind(rb".{257}ustar", "a tar archive", UNPACK),
    kind(rb"(lmgg|fmgg|tjgg|ggml|ggmf|ggjt)", "a model in llama.cpp's format of before August 2023"),
    kind(rb"(algg|ggla)", "a LoRA adapter in an old format", "take the model that it was made for, as a GGUF"),
    kind(rb"FUGG", "a GGUF with its bytes swapped"),
    kind(rb"\x89HDF\r\n", "an HDF5 file (Keras)"),
    kind(rb".{4}TFL3", "a TensorFlow Lite model"),
    kind(rb"\x93NUMPY", "a NumPy array"),
    kind(
        rb"\x08[\x01-\x14](\x12|\x1a|\x22|\x3a|\x42).{0,200}(onnx|pytorch|tf2onnx|olive|optimum|main_graph)",
        "an ONNX model",
    ),
    kind(rb"\x08[\x03-\x14]\x12[\x01-\x40][\x20-\x7e]{1,64}[\x1a\x22\x3a\x42]", "an ONNX model"),
    kind(rb"\0\x05\x16\x07", "what macOS keeps beside a file", "name the file without ._ before its name"),
    kind(rb"(MZ|\x7fELF|\xcf\xfa\xed\xfe|#!)", "a program", TAKE_GGUF + " (a llamafile holds one, and runs by itself)"),
    kind(rb"(\xef\xbb\xbf)?\s*<\?xml", "an XML text, as servers answer with an error", "look at the link it came from"),
    kind(rb"(\xef\xbb\xbf)?\s*[\[{]\s*[\"{\]}\d]", "a JSON text: a configuration, an index, or a server's error"),
    kind(rb"%PDF-", "a PDF"),
)


def describe(path: Path) -> str:
    """What a file is that is no GGUF, with the remedy; goes on after its name. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(BEGINNING)
    if not data:
        return "is empty: download it again"
    if not data.strip(b"\0"):
        return "begins with zeros, as a download that has not ended: wait for it, or download the file again"
    found = next((each for each in KINDS if each.pattern.match(data)), None)
    if found:
        return f"is not a GGUF file but {found.what}: {found.remedy}"
    return f"is not a GGUF file but {'a text' if is_text(data) else 'something else'}: {TAKE_GGUF}"


def is_text(data: bytes) -> bool:
    """Whether bytes are a text that people read: in UTF-8 or UTF-16, without control characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    text = data.decode("utf-8", "ignore")
    return len(text.encode()) >= len(data) - 3 and not re.search(r"[\0-\x08\x0e-\x1f]", text)
