"""Vectors from a server with OpenAI's API, through LangChain's OpenAIEmbeddings. Knows addresses, keys and failures.

No word of what the server says reaches an error: it may repeat the text or the key.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import openai
from langchain_core.embeddings import Embeddings
from langchain_openai import OpenAIEmbeddings
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


class ServerEmbeddings(Embeddings):
    """Embeddings of a server; nothing is sent before the first text."""

    def __init__(self, url: str, model: str, key: SecretStr | None, batch: int) -> None:
        def client(timeout: float, retries: int) -> OpenAIEmbeddings:
            return OpenAIEmbeddings(
                model=model,
                openai_api_key=key or SecretStr("none"),
                openai_api_base=url,  # named, since the SDK would look into variables of its own
                request_timeout=timeout,
                max_retries=retries,
                chunk_size=batch,
                check_embedding_ctx_length=False,  # else tiktoken's tables would be fetched
            )

        self._whom = f"{model} at {urlsplit(url).netloc}"
        self._patient, self._hurried = client(PATIENCE, 2), client(HURRY, 0)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text. Raises EmbeddingError."""
        with self._explain():
            return self._patient.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, asked for once and briefly. Raises EmbeddingError."""
        with self._explain():
            return self._hurried.embed_query(text)

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except openai.OpenAIError as error:
            reason = next((text for kind, text in KINDS if isinstance(error, kind)), NO_API)
        except (json.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError, ValueError):
            reason = NO_API  # a web page, or another API's answer, of which the SDK makes anything
        else:
            return
        raise EmbeddingError(f"No embeddings from {self._whom}: {reason}")
