"""Vectors for a request: from the embedder that documents use, from a local model's states, or from OpenAI's server.

Knows names, bounds and counts; no route and no form of an answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from anyio import to_thread
from fastapi import Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

import backends
from api.http import cost, metrics, models
from api.http.errors import ApiError
from api.http.jobs import run_while_connected, shutting_down_error
from api.http.state import DEFAULT, AppState
from backends import Tokens
from chains.window import estimate_tokens
from documents import embedding
from documents.embedding import Embedder
from documents.search import Vectors, normalize
from documents.settings import EmbeddingSettings
from settings import SettingsError

SERVER = "openai"  # the backend whose server makes vectors as well
Purpose = Literal["document", "query"]
Input = str | Sequence[int]
MAX_TEXTS = 2048  # of a request, as OpenAI has it
MAX_DIMENSIONS = 2**20
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]


@dataclass(frozen=True)
class Embedded:
    """Vectors of length 1; `tokens` of all texts, which may be `estimated`."""

    vectors: Vectors
    tokens: int
    estimated: bool


@dataclass(frozen=True)
class Wish:
    """Texts, and how their vectors are to be: of `dimensions` numbers, from texts that may be cut where too long."""

    inputs: Sequence[Input]
    purpose: Purpose = "document"
    dimensions: int | None = None
    truncates: bool = False


async def embed(state: AppState, request: Request, model: str, wish: Wish) -> Embedded:
    """The vectors that a model makes. Raises ApiError, EmbeddingError, ModelError kinds."""
    if state.shutting_down:
        raise shutting_down_error()
    target = state.aliases.get(model, model)
    embedder = await run_in_threadpool(_find_embedder, state, target)
    name = embedder.name if embedder else await _resolve(state, model)
    with state.queues.reserve(name, state.api.max_queue):
        work = _from_embedder(state, embedder, wish) if embedder else _from_states(state, name, wish)
        made = await run_while_connected(request, work, state.api.reply_timeout)
    cost.charge_tokens(made.tokens)
    metrics.observe_embeddings(name, len(wish.inputs), made.tokens)
    return Embedded(shorten(made.vectors, wish.dimensions), made.tokens, made.estimated)


def shorten(vectors: Vectors, dimensions: int | None) -> Vectors:
    """The first `dimensions` numbers of each, of length 1 again. Raises ApiError 400 where there are not as many."""
    size = vectors.shape[1]
    if dimensions is None or dimensions == size:
        return vectors
    if dimensions > size:
        text = f"dimensions: this model's vectors have {size} numbers. Send {size} or less, or leave it out."
        raise ApiError(400, text, code="invalid_value", param="dimensions")
    return normalize(vectors[:, :dimensions])


def _find_embedder(state: AppState, target: str) -> Embedder | None:
    """The embedder of a name; None for one that may be a model of this machine. Raises ApiError 503."""
    try:
        backend, _, named = target.partition(":")
        if backend == SERVER and target in state.models:
            return embedding.server_embedder(named or None)
        embedder = embedding.current_embedder()
    except SettingsError as error:
        raise ApiError(503, str(error), code="backend_unavailable") from None
    if embedder is None and target == DEFAULT:
        reason = embedding.words_alone_reason(EmbeddingSettings.read())
        raise ApiError(503, f"No vectors are made here: {reason}.", code="backend_unavailable")
    return embedder if embedder and target in {DEFAULT, embedder.name} else None


async def _resolve(state: AppState, model: str) -> str:
    """The backend of this machine behind a name. Raises ApiError 404 for any other name."""
    name = await models.resolve_model(state, model)
    if not backends.computes_here(name):
        names = ", ".join([DEFAULT, SERVER, "a model of this machine"])
        text = f"The model '{model[:200]}' makes no embeddings here. There are: {names}."
        raise ApiError(404, text, code="model_not_found", param="model")
    return name


async def _from_embedder(state: AppState, embedder: Embedder, wish: Wish) -> Embedded:
    return await _in_thread(state, partial(_ask_embedder, embedder, wish))


def _ask_embedder(embedder: Embedder, wish: Wish) -> Embedded:
    texts = [text for text in wish.inputs if isinstance(text, str)]
    if len(texts) < len(wish.inputs):
        return _ask_by_ids(embedder, wish)
    counting, is_question = embedder.counting(), wish.purpose == "query"
    if counting is None:
        counts = [estimate_tokens(text) for text in texts]
    else:
        counts = [counting.count_tokens(text, is_question) for text in texts]
        counts = _bounded(counts, counting.window, wish.truncates)
    vectors = embedder.embed_questions(texts) if is_question else embedder.embed_texts(texts)
    return Embedded(vectors, sum(counts), counting is None)


def _ask_by_ids(embedder: Embedder, wish: Wish) -> Embedded:
    texts = [ids for ids in wish.inputs if not isinstance(ids, str)]
    if not embedder.takes_ids:
        text = (
            f"input: {embedder.name} has a tokenizer of its own, and reads no ids of another one. Send texts "
            "(langchain-openai: OpenAIEmbeddings(check_embedding_ctx_length=False))."
        )
        raise ApiError(400, text, code="unsupported_parameter", param="input")
    return Embedded(embedder.embed_ids(texts), sum(map(len, texts)), estimated=False)


async def _from_states(state: AppState, name: str, wish: Wish) -> Embedded:
    """From the states of a chat model, which is loaded where it is not."""
    with await backends.lease(name, state.settings) as lease:
        return await _in_thread(state, partial(_ask_model, Tokens(lease.model, name), wish))


def _ask_model(tokens: Tokens, wish: Wish) -> Embedded:
    texts = [tokens.encode(each, is_begun=True) if isinstance(each, str) else list(each) for each in wish.inputs]
    counts = _bounded([len(text) for text in texts], tokens.window, wish.truncates)
    rows = tokens.mean_states([text[:count] for text, count in zip(texts, counts, strict=True)])
    return Embedded(normalize(np.asarray(rows, np.float32)), sum(counts), estimated=False)


def _bounded(counts: list[int], window: int, truncates: bool) -> list[int]:
    """The tokens that are read of each text. Raises ApiError 400 for one that is too long and may not be cut."""
    longest = max(counts)
    if longest > window and not truncates:
        text = (
            f"input: text {counts.index(longest)} has {longest} tokens, and this model reads {window}. "
            "Send shorter parts, or truncate_prompt_tokens: -1 to have it cut."
        )
        raise ApiError(400, text, code="context_length_exceeded", param="input")
    return [min(count, window) for count in counts]


async def _in_thread(state: AppState, work: Callable[[], Embedded]) -> Embedded:
    """What a thread makes; a client that goes does not wait for it."""
    return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=state.embedders)
