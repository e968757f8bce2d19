"""What stands beside the text of one reply: which backend, how many tokens, how fast, why it ended, what was dropped.

One callback handler, given in the chain's `config`; it only listens.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from chains.thinking import Thinking, reasoning_tokens, thought
from chains.window import estimate_tokens


class Report(AsyncCallbackHandler):
    """Filled while the chain runs; times are seconds since the report was made."""

    run_inline = True

    def __init__(self, thinking: Thinking | None = None) -> None:
        """`thinking` is what an earlier try thought, and this reply goes on with."""
        self.started = time.monotonic()
        self.backend: str | None = None
        self.loading: str | None = None  # the backend whose model is being loaded for it
        self.model: str | None = None
        self.server: str | None = None  # which one answered, where a backend asks several
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.cached_tokens = self.cache_writes = 0  # of the prompt's, what was known before, and what was kept anew
        self.estimated = False
        self.window: int | None = None
        self.dropped_turns = 0
        self.dropped_messages = 0  # of the conversation, and not seen by the model
        self.passages: Sequence[Document] = ()  # of files, that stand in the prompt, best first
        self.matches = 0  # of how many
        self.whole = False  # the passages are the whole files
        self.vectors = (0, 0)  # passages of files that could be found by meaning, of those that once can be
        self.excess: int | None = None  # tokens that the files are too long to be read whole, where somebody asked
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None  # the text that ended it, where it was one that was asked for
        self.notice: str | None = None  # what the reader has to know of the reply, as the backend says it
        self.not_held: str | None = None  # what of the tools' schemas no call is held to, as the backend says it
        self.queue_position: int | None = None
        self.retries: list[str] = []
        self.pieces = 0
        self._goes_on = thinking or Thinking()
        self.thinking = replace(self._goes_on)  # before the answer; another one where another try says something
        self._is_stale = False  # it is that of a try that failed
        self.on_thinking: Callable[[], object] = lambda: None  # called when it has grown
        self.messages: Sequence[BaseMessage] = ()  # the prompt as the model was given it
        self.counted = False  # whether the tokens are the server's or the engine's own count
        self.attempted: float | None = None  # when the model was there, and was asked
        self.first_token: float | None = None
        self.ended: float | None = None
        self.read_before = 0  # tokens of the prompts before this one, where tools were called in between
        self.written_before = self.cached_before = 0  # and of what the model wrote to them, and of those known before

    @property
    def ttft_ms(self) -> float | None:
        """Time to the first token in milliseconds, waiting and retries included."""
        return None if self.first_token is None else round(self.first_token * 1000, 1)

    @property
    def thinking_ms(self) -> float | None:
        """How long it thought before it answered, in milliseconds; None where it did not."""
        return None if self.thinking.seconds is None else round(self.thinking.seconds * 1000, 1)

    @property
    def thinking_tokens(self) -> int | None:
        """How many tokens it thought; None where it did not."""
        return None if self.thinking.seconds is None else self.thinking.tokens

    @property
    def fresh_thinking(self) -> tuple[int, float]:
        """The tokens that this try thought, and the seconds: without those of an earlier one that it goes on with."""
        earlier, thinking = self._goes_on, self.thinking
        return thinking.tokens - earlier.tokens, (thinking.seconds or 0.0) - (earlier.seconds or 0.0)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed after the first token."""
        if self.first_token is None or self.ended is None or min(self.pieces, self.completion_tokens or 0) < 2:
            return None  # a reply that came in one piece says nothing of speed
        if self.read_before:
            return None  # nor does one that waited for tools
        return round(((self.completion_tokens or 0) - 1) / max(1e-6, self.ended - self.first_token), 1)

    @property
    def has_estimates(self) -> bool:
        """Whether the tokens of the prompt or of the reply are not those that the server or the engine told."""
        return self.estimated or not self.prompt_tokens or not self.counted

    def summary(self) -> dict[str, Any]:
        """All of it as plain values."""
        names = (
            "backend",
            "model",
            "server",
            "prompt_tokens",
            "completion_tokens",
            "ttft_ms",
            "tokens_per_second",
            "stop_reason",
            "dropped_turns",
            "window",
            "estimated",
            "retries",
            "notice",
        )
        return {name: getattr(self, name) for name in names}

    async def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Events of the chain's own parts: load, attempt, window, retry, queue."""
        if name == "load":
            self.loading = data["backend"]
        elif name == "attempt":
            self._begin_round()
            self.loading = None
            self.attempted = self.attempted or time.monotonic() - self.started
            self.backend, self.model, self.completion_tokens, self.pieces = data["backend"], None, None, 0
        elif name == "window":
            self.dropped_turns, self.dropped_messages = data["dropped_turns"], data["dropped_messages"]
            self.window = data["window"]
            self.prompt_tokens, self.estimated = data["prompt_tokens"], data["estimated"]
            self.passages, self.matches = data["passages"], data["matches"]
            self.whole, self.excess = data["whole"], data["excess"]
        elif name == "retry":
            self.retries.append(data["error"])
            self.thinking.end()
            self._is_stale = True  # and kept until there is something better
        elif name == "queue":
            self.queue_position = data["position"]

    def _begin_round(self) -> None:
        """Count what was read and written before, where the model has answered already: it called tools."""
        if self.ended is not None:
            self.read_before += self.prompt_tokens or 0
            self.written_before += self.completion_tokens or 0
            self.cached_before += self.cached_tokens
            self.ended = None
            self.thinking.begin_round()

    def _renew_thinking(self) -> None:
        """Forget what a try that failed has thought: this one says something."""
        if self._is_stale:
            self.thinking, self._is_stale = replace(self._goes_on), False

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """The model's name as the run knows it, until the reply names it better."""
        self.messages = messages[0]
        self.model = (kwargs.get("metadata") or {}).get("ls_model_name") or self.model

    async def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """The first visible token stops the clock; until all is known a piece is the tokens it says, or one."""
        chunk = kwargs.get("chunk")
        message = getattr(chunk, "message", None)
        thinking = thought(message)
        text = token if isinstance(token, str) or message is None else message.text  # else blocks, or what has none
        if not text and not thinking:
            return
        self._renew_thinking()
        usage = getattr(message, "usage_metadata", None)
        pieces = getattr(chunk, "pieces", 1)  # that a backend gathered to this one
        tokens = usage["output_tokens"] if usage else pieces
        self.pieces += pieces
        self.completion_tokens = (self.completion_tokens or 0) + tokens
        if thinking:
            self.thinking.add(thinking, tokens)
            self.on_thinking()
        if str(text).strip():
            self.thinking.end()
        if self.first_token is None and str(text).strip():
            self.first_token = time.monotonic() - self.started
            self.queue_position = None

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Usage and the reason of the end, from the whole message."""
        self.ended = time.monotonic() - self.started
        self.thinking.end()
        generation = response.generations[0][0]
        if not isinstance(generation, ChatGeneration) or not isinstance(generation.message, AIMessage):
            return
        message, info = generation.message, generation.generation_info or {}
        metadata = {**info, **message.response_metadata}
        self.model = metadata.get("model_name") or self.model
        self.server, self.notice, self.not_held = (metadata.get(name) for name in ("server", "notice", "not_held"))
        self.stop_reason = metadata.get("finish_reason") or metadata.get("stop_reason")
        self.stop_sequence = metadata.get("stop_sequence")
        self._take_usage(message)

    def _take_usage(self, message: AIMessage) -> None:
        """Take the figures that are told; where one is 0 it is not, and an estimate stands for it."""
        usage = message.usage_metadata
        if message.tool_calls or reasoning_tokens(usage):
            self._renew_thinking()
        self.thinking.count(usage)
        if usage and usage["input_tokens"]:
            self.prompt_tokens, self.estimated = usage["input_tokens"], False
            details = usage.get("input_token_details") or {}
            self.cached_tokens = min(details.get("cache_read") or 0, self.prompt_tokens)
            self.cache_writes = min(details.get("cache_creation") or 0, self.prompt_tokens - self.cached_tokens)
        if usage and (usage["output_tokens"] or not message.text):
            self.completion_tokens, self.counted = usage["output_tokens"], True
        else:
            self.completion_tokens = self._estimate(message) or self.completion_tokens

    def _estimate(self, message: AIMessage) -> int:
        """The tokens of a reply that came in pieces of one each; by its length where they are much longer."""
        by_length = estimate_tokens(f"{message.text}{thought(message)}")
        return by_length if by_length > 2 * self.pieces else self.pieces
