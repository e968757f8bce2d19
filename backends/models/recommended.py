"""A short list of good small models by size, with what each would need of this machine's memory. Asks nobody.

Names, files, licences and shapes are those of the repositories on the Hugging Face hub; sizes are in whole megabytes.
"""

from typing import NamedTuple

from backends.llama.context import Limits
from backends.llama.header import Header, LongArray, Value
from backends.llama.memory import buffer_bytes, context_bytes, cpu_flags
from backends.local.memory import Memory, MemoryEstimate, judge
from backends.models.memory import limits
from backends.models.progress import format_bytes

MB = 10**6
MANY = "many languages; thinks; tools"
REPACKED_SHARE = 0.6  # of a Q4_K_M's bytes, which CPUs with these instructions keep in another order too
REPACKING = {"avx2", "asimddp"}


class Recommended(NamedTuple):
    """A model on the hub. `megabytes`: of the file; `heads`: key-value heads; the rest is its shape."""

    name: str
    repository: str
    file: str
    licence: str
    megabytes: int
    parameters: int
    window: int
    layers: int
    heads: int
    head_size: int
    width: int
    inner: int
    vocabulary: int
    about: str

    @property
    def spec(self) -> str:
        """What `models get` is told."""
        return f"{self.repository}:{self.file}"

    def estimate(self, bounds: Limits | None = None) -> MemoryEstimate:
        """What it would need of memory here, at a window that the backend would choose."""
        bounds = bounds or limits(self.window)
        shape = {
            "block_count": self.layers,
            "embedding_length": self.width,
            "feed_forward_length": self.inner,
            "attention.head_count": self.heads,
            "attention.key_length": self.head_size,
            "attention.value_length": self.head_size,
        }
        metadata: dict[str, Value] = {
            "general.architecture": "llama",
            "tokenizer.ggml.tokens": LongArray(self.vocabulary),
        }
        header = Header(3, {**metadata, **{f"llama.{key}": value for key, value in shape.items()}}, (), 0)
        copied = REPACKED_SHARE if "Q4_K" in self.file.upper() and REPACKING & cpu_flags() else 0.0
        weights = int(self.megabytes * MB * (1 + copied))
        return MemoryEstimate(weights, context_bytes(header, bounds), buffer_bytes(header, (), bounds))


MODELS = (
    Recommended("SmolLM2 135M", "bartowski/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct-Q4_K_M.gguf",
                "apache-2.0", 105, 135 * MB, 8192, 30, 3, 64, 576, 1536, 49_152, "English; small talk, short facts"),
    Recommended("SmolLM2 360M", "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF", "smollm2-360m-instruct-q8_0.gguf",
                "apache-2.0", 386, 362 * MB, 8192, 32, 5, 64, 960, 2560, 49_152, "English; answers from short texts"),
    Recommended("Qwen3 0.6B", "Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf",
                "apache-2.0", 639, 596 * MB, 40_960, 28, 8, 128, 1024, 3072, 151_936, MANY),
    Recommended("Llama 3.2 1B", "bartowski/Llama-3.2-1B-Instruct-GGUF", "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
                "llama3.2", 808, 1236 * MB, 131_072, 16, 8, 64, 2048, 8192, 128_256, "eight languages; tools"),
    Recommended("SmolLM2 1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", "smollm2-1.7b-instruct-q4_k_m.gguf",
                "apache-2.0", 1056, 1711 * MB, 8192, 24, 32, 64, 2048, 8192, 49_152, "English"),
    Recommended("Qwen3 1.7B", "Qwen/Qwen3-1.7B-GGUF", "Qwen3-1.7B-Q8_0.gguf",
                "apache-2.0", 1834, 1721 * MB, 40_960, 28, 8, 128, 2048, 6144, 151_936, MANY),
    Recommended("Llama 3.2 3B", "bartowski/Llama-3.2-3B-Instruct-GGUF", "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
                "llama3.2", 2019, 3213 * MB, 131_072, 28, 8, 128, 3072, 8192, 128_256, "eight languages; tools"),
    Recommended("Qwen3 4B", "Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf",
                "apache-2.0", 2497, 4022 * MB, 40_960, 36, 8, 128, 2560, 9728, 151_936, MANY),
    Recommended("Qwen3 8B", "Qwen/Qwen3-8B-GGUF", "Qwen3-8B-Q4_K_M.gguf",
                "apache-2.0", 5028, 8191 * MB, 40_960, 36, 8, 128, 4096, 12_288, 151_936, MANY),
)  # fmt: skip


def none_fits(memory: Memory | None) -> str | None:
    """A sentence with the remedy where this memory holds none of them; None where it holds one, or nobody knows it."""
    smallest = min(each.estimate().total for each in MODELS)
    if memory is None or judge(smallest, memory) != "does not fit":
        return None
    return (
        f"None of these fits: the smallest needs {format_bytes(smallest)} of memory, and there are "
        f"{format_bytes(memory.total)}. Set LLAMACPP_N_CTX and LLAMACPP_KV_TOKENS lower, or ask a server "
        "(OPENAI_BASE_URL)."
    )
