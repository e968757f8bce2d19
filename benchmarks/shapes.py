"""GGUF files of the shapes that models come in, with zeros for weights and the shipped tokenizer, filled up.

What a model needs of memory does not depend on its weights. Names of tensors and keys are llama.cpp's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from settings import DEFAULT_MODEL


class Matrix(NamedTuple):
    """A tensor: `shape` as a GGUF has it, the rows' length first."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """A model's shape; `type` is the one that its matrices are stored in, `extra` are more keys of its architecture."""

    name: str
    architecture: str
    type: str
    layers: int
    width: int
    heads: int
    kept: int
    head_size: int
    inner: int
    vocabulary: int
    window: int = 4096
    has_output: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    def matrices(self) -> Iterator[Matrix]:
        """Every tensor."""
        yield Matrix("token_embd.weight", (self.width, self.vocabulary))
        yield Matrix("output_norm.weight", (self.width,))
        if self.has_output:
            yield Matrix("output.weight", (self.width, self.vocabulary))
        for number in range(self.layers):
            layer = self._mamba_layer() if self.architecture == "mamba" else self._attention_layer()
            yield from (Matrix(f"blk.{number}.{name}", shape) for name, shape in layer)

    def _attention_layer(self) -> Iterator[Matrix]:
        queries, keys = self.heads * self.head_size, self.kept * self.head_size
        for name, size in (("q", queries), ("k", keys), ("v", keys)):
            yield Matrix(f"attn_{name}.weight", (self.width, size))
            if self.architecture == "qwen2":
                yield Matrix(f"attn_{name}.bias", (size,))
        yield Matrix("attn_output.weight", (queries, self.width))
        norms = ["attn_norm", "ffn_norm"]
        if self.architecture == "gemma3":
            norms += ["post_attention_norm", "post_ffw_norm"]
            yield from (Matrix(f"attn_{name}_norm.weight", (self.head_size,)) for name in "qk")
        yield from (Matrix(f"{name}.weight", (self.width,)) for name in norms)
        yield from (Matrix(f"ffn_{name}.weight", (self.width, self.inner)) for name in ("gate", "up"))
        yield Matrix("ffn_down.weight", (self.inner, self.width))

    def _mamba_layer(self) -> Iterator[Matrix]:
        inner, state, kernel, rank = self.inner, 16, 4, self.width // 16
        yield Matrix("attn_norm.weight", (self.width,))
        yield Matrix("ssm_in.weight", (self.width, 2 * inner))
        yield Matrix("ssm_conv1d.weight", (kernel, inner))
        yield Matrix("ssm_conv1d.bias", (inner,))
        yield Matrix("ssm_x.weight", (inner, rank + 2 * state))
        yield Matrix("ssm_dt.weight", (rank, inner))
        yield Matrix("ssm_dt.bias", (inner,))
        yield Matrix("ssm_a", (state, inner))
        yield Matrix("ssm_d", (inner,))
        yield Matrix("ssm_out.weight", (inner, self.width))

    def keys(self) -> dict[str, Any]:
        """The keys of its architecture."""
        told = {
            "context_length": self.window,
            "block_count": self.layers,
            "embedding_length": self.width,
            "feed_forward_length": self.inner,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kept,
            "attention.key_length": self.head_size,
            "attention.value_length": self.head_size,
            "attention.layer_norm_rms_epsilon": 1e-6,
            "rope.dimension_count": self.head_size,
        }
        return {**told, **self.extra}


MAMBA = {"ssm.conv_kernel": 4, "ssm.inner_size": 1536, "ssm.state_size": 16, "ssm.time_step_rank": 48}
SHAPES = (
    Shape("llama, 4 key-value heads of 16", "llama", "F16", 16, 1024, 16, 4, 64, 2816, 32_000),
    Shape("qwen2, tied output, Q4_0", "qwen2", "Q4_0", 24, 896, 14, 2, 64, 4864, 100_000, 8192, has_output=False),
    Shape("gemma3, sliding window, BF16", "gemma3", "BF16", 12, 640, 4, 1, 256, 2048, 60_000, 8192, has_output=False,
          extra={"attention.sliding_window": 512}),
    Shape("llama, every head its own, Q8_0", "llama", "Q8_0", 12, 1024, 16, 16, 64, 4096, 49_152),
    Shape("llama, K-quant", "llama", "Q4_K", 12, 1536, 12, 4, 128, 4096, 50_000),
    Shape("mamba, no keys and values", "mamba", "F16", 24, 768, 0, 0, 0, 1536, 50_000, extra=MAMBA),
)  # fmt: skip


def write(shape: Shape, path: Path) -> None:
    """Write the file, which is there only when it is whole."""
    import gguf
    import numpy as np

    source = gguf.GGUFReader(next(iter(sorted(DEFAULT_MODEL.glob("*.gguf")))))
    partial = path.with_suffix(".part")
    writer = gguf.GGUFWriter(partial, shape.architecture)
    for key, value in shape.keys().items():
        kind = gguf.GGUFValueType.FLOAT32 if isinstance(value, float) else gguf.GGUFValueType.UINT32
        writer.add_key_value(f"{shape.architecture}.{key}", value, kind)
    _copy_tokenizer(source, writer, shape.vocabulary)
    for name, form in shape.matrices():
        is_plain = len(form) == 1 or name.endswith(("ssm_a", "ssm_conv1d.weight"))
        kind = gguf.GGMLQuantizationType["F32" if is_plain else shape.type]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows = (*reversed(form[1:]), form[0] // block * size)
        writer.add_tensor(name, np.zeros(rows, np.uint8), raw_shape=rows, raw_dtype=kind)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    partial.replace(path)


def _copy_tokenizer(source: Any, writer: Any, vocabulary: int) -> None:
    """The shipped tokenizer, with tokens that no text is cut into up to the vocabulary's size."""
    for key, told in source.fields.items():
        if not key.startswith("tokenizer."):
            continue
        value = told.contents()
        if key in {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"}:
            more = range(len(value), vocabulary)
            value = [*value, *(f"unused{number}" if key.endswith("tokens") else 1 for number in more)]
        inner = told.types[1] if len(told.types) > 1 else None
        writer.add_key_value(key, value, told.types[0], inner)
