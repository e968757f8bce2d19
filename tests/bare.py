"""GGUF files as older tools wrote them."""

from pathlib import Path

import gguf


def write_bare(source: Path, target: Path) -> None:
    """The same GGUF without its chat template, as older files are."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "gpt2")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in {"general.architecture", "tokenizer.chat_template"}:
            continue
        inner = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
