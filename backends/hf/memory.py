"""What a saved model of Hugging Face's needs of memory in this process, told by its configuration. Loads nothing.

Weights are fp32 on a CPU, and a small GPT-2's matrices are kept a second time in oneDNN's order, or all of them in 8
bits (backends/hf/network.py). Keys and values are fp32, and take memory as chats grow. What no formula gives was
measured: `python -m benchmarks.memory`.
"""

import math

from backends.hf.network import PACKED_PARAMETERS
from backends.hf.saved import BYTES, SavedModel
from backends.local.memory import MemoryEstimate

F32 = 4  # bytes of a number
TOTAL_TOKENS = 8192  # tokens of all chats, or one window where that is longer (backends/hf/engine.py)
MATRICES = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # of a GPT-2, beside its table of tokens
FIXED_BYTES = 28 * 2**20  # torch's threads, kernels and their scratch
TOKEN_BYTES = 900  # of a token of the vocabulary in tokenizers' and our own tables


def estimate(saved: SavedModel, parallel: int, *, int8: bool = False) -> MemoryEstimate:
    """The memory of a model that answers so many chats together."""
    weights = (saved.parameters or saved.size // BYTES["F16"]) * F32
    tokens = max(TOTAL_TOKENS, saved.window or 0)
    context = tokens * numbers_per_token(saved) * F32
    vocabulary = saved.number("vocab_size")
    buffers = FIXED_BYTES + vocabulary * TOKEN_BYTES + parallel * vocabulary * F32
    return MemoryEstimate(weights + _copied_bytes(saved, parallel, int8), context, buffers, context)


def numbers_per_token(saved: SavedModel) -> int:
    """Numbers of keys and values that are kept of each token."""
    layers = saved.number("n_layer", "num_hidden_layers")
    heads = saved.number("n_head", "num_attention_heads", default=1)
    width = saved.number("n_embd", "hidden_size")
    kept = saved.number("num_key_value_heads", default=heads)
    return 2 * layers * kept * saved.number("head_dim", default=width // max(1, heads))


def _copied_bytes(saved: SavedModel, parallel: int, int8: bool) -> int:
    """Bytes of the matrices of a GPT-2 that are kept a second time."""
    if saved.architecture != "gpt2" or not (int8 or (parallel > 1 and saved.parameters <= PACKED_PARAMETERS)):
        return 0
    matrices = sum(math.prod(shape) for name, (_, shape) in saved.shapes.items() if name.endswith(MATRICES))
    table = next((math.prod(shape) for name, (_, shape) in saved.shapes.items() if name.endswith("wte.weight")), 0)
    return (matrices + table) * (1 if int8 else F32)
