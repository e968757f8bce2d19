"""The model at the end of the chain: fits the window, tries again, falls back, never answers with nothing.

Knows backends by name and the kinds of failure; nothing of prompts, pages or conversations.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config

import backends
from backends import ProviderModel
from chains.window import fit, insert_passages, window
from settings import Settings

TRIES = 3
MAX_WAIT = 8.0  # seconds


class EmptyReplyError(ModelAPIError):
    """The model ended its reply before the first visible character."""


@dataclass
class RetryPolicy:
    """Which backend is tried next and how long to wait before: retries with backoff, then the fallbacks."""

    names: list[str]
    at: int = 0
    tries: int = 0
    wait: float = 0.0
    earlier: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The backend to try now."""
        return self.names[self.at]

    def record_failure(self, error: ModelError) -> None:
        """Move on after a failure. Raises it where nothing is left to try, or nothing else could help."""
        self.tries += 1
        if error.is_retryable and self.tries < TRIES:
            asked = backends.retry_after(error)
            self.wait = min(MAX_WAIT, 0.25 * 2**self.tries * random.uniform(0.8, 1.2)) if asked is None else asked
            if self.wait <= MAX_WAIT:
                return
        if isinstance(error, ModelInvalidRequestError) or self.at + 1 == len(self.names):
            raise self._combined(error)
        self.earlier.append(str(error))
        self.at, self.tries, self.wait = self.at + 1, 0, 0.0

    def _combined(self, error: ModelError) -> ModelError:
        """The last failure, with those of the backends tried before it."""
        if not self.earlier:
            return error
        return rephrase(error, base_kind(error), "\n".join([*self.earlier, str(error)]))


class FallbackModel(Runnable[LanguageModelInput, AIMessage]):
    """One answer from `backend`, or from the first of LLM_FALLBACK that gives one.

    `strict`: the prompt goes to the model as it is or not at all, and a reply without a visible character is one too;
    `with_passages`: but for passages of files, of which those that fit are written into it.
    """

    def __init__(
        self,
        settings: Settings,
        backend: str,
        options: Mapping[str, Any],
        *,
        strict: bool = False,
        with_passages: bool = False,
    ) -> None:
        self.settings, self.options, self.strict, self.with_passages = settings, dict(options), strict, with_passages
        self.names = list(dict.fromkeys([backend, *settings.llm_fallback]))

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """The whole reply as one message."""
        chunks: Iterator[Any] = self.stream(input, config, **kwargs)
        message: AIMessage = reduce(add, chunks)
        return message

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """The whole reply as one message."""
        chunks: list[Any] = [chunk async for chunk in self.astream(input, config, **kwargs)]
        message: AIMessage = reduce(add, chunks)
        return message

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        """Chunks as they come. Raises ModelError kinds; after the first visible character nothing is retried."""
        config, plan, first = ensure_config(config), RetryPolicy(self.names), FirstTokenGate(self.strict)
        while True:
            try:
                runnable = self._runnable(plan.name, backends.load(plan.name, self.settings), kwargs)
                dispatch_custom_event("attempt", {"backend": plan.name}, config=config)
                for chunk in runnable.stream(input, config):
                    yield from first.push(chunk)
                yield from first.close(plan.name)
                return
            except (ModelError, TypeError) as raised:
                event = self._next_attempt(plan, first, raised)
                dispatch_custom_event("retry", event, config=config)
            time.sleep(plan.wait)
            first = FirstTokenGate(self.strict)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """As `stream`; cancelling the task stops the engine within one token."""
        config, plan, first = ensure_config(config), RetryPolicy(self.names), FirstTokenGate(self.strict)
        while True:
            try:
                model = backends.loaded_model(plan.name)
                if model is None:
                    model = await asyncio.to_thread(backends.load, plan.name, self.settings)
                await adispatch_custom_event("attempt", {"backend": plan.name}, config=config)
                async for chunk in self._runnable(plan.name, model, kwargs).astream(input, config):
                    for shown in first.push(chunk):
                        yield shown
                for shown in first.close(plan.name):
                    yield shown
                return
            except (ModelError, TypeError) as raised:
                event = self._next_attempt(plan, first, raised)
                await adispatch_custom_event("retry", event, config=config)
            await asyncio.sleep(plan.wait)
            first = FirstTokenGate(self.strict)

    def _next_attempt(
        self, plan: RetryPolicy, first: "FirstTokenGate", raised: ModelError | TypeError
    ) -> dict[str, str]:
        """Move the plan on and return what is reported. Raises what cannot, or must not, be tried again."""
        error = self._as_model_error(plan.name, raised)
        if first.opened:
            raise error
        plan.record_failure(error)
        return {"error": str(error)}

    @staticmethod
    def _as_model_error(name: str, error: ModelError | TypeError) -> ModelError:
        """Another provider's client answers a knob it does not know with a TypeError."""
        if isinstance(error, ModelError):
            if not ProviderModel.parse(name) or name in str(error):
                return error
            text = f"{name}: {error} Check the provider's key and address, or ask another backend."
            return rephrase(error, base_kind(error), text)
        if not ProviderModel.parse(name):
            raise error
        return rephrase(error, ModelInvalidRequestError, f"{name}: {error}. Unset that knob, or ask another backend.")

    def _runnable(self, name: str, model: BaseChatModel, kwargs: Mapping[str, Any]) -> Runnable[Any, AIMessage]:
        """The prompt cut to this backend's window, then the backend."""
        options = {**self.options, **kwargs}
        if ProviderModel.parse(name) and options.pop("raw", False):
            raise ModelInvalidRequestError(f"{name} continues no raw text; the backends gpt2 and llamacpp do.")
        if name != self.names[0]:  # a model is a name at one server only
            options.pop("model", None)
        bound: Any = model.bind(**options) if options else model
        if options.get("raw") or (
            self.strict and not self.with_passages
        ):  # nothing to drop; the backend checks what fits
            return bound  # type: ignore[no-any-return]
        reply = options.get("max_tokens") or self.settings.max_tokens
        fitted: Runnable[Any, AIMessage] = window(model, reply, insert_passages if self.strict else fit) | bound
        return fitted


class FirstTokenGate:
    """Holds back what comes before the first visible character, so that a failure up to there can be retried."""

    def __init__(self, allow_empty: bool = False) -> None:
        """`allow_empty`: every character counts as visible, and none is needed."""
        self.opened, self._allow_empty = False, allow_empty
        self._held: list[AIMessageChunk] = []

    def push(self, chunk: Any) -> Iterator[AIMessageChunk]:
        """The chunks that may go out now."""
        self._held.append(chunk)
        if self.opened or str(chunk.text).strip() or (self._allow_empty and chunk.text):
            self.opened = True
            yield from self._held
            self._held.clear()

    def close(self, name: str) -> Iterator[AIMessageChunk]:
        """Nothing more comes. Raises EmptyReplyError where nothing visible did."""
        if not (self.opened or self._allow_empty):
            raise EmptyReplyError(
                f"{name} gave an empty reply. Ask in other words, or raise TEMPERATURE or MAX_TOKENS."
            )
        yield from self._held


def base_kind(error: ModelError) -> type[ModelError]:
    """LangChain's own kind of a failure, without what a provider mixed in."""
    return next(k for k in type(error).__mro__ if k.__module__ == ModelError.__module__)


def rephrase(cause: Exception, kind: type[ModelError], text: str) -> ModelError:
    """A failure in other words, with the first one as its cause."""
    error = kind(text)
    error.__cause__ = cause
    return error
