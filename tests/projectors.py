"""Projectors that llama.cpp's mtmd loads, with weights drawn at random: a model with one sees, and understands nothing.

No model that sees can be had offline; what is tried with these is the way of a picture, not what is said about it.
"""

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.llama.projector_file import library_error

WIDTH, HEADS, INNER, PATCH = 32, 2, 64, 14  # of the encoder
SIDE = 56  # pixels of a picture: 4 x 4 patches
needs_mtmd = pytest.mark.skipif(
    find_spec("llama_cpp") is None or library_error() is not None, reason=f"{library_error()}"
)


def picture(*colours: str, size: tuple[int, int] = (48, 48)) -> bytes:
    """A PNG of stripes in these colours."""
    image = Image.new("RGB", size)
    for at, colour in enumerate(colours):
        left, right = at * size[0] // len(colours), (at + 1) * size[0] // len(colours)
        image.paste(colour, (left, 0, right, size[1]))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def make_projector(path: Path, width: int, kind: str = "mlp", seed: int = 1) -> Path:
    """A projector for a model of this width: LLaVA's `mlp`, `gemma3` (which looks both ways) or `qwen2vl_merger`."""
    import gguf

    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    side = 2 * SIDE if kind == "gemma3" else SIDE
    sizes = {"embedding_length": WIDTH, "feed_forward_length": INNER, "block_count": 2, "projection_dim": width}
    sizes |= {"attention.head_count": HEADS, "image_size": side, "patch_size": PATCH}
    sizes |= {"projector.scale_factor": 2, "image_min_pixels": 4 * PATCH**2, "image_max_pixels": (8 * PATCH) ** 2}
    for name, value in sizes.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    for name, shape in _shapes(kind, width, (side // PATCH) ** 2).items():
        is_gain = name.endswith(("ln1.weight", "ln2.weight", "_ln.weight", "norm.weight"))
        values = np.ones(shape) if is_gain else draw.normal(0, shape[-1] ** -0.5, shape)
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(kind: str, width: int, patches: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a projector, and their shapes."""
    shapes: dict[str, tuple[int, ...]] = {"v.patch_embd.weight": (WIDTH, 3, PATCH, PATCH)}
    for norm in ("v.pre_ln", "v.post_ln", *(f"v.blk.{layer}.ln{n}" for layer in range(2) for n in (1, 2))):
        shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    for layer in range(2):
        for name in ("q", "k", "v", "out"):
            shapes |= {f"v.blk.{layer}.attn_{name}.weight": (WIDTH, WIDTH), f"v.blk.{layer}.attn_{name}.bias": (WIDTH,)}
        shapes |= {f"v.blk.{layer}.ffn_up.weight": (INNER, WIDTH), f"v.blk.{layer}.ffn_up.bias": (INNER,)}
        shapes |= {f"v.blk.{layer}.ffn_down.weight": (WIDTH, INNER), f"v.blk.{layer}.ffn_down.bias": (WIDTH,)}
    if kind != "qwen2vl_merger":
        shapes["v.position_embd.weight"] = (patches, WIDTH)
    if kind == "mlp":
        return shapes | {
            **{"mm.0.weight": (INNER, WIDTH), "mm.0.bias": (INNER,)},
            **{"mm.2.weight": (width, INNER), "mm.2.bias": (width,)},
        }
    if kind == "gemma3":
        return shapes | {"mm.input_projection.weight": (WIDTH, width), "mm.soft_emb_norm.weight": (WIDTH,)}
    four = 4 * WIDTH  # neighbours are merged, two by two
    return shapes | {
        "v.patch_embd.weight.1": (WIDTH, 3, PATCH, PATCH),
        **{"mm.0.weight": (four, four), "mm.0.bias": (four,), "mm.2.weight": (width, four), "mm.2.bias": (width,)},
    }


def make_talker(path: Path, like: Path) -> Path:
    """A model of random weights whose tokens have a height and a width (Qwen2-VL's), with the vocabulary of another."""
    import gguf

    draw, width, inner, layers = np.random.default_rng(3), 64, 128, 2
    writer = gguf.GGUFWriter(path, "qwen2vl")
    for name, field in gguf.GGUFReader(like).fields.items():
        if name.startswith("tokenizer."):
            kind, *inside = field.types
            writer.add_key_value(name, field.contents(), kind, inside[0] if inside else None)
    vocabulary = len(gguf.GGUFReader(like).fields["tokenizer.ggml.tokens"].data)
    writer.add_context_length(1024)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(layers)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_sections([4, 6, 6, 0])
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, width), "output_norm.weight": (width,)}
    for layer in range(layers):
        named: dict[str, tuple[int, ...]] = {
            f"attn_{name}.weight": (width, width) for name in ("q", "k", "v", "output")
        }
        named |= {f"attn_{name}.bias": (width,) for name in ("q", "k", "v")}
        named |= {"attn_norm.weight": (width,), "ffn_norm.weight": (width,), "ffn_down.weight": (width, inner)}
        named |= {"ffn_gate.weight": (inner, width), "ffn_up.weight": (inner, width)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in named.items()}
    for name, shape in shapes.items():
        values = np.ones(shape) if name.endswith("norm.weight") else draw.normal(0, 0.3, shape)
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def block(data: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    """LangChain's content block of a picture."""
    import base64

    return {"type": "image", "base64": base64.b64encode(data).decode(), "mime_type": mime_type}
