"""What a GGUF needs of memory once it is loaded, told by its header. Loads nothing; knows headers and CPUs, no file.

The sizes are those of llama.cpp's own code: src/llama-kv-cache.cpp (keys and values of each layer),
src/llama-hparams.cpp (the state of recurrent layers) and ggml/src/ggml-cpu/repack.cpp (weights that are kept in another
order as well, while the file stays mapped). What no formula gives was measured: `python -m benchmarks.memory`.
"""

import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from backends.llama.context import Limits, chunk_size
from backends.llama.header import Header, LongArray, Tensor
from backends.llama.quantization import TENSOR_TYPES
from backends.local.memory import MemoryEstimate

PADDING = 256  # llama.cpp rounds a window up to a multiple of it
F16, F32 = 2, 4  # bytes of a number: of keys and values, and of everything else that is computed
RECURRENT = ("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")  # architectures without keys and values
BOTH = ("falcon-h1",)  # architectures whose layers have both a state, and keys and values
# Types that a CPU's instructions have llama.cpp keep in another order too, where a matrix has a multiple of 8 rows.
REPACKED = {"avx2": {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"}, "avx512f": {"Q2_K"},
            "asimddp": {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4", "Q8_0"}}  # fmt: skip
LOOKED_UP = ("token_embd.", "per_layer_token_embd.", "position_embd.")  # tensors of which rows are read, not multiplied
TOKEN_BYTES, MERGE_BYTES = 190, 170  # of a token of the vocabulary, and of a merge, in llama.cpp's tables
FIXED_BYTES = 8 * 2**20  # threads, graphs, and what else does not grow


def estimate(headers: Sequence[Header], limits: Limits) -> MemoryEstimate:
    """The memory of a model under these bounds; `headers`: that of its file, or of all parts, the first one first."""
    tensors = [tensor for header in headers for tensor in header.tensors]
    weights = sum(header.size for header in headers) + repacked_bytes(tensors, cpu_flags())
    return MemoryEstimate(weights, context_bytes(headers[0], limits), buffer_bytes(headers[0], tensors, limits))


def context_bytes(header: Header, limits: Limits) -> int:
    """Keys, values and states of all chats; llama.cpp takes them at once."""
    cells = _padded(limits.window) * limits.parallel if limits.is_partitioned else _padded(limits.total)
    layers = header.integer(f"{header.architecture}.block_count", 0)
    recurrent = [_is_recurrent(header, layer) for layer in range(layers)]
    states = sum(recurrent) * limits.parallel * state_numbers(header) * F32
    return cells * sum(_numbers_per_token(header, layer) for layer in range(layers)) * F16 + states


def _padded(tokens: int) -> int:
    return -(-tokens // PADDING) * PADDING


def _numbers_per_token(header: Header, layer: int) -> int:
    """Numbers of keys and values that a layer keeps of each token; 0 where it keeps none."""
    arch = header.architecture
    shared = header.integer(f"{arch}.attention.shared_kv_layers", 0)
    layers = header.integer(f"{arch}.block_count", 0)
    if layer >= layers - shared or (_is_recurrent(header, layer) and arch not in BOTH):
        return 0
    heads = _of_layer(header, "attention.head_count_kv", layer, _of_layer(header, "attention.head_count", layer, 0))
    keys, values = _head_sizes(header, layer)
    if header.integer(f"{arch}.attention.key_length_mla", 0):
        values = 0  # both are computed from what is kept as keys (multi-head latent attention)
    return heads * (keys + values)


def _head_sizes(header: Header, layer: int) -> tuple[int, int]:
    """Numbers of a key and of a value of one head; layers with a sliding window may have others."""
    arch = header.architecture
    heads = _of_layer(header, "attention.head_count", 0, 1) or 1
    plain = header.integer(f"{arch}.embedding_length", 0) // heads
    sizes = [header.integer(f"{arch}.attention.{name}_length", plain) for name in ("key", "value")]
    if _has_sliding_window(header, layer):
        sizes = [header.integer(f"{arch}.attention.{name}_length_swa", size)
                 for name, size in zip(("key", "value"), sizes, strict=True)]  # fmt: skip
    return sizes[0], sizes[1]


def _has_sliding_window(header: Header, layer: int) -> bool:
    pattern = header.metadata.get(f"{header.architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return layer < len(pattern) and bool(pattern[layer])
    return isinstance(pattern, int) and pattern > 1 and layer % pattern < pattern - 1


def _is_recurrent(header: Header, layer: int) -> bool:
    """Whether a layer keeps a state of a size that does not grow, as Mamba's, RWKV's and LFM2's do."""
    arch = header.architecture
    if arch in RECURRENT or arch in BOTH:
        return True
    named = header.metadata.get(f"{arch}.attention.recurrent_layers")
    if isinstance(named, tuple):
        return layer < len(named) and bool(named[layer])
    if interval := header.integer(f"{arch}.full_attention_interval", 0):
        return (layer + 1) % interval != 0
    return state_numbers(header) > 0 and _of_layer(header, "attention.head_count_kv", layer, 1) == 0


def state_numbers(header: Header) -> int:
    """Numbers of one layer's state of one chat, where it has any; 0 for a model without such layers."""
    arch = header.architecture

    def number(key: str, default: int = 0) -> int:
        return header.integer(f"{arch}.{key}", default)

    width = number("embedding_length")
    if head := number("wkv.head_size"):
        return width * (number("token_shift_count", 2) + head)
    if kept := number("shortconv.l_cache"):
        return width * (kept - 1)
    if head := number("kda.head_dim"):
        heads = _of_layer(header, "attention.head_count", 0, 0)
        return 3 * (number("ssm.conv_kernel", 4) - 1) * heads * head + heads * head * head
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    convolution = max(0, number("ssm.conv_kernel") - 1) * (inner + 2 * number("ssm.group_count") * state)
    return convolution + state * inner


def _of_layer(header: Header, key: str, layer: int, default: int) -> int:
    """A number that a header gives for all layers, or for each."""
    value = header.metadata.get(f"{header.architecture}.{key}")
    if isinstance(value, tuple):
        value = value[layer] if layer < len(value) else default
    return value if isinstance(value, int) else default


def repacked_bytes(tensors: Sequence[Tensor], flags: frozenset[str]) -> int:
    """Bytes of the matrices that are kept twice on a CPU with these instructions."""
    types = set[str]().union(*(names for flag, names in REPACKED.items() if flag in flags))
    names = {tensor.name for tensor in tensors}
    tied = "output.weight" not in names  # then the table of tokens is multiplied as well

    def is_multiplied(tensor: Tensor) -> bool:
        return not tensor.name.startswith(LOOKED_UP) or (tied and tensor.name == "token_embd.weight")

    return sum(
        tensor.bytes
        for tensor in tensors
        if len(tensor.shape) >= 2
        and tensor.type in TENSOR_TYPES
        and TENSOR_TYPES[tensor.type].name in types
        and tensor.shape[1] % 8 == 0
        and is_multiplied(tensor)
    )


def buffer_bytes(header: Header, tensors: Sequence[Tensor], limits: Limits) -> int:
    """Vocabulary, logits of every chat, and what a piece of a prompt is computed in."""
    arch = header.architecture
    tokens, merges = (_length(header, key) for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"))
    width = header.integer(f"{arch}.embedding_length", 0)
    inner = max([_of_layer(header, "feed_forward_length", 0, 0), 4 * width])
    piece = chunk_size(sum(tensor.elements for tensor in tensors))
    computed = piece * (6 * width + 3 * inner) * F32
    logits = 2 * limits.parallel * tokens * F32
    return FIXED_BYTES + tokens * TOKEN_BYTES + merges * MERGE_BYTES + computed + logits


def _length(header: Header, key: str) -> int:
    value = header.metadata.get(key)
    return value.length if isinstance(value, LongArray) else len(value) if isinstance(value, tuple) else 0


@cache
def cpu_flags() -> frozenset[str]:
    """The instructions that this CPU has, by Linux' names; where nothing tells them, those that nearly all have."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset({"asimddp"} if platform.machine() in {"arm64", "aarch64"} else {"avx2"})
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(found.partition(":")[2].split())
