"""Vectors that our own llama.cpp computes from a GGUF file, in this process. Knows tokens; nothing of files.

A passage is computed alone, by one thread: together with others it would look at theirs as well (and be masked), and
several threads would wait for each other at every matrix. So each thread has a context, and all have one model.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

import llama_library
from documents import priority
from documents.errors import EmbeddingError

MOST_THREADS = 8
MIDDLE = 0.5  # of the cores, where the system cannot put threads behind others


def thread_count() -> int:
    """The threads that compute passages."""
    cores = os.cpu_count() or 1
    return min(MOST_THREADS, cores if priority.HAS_PRIORITIES else max(1, int(cores * MIDDLE)))


class LlamaEmbeddings(Embeddings):
    """A model that is loaded when this is made. Raises EmbeddingError for a file that cannot be."""

    def __init__(self, path: Path, normalize: Callable[[str], str], prefixes: tuple[str, str], threads: int) -> None:
        """`normalize`: what a text becomes first; `prefixes`: what stands before questions and passages."""
        self._api, self._normalize, self._prefixes = llama_library.load(), normalize, prefixes
        self._model = self._load(path)
        self._vocabulary = self._api.llama_model_get_vocab(self._model)
        self._window = int(self._api.llama_model_n_ctx_train(self._model))
        self._width = int(self._api.llama_model_n_embd(self._model))
        self._contexts = threading.local()
        self._question, self._asking = self._make_context(), threading.Lock()
        self._threads = ThreadPoolExecutor(threads, "embedding", initializer=priority.lower_priority)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, by threads that come after all others. Raises EmbeddingError."""
        return list(self._threads.map(self._embed_passage, texts))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, at once: it waits for no passage. Raises EmbeddingError."""
        with self._asking:
            return self._embed(self._question, self._prefixes[0] + text)

    @property
    def window(self) -> int:
        """Tokens that are read of a text."""
        return self._window

    def count_tokens(self, text: str, is_question: bool = False) -> int:
        """Tokens of a text with what stands before it, whether all of them are read or not."""
        return len(self._tokens(self._prefixes[0 if is_question else 1] + text))

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, as many as the model reads; the last of them ends it."""
        ids = self._tokens(text)
        return ids if len(ids) <= self._window else [*ids[: self._window - 1], ids[-1]]

    def _tokens(self, text: str) -> list[int]:
        data = " ".join(self._normalize(text).split()).encode()
        ids = (self._api.llama_token * (len(data) + 8))()
        count = self._api.llama_tokenize(self._vocabulary, data, len(data), ids, len(ids), True, False)
        if count < 0:
            raise EmbeddingError("The tokenizer failed on a text. Set EMBEDDINGS=none, or name another embedder.")
        return list(ids[:count])

    def _load(self, path: Path) -> Any:
        params = self._api.llama_model_default_params()
        params.n_gpu_layers = 0
        model = self._api.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            with suppress(OSError):  # a file that was cut off is written anew
                path.unlink()
            raise EmbeddingError(f"{path} could not be loaded; it is made anew with the next text.")
        return model

    def _make_context(self) -> Any:
        params = self._api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = self._window
        params.n_seq_max = params.n_threads = params.n_threads_batch = 1
        params.embeddings, params.pooling_type = True, self._api.LLAMA_POOLING_TYPE_MEAN
        context = self._api.llama_init_from_model(self._model, params)
        if not context:
            raise EmbeddingError("There is no memory to make vectors with. Set EMBEDDINGS=none, or end other programs.")
        return context

    def _embed_passage(self, text: str) -> list[float]:
        if not hasattr(self._contexts, "own"):
            self._contexts.own = self._make_context()
        return self._embed(self._contexts.own, self._prefixes[1] + text)

    def _compute(self, context: Any, batch: Any) -> int:
        """0, or the number of an error of llama.cpp."""
        return int(self._api.llama_encode(context, batch))

    def _embed(self, context: Any, text: str) -> list[float]:
        ids = self.tokens(text)
        kept = (self._api.llama_token * len(ids))(*ids)  # the batch holds a bare pointer to it
        if self._compute(context, self._api.llama_batch_get_one(kept, len(ids))):
            raise EmbeddingError("llama.cpp failed on a text. Set EMBEDDINGS=none, or name another embedder.")
        row = np.ctypeslib.as_array(self._api.llama_get_embeddings_seq(context, 0), (self._width,))
        numbers: list[float] = row.tolist()
        return numbers
