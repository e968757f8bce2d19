"""Many chats at once on the pipeline's model: continuous batching, in one thread.

A request joins (`_admit`) where a row of the cache is free: 1. choose the row, 2. keep what it holds of this prompt.
Each step (`_step`): 1. release who left, 2. plan the batch: the token that each chat sampled last, then chunks of the
prompts of those that have just come, 3. compute them together, 4. sample where a chat's last token was computed,
5. hand the token out. So requests join and leave between two tokens, and a long prompt stalls nobody. One chat alone
goes the same way. Knows tokens; nothing of messages.
"""

import ctypes
import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError, ModelNotFoundError

from backends.hf.model import Tokenizer, context_window, end_ids, saved_sampling
from backends.hf.network import Chunk, Network, is_supported
from backends.hf.sampler import Sampler
from backends.hf.sequential import SequentialRunner
from backends.local.engine import Engine, Request
from backends.local.prefix import common_prefix, continued_prefix

TOTAL_TOKENS = 8192  # tokens of all chats, or one window where that is longer
PREFILL_BUDGET = 16 * 10**9  # parameters times tokens of a chunk: it delays the other chats by a fraction of a second
log = logging.getLogger(__name__)


@dataclass(eq=False)
class RunningChat:
    """A running request in its row: `past` tokens are computed, `pending` are not yet."""

    request: Request
    row: int
    sampler: Sampler
    pending: list[int]
    past: int = 0
    is_decoding: bool = False  # its prompt is done

    @property
    def reserved(self) -> int:
        """Tokens that memory is set aside for, prompt and reply."""
        return max(self.request.need, self.past + len(self.pending))


class TransformersEngine(Engine):
    """A pipeline's model and tokenizer, and the chats that run on it."""

    name = "gpt2"

    def __init__(self, pipeline: Any, parallel: int, *, int8: bool = False) -> None:
        """`int8`: compute a GPT-2 with 8 bits, on a CPU. Raises ModelNotFoundError for another model, or a GPU."""
        if int8 and not (is_supported(pipeline.model) and pipeline.model.device.type == "cpu"):
            raise ModelNotFoundError("gpt2: GPT2_QUANTIZE=int8 is for GPT-2 models on a CPU; unset it for this one.")
        self.pipeline, self.parallel = pipeline, parallel
        model, tokenizer = pipeline.model, Tokenizer(pipeline.tokenizer)
        self.window = context_window(model.config, pipeline.tokenizer)
        self._tokenizer, self._end_ids = tokenizer, end_ids(pipeline)
        self.special_tokens, self.bos_ids = tokenizer.special_tokens, tokenizer.bos_ids
        self.template_variables, self.starts_anew = tokenizer.template_variables, tokenizer.starts_anew
        self.saved_sampling = saved_sampling(model.generation_config.to_diff_dict())
        self.network = Network(model, parallel, int8=int8) if is_supported(model) else SequentialRunner(model, parallel)
        trim_memory()
        self.parameters = int(model.num_parameters())
        self.vocabulary_size = int(model.config.vocab_size)
        self._chunk_size = max(16, min(512, PREFILL_BUDGET // self.parameters))
        self._chats: list[RunningChat] = []  # the first come first
        self._cached: list[list[int]] = [[] for _ in range(parallel)]  # the tokens that each row of the cache holds
        self._last_used, self._admitted = [0] * parallel, 0  # when each row was given last
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it stay text."""
        return self._tokenizer.encode(text)

    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""
        return self._tokenizer.special_id(text)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; none of a special one."""
        return self._tokenizer.token_bytes(token)

    def is_end(self, token: int) -> bool:
        """Whether the token ends a reply."""
        return token in self._end_ids

    def end_tokens(self) -> Collection[int]:
        """The tokens that end a reply."""
        return self._end_ids

    def end_replies_at(self, token: int) -> None:
        """Have this token end replies too."""
        self._end_ids |= {token}

    def _admit(self, request: Request) -> bool:
        """Give a request a row that holds as much of its prompt as can be; False where it has to wait."""
        taken = {chat.row for chat in self._chats}
        free = [row for row in range(self.parallel) if row not in taken]
        if not free or request.need > max(TOTAL_TOKENS, self.window) - sum(chat.reserved for chat in self._chats):
            return False
        sampler = Sampler(request.sampling, request.prompt, self._end_ids, request.matcher)
        row, past = self._choose_row(free, request)
        self._chats.append(RunningChat(request, row, sampler, list(request.prompt[past:]), past))
        return True

    def _choose_row(self, free: Sequence[int], request: Request) -> tuple[int, int]:
        """A row for a request, and how many tokens of its prompt the row holds."""
        prompt = request.prompt[:-1]  # the last token is computed for its logits
        past = self._cached
        # 1. Choose: whose conversation goes on, else an empty row, else the least used one.
        row = max(free, key=lambda row: (continued_prefix(past[row], prompt), not past[row], -self._last_used[row]))
        # 2. Keep. A beginning computed in other steps rounds otherwise: with a seed all of it is computed anew.
        recompute = request.sampling.seed is not None or not self.network.keeps_prefix
        length = 0 if recompute else common_prefix(past[row], prompt)
        del past[row][length:]
        self._admitted += 1
        self._last_used[row] = self._admitted
        return row, length

    def _step(self) -> None:
        """Compute one batch, and the next token of every chat whose prompt is done."""
        import torch

        # 1. Release who left.
        for chat in list(self._chats):
            if chat.request.cancelled.is_set():
                self._release(chat)
        if self._chats:
            with torch.inference_mode():  # 2. Plan the batch; 3. compute it, which samples and hands out: 4 and 5
                self._compute(self._plan_batch())

    def _plan_batch(self) -> list[tuple[RunningChat, list[int]]]:
        """The tokens to compute: those sampled last, by row, then chunks of prompts, the first come first."""
        decoding = sorted((chat for chat in self._chats if chat.is_decoding), key=lambda chat: chat.row)
        plan = [(chat, chat.pending) for chat in decoding]
        budget = self._chunk_size if decoding else 4 * self._chunk_size
        for chat in self._chats:
            if not chat.is_decoding and budget > 0:
                plan.append((chat, chat.pending[:budget]))
                budget -= len(chat.pending[:budget])
        return plan

    def _compute(self, plan: Sequence[tuple[RunningChat, list[int]]]) -> None:
        """Compute a batch. Where that fails, each is tried alone: one is given up, and the others go on."""
        try:
            logits = self.network.compute([Chunk(chat.row, chat.past, tokens) for chat, tokens in plan])
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            if len(plan) == 1:
                self._fail(plan[0][0], error)
            else:
                for single in plan:
                    self._compute([single])
            return
        for (chat, tokens), row in zip(plan, logits, strict=True):
            chat.past += len(tokens)
            fresh = 0 if chat.is_decoding else len(tokens)
            self.prefilled_tokens += fresh
            chat.request.computed += fresh
            self._cached[chat.row] += tokens
            chat.pending = chat.pending[len(tokens) :]
            if not chat.pending:
                self._sample(chat, row)

    def _sample(self, chat: RunningChat, logits: Any) -> None:
        # 4. Sample from the logits after the chat's last token.
        try:
            token = chat.sampler.sample(logits)
        except (RuntimeError, ValueError, IndexError) as error:
            self._fail(chat, error)
            return
        except ModelError as error:  # its grammar grew too large
            self._release(chat, error)
            return
        # 5. Hand out: the token is computed in the next step, unless it was the last.
        chat.is_decoding, chat.pending = True, [token]
        if not self._accept(chat.request, token):
            self._release(chat)

    def _fail(self, chat: RunningChat, error: Exception) -> None:
        log.error("gpt2: a request was given up", exc_info=error)
        self._cached[chat.row].clear()
        self._release(chat, ModelAPIError(f"gpt2: computing failed ({error!r}); the request was given up."))

    def _abort(self, request: Request, error: ModelError) -> None:
        for chat in self._chats:
            if chat.request is request:
                self._cached[chat.row].clear()
        self._chats = [chat for chat in self._chats if chat.request is not request]
        self._finish(request, error)

    def _release(self, chat: RunningChat, error: ModelError | None = None) -> None:
        self._chats.remove(chat)
        self._finish(chat.request, error)


def trim_memory() -> None:
    """Return the memory that loading needed for a moment to the system, where its C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
