"""What stands beside the text of one reply: which backend, how many tokens, how fast, why it ended, what was dropped.

One callback handler, given in the chain's `config`; it only listens.
"""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from chains.window import estimate_tokens


class Report(AsyncCallbackHandler):
    """Filled while the chain runs; times are seconds since the report was made."""

    run_inline = True

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.backend: str | None = None
        self.loading: str | None = None  # the backend whose model is being loaded for it
        self.model: str | None = None
        self.server: str | None = None  # which one answered, where a backend asks several
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.estimated = False
        self.window: int | None = None
        self.dropped_turns = 0
        self.dropped_messages = 0  # of the conversation, and not seen by the model
        self.passages: Sequence[Document] = ()  # of files, that stand in the prompt, best first
        self.matches = 0  # of how many
        self.whole = False  # the passages are the whole files
        self.excess: int | None = None  # tokens that the files are too long to be read whole, where somebody asked
        self.stop_reason: str | None = None
        self.notice: str | None = None  # what the reader has to know of the reply, as the backend says it
        self.queue_position: int | None = None
        self.retries: list[str] = []
        self.pieces = 0
        self.messages: Sequence[BaseMessage] = ()  # the prompt as the model was given it
        self.counted = False  # whether the tokens are the server's or the engine's own count
        self.first_token: float | None = None
        self.ended: float | None = None

    @property
    def ttft_ms(self) -> float | None:
        """Time to the first token in milliseconds, waiting and retries included."""
        return None if self.first_token is None else round(self.first_token * 1000, 1)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed after the first token."""
        if self.first_token is None or self.ended is None or min(self.pieces, self.completion_tokens or 0) < 2:
            return None  # a reply that came in one piece says nothing of speed
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
            self.loading = None
            self.backend, self.model, self.completion_tokens, self.pieces = data["backend"], None, None, 0
        elif name == "window":
            self.dropped_turns, self.dropped_messages = data["dropped_turns"], data["dropped_messages"]
            self.window = data["window"]
            self.prompt_tokens, self.estimated = data["prompt_tokens"], data["estimated"]
            self.passages, self.matches = data["passages"], data["matches"]
            self.whole, self.excess = data["whole"], data["excess"]
        elif name == "retry":
            self.retries.append(data["error"])
        elif name == "queue":
            self.queue_position = data["position"]

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """The model's name as the run knows it, until the reply names it better."""
        self.messages = messages[0]
        self.model = (kwargs.get("metadata") or {}).get("ls_model_name") or self.model

    async def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """The first visible token stops the clock; until all is known a piece is the tokens it says, or one."""
        if not str(token):
            return
        usage = getattr(getattr(kwargs.get("chunk"), "message", None), "usage_metadata", None)
        self.pieces += 1
        self.completion_tokens = (self.completion_tokens or 0) + (usage["output_tokens"] if usage else 1)
        if self.first_token is None and str(token).strip():
            self.first_token = time.monotonic() - self.started
            self.queue_position = None

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Usage and the reason of the end, from the whole message."""
        self.ended = time.monotonic() - self.started
        generation = response.generations[0][0]
        if not isinstance(generation, ChatGeneration) or not isinstance(generation.message, AIMessage):
            return
        message, info = generation.message, generation.generation_info or {}
        metadata = {**info, **message.response_metadata}
        self.model = metadata.get("model_name") or self.model
        self.server, self.notice = metadata.get("server"), metadata.get("notice")
        self.stop_reason = metadata.get("finish_reason") or metadata.get("stop_reason")
        self._take_usage(message)

    def _take_usage(self, message: AIMessage) -> None:
        """Take the figures that are told; where one is 0 it is not, and an estimate stands for it."""
        usage = message.usage_metadata
        if usage and usage["input_tokens"]:
            self.prompt_tokens, self.estimated = usage["input_tokens"], False
        if usage and (usage["output_tokens"] or not message.text):
            self.completion_tokens, self.counted = usage["output_tokens"], True
        else:
            self.completion_tokens = self._estimate(message) or self.completion_tokens

    def _estimate(self, message: AIMessage) -> int:
        """The tokens of a reply that came in pieces of one each; by its length where they are much longer."""
        thought = message.additional_kwargs.get("reasoning_content") or ""
        by_length = estimate_tokens(f"{message.text}{thought}")
        return by_length if by_length > 2 * self.pieces else self.pieces
