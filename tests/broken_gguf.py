"""GGUF files as they go wrong: small ones byte by byte, and the shipped model with something changed or split."""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Metadata = Mapping[str, tuple[int, Any]]  # by key: the type's number in the format, and the value
FORMATS = {0: "B", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q"}
STRING, ARRAY = 8, 9


def string(text: str) -> bytes:
    """A string of the format."""
    return struct.pack("<Q", len(text.encode())) + text.encode()


def value(kind: int, content: Any) -> bytes:
    """A value; an array's content is the type of its elements with the list of them."""
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        return struct.pack("<IQ", content[0], len(content[1])) + b"".join(value(content[0], one) for one in content[1])
    return struct.pack("<" + FORMATS[kind], content)


def small(metadata: Metadata, tensors: Sequence[tuple[str, tuple[int, ...], int]] = (), version: int = 3) -> bytes:
    """A file of this metadata and zeros for these tensors, each a name, a shape and the number of its type."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, (kind, content) in metadata.items():
        head += string(key) + struct.pack("<I", kind) + value(kind, content)
    for at, (name, shape, kind) in enumerate(tensors):
        head += string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", kind, at * 32)
    return head + b"\0" * (-len(head) % 32) + b"\0" * 32 * len(tensors)


def rewrite(
    source: Path,
    target: Path,
    *,
    metadata: Mapping[str, Any] | None = None,
    architecture: str | None = None,
    tensor: Callable[[str, Any], tuple[str, Any] | None] = lambda name, data: (name, data),
) -> None:
    """A copy with other metadata (None: without that key), another architecture, and each tensor as told."""
    reader, changed = gguf.GGUFReader(source), dict(metadata or {})
    writer = gguf.GGUFWriter(target, architecture or str(reader.fields["general.architecture"].contents()))
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture" or field.name in changed:
            continue
        inner = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    types = {field.name: field.types[:1] for field in reader.fields.values()}
    for key, content in changed.items():
        if content is not None:
            kinds = [gguf.GGUFValueType.get_type(content), *([] if isinstance(content, str) else types.get(key, []))]
            inner = gguf.GGUFValueType.get_type(content[0]) if isinstance(content, list) else None
            writer.add_key_value(key, content, kinds[-1] if inner is None else gguf.GGUFValueType.ARRAY, inner)
    for each in reader.tensors:
        if (kept := tensor(each.name, each.data)) is not None:
            writer.add_tensor(*kept)
    _write(writer)


def split(source: Path, folder: Path, parts: int) -> list[Path]:
    """The file in parts, as llama.cpp's own tool splits one: metadata in the first, tensors in all."""
    reader = gguf.GGUFReader(source)
    written = []
    for number in range(parts):
        path = folder / f"{source.stem}-{number + 1:05}-of-{parts:05}.gguf"
        writer = gguf.GGUFWriter(path, str(reader.fields["general.architecture"].contents()))
        for field in reader.fields.values() if number == 0 else ():
            if not field.name.startswith("GGUF.") and field.name != "general.architecture":
                inner = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(field.name, field.contents(), field.types[0], inner)
        for key, content, kind in (("no", number, "UINT16"), ("count", parts, "UINT16"),
                                   ("tensors.count", len(reader.tensors), "INT32")):  # fmt: skip
            writer.add_key_value(f"split.{key}", content, gguf.GGUFValueType[kind])
        for each in np.array_split(np.arange(len(reader.tensors)), parts)[number]:
            writer.add_tensor(reader.tensors[each].name, reader.tensors[each].data)
        _write(writer)
        written.append(path)
    return written


def _write(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
