"""A vector of a text from a chat model: the mean of its last layer's states. Knows tokens; nothing of chats.

Each call has a context of its own beside that of the chats, no larger than its longest text, on one thread: replies go
on meanwhile.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from langchain_core.exceptions import ModelAPIError

from backends.llama.context import BATCH
from backends.llama.model import Model


def mean_states(model: Model, texts: Sequence[Sequence[int]]) -> Iterator[list[float]]:
    """The vector of each text of token ids, one after the other. Raises ModelAPIError where memory lacks."""
    context = _make_context(model, max(map(len, texts)))
    try:
        model.adapt(context)
        yield from (_mean(model.api, context, text) for text in texts)
    finally:
        model.api.llama_free(context)


def _make_context(model: Model, window: int) -> Any:
    params = model.api.llama_context_default_params()
    params.n_ctx, params.n_seq_max = window, 1
    params.n_batch = params.n_ubatch = min(BATCH, window)
    params.n_threads = params.n_threads_batch = 1
    params.embeddings, params.pooling_type = True, model.api.LLAMA_POOLING_TYPE_NONE
    context = model.api.llama_init_from_model(model.pointer, params)
    if not context:
        raise ModelAPIError(f"llamacpp: no memory for a text of {window} tokens; send shorter ones.")
    return context


def _mean(api: Any, context: Any, text: Sequence[int]) -> list[float]:
    """The mean over pieces of a batch's size: each looks back at those before it."""
    width = int(api.llama_model_n_embd(api.llama_get_model(context)))
    total = np.zeros(width, np.float64)
    api.llama_memory_clear(api.llama_get_memory(context), True)
    batch = api.llama_batch_init(BATCH, 0, 1)
    try:
        for start in range(0, len(text), BATCH):
            piece = text[start : start + BATCH]
            _fill(batch, piece, start)
            if api.llama_decode(context, batch):
                raise ModelAPIError("llamacpp: a text could not be computed; send a shorter one.")
            for row in range(len(piece)):
                total += np.ctypeslib.as_array(api.llama_get_embeddings_ith(context, row), (width,))
    finally:
        api.llama_batch_free(batch)
    mean: list[float] = (total / len(text)).tolist()
    return mean


def _fill(batch: Any, piece: Sequence[int], start: int) -> None:
    for row, token in enumerate(piece):
        batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, start + row, 1
        batch.seq_id[row][0], batch.logits[row] = 0, True
    batch.n_tokens = len(piece)
