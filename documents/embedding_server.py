"""Vectors from a server with OpenAI's API, through OpenAI's SDK. Knows addresses, keys, rows and failures.

No word of what the server says reaches an error: it may repeat the text or the key.
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import openai
from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from documents.errors import EmbeddingError

PATIENCE = 30.0  # seconds for a batch of a document, tried three times
HURRY = 10.0  # for a question, tried once: somebody waits for the reply
KINDS: list[tuple[type[Exception], str]] = [
    (openai.AuthenticationError, "it refuses the key. Check EMBEDDINGS_API_KEY, or OPENAI_API_KEY."),
    (openai.PermissionDeniedError, "this key may not use this model. Choose another with EMBEDDINGS_MODEL."),
    (openai.NotFoundError, "it does not know this model or address. Check EMBEDDINGS_MODEL and EMBEDDINGS."),
    (openai.RateLimitError, "it has too many requests. Wait a little, or check the account's limits."),
    (openai.APITimeoutError, "it did not answer in time. Try again."),
    (openai.APIConnectionError, "it cannot be reached. Check the address, and that the server runs."),
    (openai.InternalServerError, "it failed. Try again."),
    (openai.APIStatusError, "it refuses the request. Check that EMBEDDINGS_MODEL makes embeddings."),
]
NO_API = "it answers, but with no embeddings. Does its address end in /v1, and does its model make them?"
TOO_LONG = "it refuses a text as too long. Choose a model that reads more with EMBEDDINGS_MODEL."

# How servers refuse more texts, or more tokens, than they take at once: TEI, OpenAI and Azure, DashScope, Mistral,
# Cohere, Gemini, Voyage, llama-server. Whatever else they might mean costs a few requests.
TOO_MUCH = re.compile(
    r"batch|too (?:many|large|long|big)|at most|max(?:imum|\.)? |exceed|larger than|longer than|less than|should be \[",
    re.IGNORECASE,
)
CONTENT_TOO_LARGE = 413


class ServerEmbeddings(Embeddings):
    """Embeddings of a server; nothing is sent before the first text."""

    def __init__(self, url: str, model: str, key: SecretStr | None, batch: int) -> None:
        """`batch`: how many texts are sent at once, fewer where the server refuses so many."""
        self._client = openai.OpenAI(api_key=(key or SecretStr("none")).get_secret_value(), base_url=url)
        self._model, self._batch = model, batch
        self._format = "base64"  # half as long as numbers; servers that know no formats send numbers
        self._whom = f"{model} at {urlsplit(url).netloc}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text. Raises EmbeddingError."""
        rows: list[list[float]] = []
        client = self._client.with_options(timeout=PATIENCE, max_retries=2)
        with self._explain():
            while len(rows) < len(texts):
                rows += self._embed_batch(client, texts[len(rows) : len(rows) + self._batch])
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, asked for once and briefly. Raises EmbeddingError."""
        with self._explain():
            return self._embed_batch(self._client.with_options(timeout=HURRY, max_retries=0), [text])[0]

    def _embed_batch(self, client: openai.OpenAI, texts: list[str]) -> list[list[float]]:
        """The vectors of the first texts, of all where the server takes so many: halved as often as it refuses."""
        while True:
            try:
                return self._ask(client, texts)
            except openai.APIStatusError as error:
                if not is_too_much(error) or len(texts) == 1:
                    raise
                texts = texts[: len(texts) // 2]
                self._batch = len(texts)

    def _ask(self, client: openai.OpenAI, texts: list[str]) -> list[list[float]]:
        """The vectors of texts. Raises openai.OpenAIError kinds, ValueError for what are none."""
        try:
            return read_rows(self._post(client, texts), len(texts))
        except openai.APIStatusError as error:
            if self._format == "float" or "encoding_format" not in str(error.body):
                raise
            self._format = "float"
            return self._ask(client, texts)

    def _post(self, client: openai.OpenAI, texts: list[str]) -> Any:
        body = {"model": self._model, "input": texts, "encoding_format": self._format}
        return client.post("/embeddings", cast_to=httpx2.Response, body=body).json()

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except openai.OpenAIError as error:
            is_refused = isinstance(error, openai.APIStatusError) and is_too_much(error)
            reason = next((text for kind, text in KINDS if isinstance(error, kind)), NO_API)
            reason = TOO_LONG if is_refused else reason
        except RowsError as error:
            reason = str(error)
        except ValueError:  # a web page, or another API's answer
            reason = NO_API
        else:
            return
        raise EmbeddingError(f"No embeddings from {self._whom}: {reason}")


class RowsError(ValueError):
    """Rows that are not the vectors that were asked for."""


def is_too_much(error: openai.APIStatusError) -> bool:
    """Whether a server refuses as many texts, or as long a one."""
    if error.status_code == CONTENT_TOO_LARGE:
        return True
    is_refusal = error.status_code in {400, 422} or error.status_code >= 500
    return is_refusal and bool(TOO_MUCH.search(f"{error.message} {error.body}"))


def read_rows(answer: Any, count: int) -> list[list[float]]:
    """The vectors in an answer, in the order of the texts, which rows name by `index`. Raises RowsError, ValueError."""
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(NO_API)
    if len(rows) != count:
        raise RowsError(
            f"it made no vectors of {count} texts, but {len(rows)}. Check that EMBEDDINGS_MODEL makes embeddings."
        )
    return [_numbers(row.get("embedding")) for row in in_order(rows)]


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by `index`; as they come where they have none, or all the same. Raises RowsError for one given twice."""
    places = [_place(row.get("index")) for row in rows]
    if len(set(places)) == 1:
        return rows
    if None in places or len(set(places)) < len(rows):
        raise RowsError("it does not say which vector is whose: some rows have the same index. Ask another server.")
    return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda pair: pair[0] or 0)]


def _place(index: Any) -> int | None:
    if isinstance(index, str) and index.strip().isdecimal():
        return int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _numbers(embedding: Any) -> list[float]:
    """The numbers of a vector, which are sent as such or in base64. Raises ValueError."""
    if isinstance(embedding, str):
        embedding = np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").tolist()
    if isinstance(embedding, list) and len(embedding) == 1 and isinstance(embedding[0], list):  # llama-server's own
        embedding = embedding[0]
    if not isinstance(embedding, list) or not embedding:
        raise ValueError(NO_API)
    return embedding
