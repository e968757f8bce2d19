"""Vectors from a sentence-transformers model in a folder, computed in this process. Knows files of models and torch.

Documents are computed in a thread that comes after all others, a few passages at a time: replies go on meanwhile.
"""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from documents.errors import EmbeddingError
from documents.priority import lower_priority

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

READ = {".json", ".safetensors", ".bin", ".txt", ".model"}  # files that say which model a folder holds
OTHERS = {"onnx", "openvino"}  # folders with the same model for other engines
UNBOUNDED = 2**31 - 1  # tokens of a model that says of no bound
BATCH = 8  # passages that torch computes at once: their texts' memory, and what a question waits for


_thread = ThreadPoolExecutor(1, "embedding", initializer=lower_priority)


class LocalEmbeddings(Embeddings):
    """Loaded when it is made, from this folder alone. Raises EmbeddingError for a folder that cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # its tokenizer is not made for two at once
        self._model = self._load()

    def _load(self) -> "SentenceTransformer":
        import transformers
        from sentence_transformers import SentenceTransformer

        transformers.utils.logging.disable_progress_bar()
        try:
            return SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError) as error:
            raise EmbeddingError(
                f"EMBEDDINGS={self._folder}: no sentence-transformers model could be loaded from there "
                f"({type(error).__name__}). Save it anew with SentenceTransformer.save."
            ) from error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, with the model's own prompt for documents."""
        parts = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
        return [row for part in parts for row in _thread.submit(self._rows, part).result()]

    def _rows(self, texts: list[str]) -> list[list[float]]:
        with self._lock:
            rows: list[list[float]] = self._model.encode_document(texts, show_progress_bar=False).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, with the model's own prompt for questions."""
        with self._lock:
            row: list[float] = self._model.encode_query(text, show_progress_bar=False).tolist()
        return row

    @property
    def window(self) -> int:
        """Tokens that are read of a text."""
        return int(self._model.max_seq_length or UNBOUNDED)

    def count_tokens(self, text: str, is_question: bool = False) -> int:
        """Tokens of a text, whether all of them are read or not; without the model's own prompt before it."""
        with self._lock:
            return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])


def fingerprint(folder: Path) -> str:
    """Of what the folder holds, so that another model in its place has another name."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in READ and not OTHERS & set(path.relative_to(folder).parts):
            with path.open("rb") as file:
                digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
