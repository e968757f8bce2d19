"""Many chats at once on the pipeline's model: continuous batching, in one thread.

Each step computes, for a chat that is being written, the token it drew last, and for one that has just come a piece of
its prompt. So requests join and leave between two tokens, and a long prompt stalls nobody. One chat alone goes the
same way. Knows tokens; nothing of messages.
"""

import ctypes
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError, ModelNotFoundError

from backends.hf.model import Words, end_ids, saved_sampling, window
from backends.hf.network import Network, Piece, known
from backends.hf.sampler import Draw
from backends.hf.sequential import Turns
from backends.local.engine import Engine, Request
from backends.local.prefix import continued, shared

TOGETHER = 8192  # tokens of all chats, or one window where that is longer
PACE = 16 * 10**9  # parameters times tokens: a piece of a prompt that delays the other chats by a fraction of a second
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Chat:
    """A running request in its row: `past` tokens are computed, `todo` are not yet."""

    request: Request
    row: int
    draw: Draw
    todo: list[int]
    past: int = 0
    writes: bool = False  # its prompt is done

    @property
    def reserved(self) -> int:
        """Tokens it may come to need."""
        return len(self.request.prompt) + self.request.sampling.max_tokens


class PipelineEngine(Engine):
    """A pipeline's model and tokenizer, and the chats that run on it."""

    name = "gpt2"

    def __init__(self, pipeline: Any, parallel: int, *, int8: bool = False) -> None:
        """`int8`: compute a GPT-2 with 8 bits, on a CPU. Raises ModelNotFoundError where that cannot be."""
        if int8 and not (known(pipeline.model) and pipeline.model.device.type == "cpu"):
            raise ModelNotFoundError("gpt2: GPT2_QUANTIZE=int8 is for GPT-2 models on a CPU; unset it for this one.")
        self.pipeline, self.parallel = pipeline, parallel
        model, words = pipeline.model, Words(pipeline.tokenizer)
        self.window = window(model.config, pipeline.tokenizer)
        self._words, self._ends = words, end_ids(pipeline)
        self.specials, self.variables, self.start = tuple(words.specials), words.variables, words.start
        self.defaults = saved_sampling(model.generation_config)
        self.network = Network(model, parallel, int8=int8) if known(model) else Turns(model, parallel)
        give_back()
        self._piece = max(16, min(512, PACE // model.num_parameters()))
        self._chats: list[Chat] = []  # the first come first
        self._past: list[list[int]] = [[] for _ in range(parallel)]  # the tokens that each row holds computed
        self._used, self._joined = [0] * parallel, 0  # when each row was given last
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self._words.encode(text)

    def special(self, text: str) -> int:
        """The id of a special token."""
        return self._words.specials[text]

    def data(self, token: int) -> bytes:
        """Bytes of a token."""
        return self._words.data(token)

    def ends(self, token: int) -> bool:
        """Whether the token is an end-of-sequence token."""
        return token in self._ends

    def _join(self, request: Request) -> bool:
        """Give a request the first free row; False where it has to wait."""
        need = len(request.prompt) + request.sampling.max_tokens
        taken = {chat.row for chat in self._chats}
        free = [row for row in range(self.parallel) if row not in taken]
        if not free or need > max(TOGETHER, self.window) - sum(chat.reserved for chat in self._chats):
            return False
        draw = Draw(request.sampling, request.prompt, self._ends)
        row, past = self._prepared(free, request)
        self._chats.append(Chat(request, row, draw, list(request.prompt[past:]), past))
        return True

    def _prepared(self, free: Sequence[int], request: Request) -> tuple[int, int]:
        """The row whose conversation goes on, else an empty one, else the least used; and how much of it serves."""
        prompt = request.prompt[:-1]  # the last token is computed for its logits
        past = self._past
        row = max(free, key=lambda row: (continued(past[row], prompt), not past[row], -self._used[row]))
        # A beginning computed in other steps rounds otherwise: with a seed all of it is computed anew.
        anew = request.sampling.seed is not None or not self.network.keeps
        length = 0 if anew else shared(past[row], prompt)
        del past[row][length:]
        self._joined += 1
        self._used[row] = self._joined
        return row, length

    def _advance(self) -> None:
        """Compute one step and draw the next token of every chat whose prompt is done."""
        import torch

        for chat in list(self._chats):
            if chat.request.cancelled.is_set():
                self._free(chat)
        if self._chats:
            with torch.inference_mode():
                self._step(self._due_now())

    def _due_now(self) -> list[tuple[Chat, list[int]]]:
        """Which tokens a step computes: those drawn last, by row, then pieces of prompts, the first come first."""
        writing = sorted((chat for chat in self._chats if chat.writes), key=lambda chat: chat.row)
        due = [(chat, chat.todo) for chat in writing]
        left = self._piece if writing else 4 * self._piece
        for chat in self._chats:
            if not chat.writes and left > 0:
                due.append((chat, chat.todo[:left]))
                left -= len(chat.todo[:left])
        return due

    def _step(self, due: Sequence[tuple[Chat, list[int]]]) -> None:
        """Where it fails, each is tried alone: one request is given up, and the others go on."""
        try:
            logits = self.network.compute([Piece(chat.row, chat.past, tokens) for chat, tokens in due])
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            if len(due) == 1:
                self._give_up(due[0][0], error)
            else:
                for single in due:
                    self._step([single])
            return
        for (chat, tokens), row in zip(due, logits, strict=True):
            chat.past += len(tokens)
            self._past[chat.row] += tokens
            chat.todo = chat.todo[len(tokens) :]
            if not chat.todo:
                self._draw(chat, row)

    def _draw(self, chat: Chat, logits: Any) -> None:
        try:
            token = chat.draw.draw(logits)
        except (RuntimeError, ValueError, IndexError) as error:
            self._give_up(chat, error)
            return
        chat.writes, chat.todo = True, [token]
        if not self._accept(chat.request, token):
            self._free(chat)

    def _give_up(self, chat: Chat, error: Exception) -> None:
        log.error("gpt2: a request was given up", exc_info=error)
        self._past[chat.row].clear()
        self._free(chat, ModelAPIError(f"gpt2: computing failed ({error!r}); the request was given up."))

    def _drop(self, request: Request, error: ModelError) -> None:
        for chat in self._chats:
            if chat.request is request:
                self._past[chat.row].clear()
        self._chats = [chat for chat in self._chats if chat.request is not request]
        self._end(request, error)

    def _free(self, chat: Chat, error: ModelError | None = None) -> None:
        self._chats.remove(chat)
        self._end(chat.request, error)


def give_back() -> None:
    """Return what loading needed for a moment to the system, where its C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
