"""The model at the end of the chain: fits the window, tries again, falls back, never answers with nothing.

Knows backends by name and the kinds of failure; nothing of prompts, pages or conversations.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from langchain_core.tools import BaseTool

import backends
from backends import REST_OF_WINDOW, LocalModel, ProviderModel, ThinkingControl, UnsupportedOptionError, vision
from chains.no_answer import no_answer_cause
from chains.window import Fit, fit, window
from settings import Settings

TRIES = 3
MAX_WAIT = 8.0  # seconds


class EmptyReplyError(ModelAPIError):
    """The model ended its reply before the first visible character."""


class NoAnswerError(ModelError):
    """The model said something else than an answer, and would do so again."""


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
            requested = backends.retry_after(error)
            self.wait = (
                min(MAX_WAIT, 0.25 * 2**self.tries * random.uniform(0.8, 1.2)) if requested is None else requested
            )
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

    `options` are those of sampling; `model` is a name at the first backend only. `raw`: the prompt is one text, and
    goes on without a template. `strict`: the prompt goes to the model as it is or not at all, a reply without a visible
    character is one too, and one whose length nobody set may fill the window. `cut` has the prompt fit the window; None
    leaves it as it is. `hidden`: as `window` has it. `conversation`: the id of the one that goes on, where what a
    model of this process computes for it may outlast the model. `control` ends the thinking of one in this process.
    `tools` may be called, and a call is an answer too.
    """

    def __init__(
        self,
        settings: Settings,
        backend: str,
        options: Mapping[str, Any],
        *,
        model: str | None = None,
        raw: bool = False,
        strict: bool = False,
        cut: Fit | None = fit,
        hidden: Sequence[int] = (),
        conversation: str | None = None,
        control: ThinkingControl | None = None,
        tools: Sequence[BaseTool] = (),
    ) -> None:
        self.settings, self.options, self.model, self.raw = settings, dict(options), model, raw
        self.tools, self.control = tools, control
        self.strict, self.cut, self.hidden, self.conversation = strict, cut, hidden, conversation
        self.names = list(dict.fromkeys([backend, *settings.llm_fallback]))

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """The whole reply as one message, for who has no event loop."""
        return asyncio.run(self.ainvoke(input, config, **kwargs))

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """The whole reply as one message."""
        chunks: list[Any] = [chunk async for chunk in self.astream(input, config, **kwargs)]
        message: AIMessage = reduce(add, chunks)
        return message

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """Chunks as they come; cancelling the task stops the engine within one token.

        Raises ModelError kinds; after the first visible character nothing is tried again.
        """
        config, policy = ensure_config(config), RetryPolicy(self.names)
        while True:
            name, gate = policy.name, FirstTokenGate(self.strict, calls=bool(self.tools or self.options.get("tools")))
            try:
                # 1. The model, loaded by the first who asks; it stays until the reply is over.
                lease = backends.leased(name)
                if lease is None:
                    await adispatch_custom_event("load", {"backend": name}, config=config)
                    lease = await backends.lease(name, self.settings)
                with lease:
                    await adispatch_custom_event("attempt", {"backend": name}, config=config)
                    # 2. Its chunks, from the first visible character on.
                    shown = await self._shown(name, lease.model, input)
                    async for chunk in self._runnable(name, lease.model, kwargs).astream(shown, config):
                        if gate.is_open:
                            yield chunk
                            continue
                        for passed in gate.push(chunk):
                            yield passed
                    for passed in gate.close(name):
                        yield passed
                return
            except (ModelError, TypeError) as raised:
                # 3. Again, or the next backend, as long as nothing was given away.
                error = self._as_model_error(name, raised)
                if gate.is_open:
                    raise error from error.__cause__
                policy.record_failure(error)
                await adispatch_custom_event("retry", {"error": str(error)}, config=config)
            await asyncio.sleep(policy.wait)

    @staticmethod
    def _as_model_error(name: str, error: ModelError | TypeError) -> ModelError:
        """The failure; another provider's client answers an option it does not know with a TypeError."""
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
        if self.raw and ProviderModel.parse(name):
            raise ModelInvalidRequestError(f"{name} continues no raw text; the backends gpt2 and llamacpp do.")
        options = {**self.options, **kwargs}
        if self.raw:
            options["raw"] = True
        other = self.model if name == self.names[0] else None
        if other:
            options["model"] = other
        is_local = isinstance(model, LocalModel)
        if self.conversation is not None and is_local:
            options["conversation"] = self.conversation
        options = self._steered(name, model, options, is_local)
        reply = options.get("max_tokens") or self.settings.max_tokens
        if self.strict and reply is None and is_local:
            options["max_tokens"] = REST_OF_WINDOW
        bound: Any = _with_tools(name, model, self.tools) if self.tools else model
        bound = bound.bind(**options) if options else bound
        if self.raw or self.cut is None:  # nothing to drop; the backend checks what fits
            return bound  # type: ignore[no-any-return]
        fitted: Runnable[Any, AIMessage] = window(model, reply, self.cut, self.hidden, other, self.tools) | bound
        return fitted

    async def _shown(self, name: str, model: BaseChatModel, input: LanguageModelInput) -> LanguageModelInput:
        """The prompt as this model is shown it: one that cannot see gets the pictures of earlier turns as a line each.

        Raises ModelInvalidRequestError where it would have to see those of the newest one, or `strict` all of it.
        """
        messages = input.to_messages() if isinstance(input, PromptValue) else ()
        # Most messages are text alone: asked for here, since a call for each would cost more than the rest.
        showing = [
            at for at, each in enumerate(messages) if isinstance(each.content, list) and vision.has_pictures(each)
        ]
        if not showing:
            return input
        other = self.model if name == self.names[0] else None
        await backends.measured(model, other)  # what a server says of its model
        problem = backends.vision_error(name, self.settings, other)
        if problem is None:
            return input
        newest = max(at for at, message in enumerate(messages) if message.type == "human")
        if self.strict or showing[-1] >= newest:
            raise ModelInvalidRequestError(problem)
        return ChatPromptValue(messages=[vision.without_pictures(message) for message in messages])

    def _steered(self, name: str, model: BaseChatModel, options: dict[str, Any], is_local: bool) -> dict[str, Any]:
        """The options with what is said of thinking as this model takes it.

        Raises UnsupportedOptionError where no way to tell it is known; a fallback that does not know an effort thinks
        as it does.
        """
        effort = options.pop("reasoning_effort", None)
        if effort is not None and (name == self.names[0] or effort in backends.effort.known_efforts(model)):
            told = backends.effort.call_options(model, effort)
            if told is None:
                text = f"reasoning_effort={effort}: it is not known how {name} is told how much to think. Leave it out."
                raise UnsupportedOptionError("reasoning_effort", text)
            options |= told
        if is_local and isinstance(model, backends.effort.SteeredModel):
            if not self.raw and self.settings.reasoning_budget is not None:
                options.setdefault("reasoning_budget", self.settings.reasoning_budget)
            return {**options, "thinking_control": self.control} if self.control is not None else options
        if options.get("reasoning_budget") is not None:
            text = f"reasoning_budget: {name} is no model of this machine, whose thinking could be ended. Leave it out."
            raise UnsupportedOptionError("reasoning_budget", text)
        return options


def _with_tools(name: str, model: BaseChatModel, tools: Sequence[BaseTool]) -> Runnable[Any, AIMessage]:
    """The model with these tools to call. Raises ModelInvalidRequestError where it has no way to call any."""
    try:
        return model.bind_tools(list(tools))
    except NotImplementedError as error:
        text = f"{name} cannot call tools: switch the tools of this conversation off, or choose another backend."
        raise rephrase(error, ModelInvalidRequestError, text) from error


class FirstTokenGate:
    """Holds back what comes before the first visible character, so that a failure up to there can be retried."""

    def __init__(self, allow_empty: bool = False, calls: bool = False) -> None:
        """`allow_empty`: every character counts as visible, and none is needed. `calls`: so does a call of a tool."""
        self.is_open, self._allow_empty, self._calls = False, allow_empty, calls
        self._held: list[AIMessageChunk] = []

    def push(self, chunk: Any) -> Iterator[AIMessageChunk]:
        """The chunks that may go out now."""
        self._held.append(chunk)
        is_call = self._calls and bool(getattr(chunk, "tool_call_chunks", None))
        if self.is_open or is_call or str(chunk.text).strip() or (self._allow_empty and chunk.text):
            self.is_open = True
            yield from self._held
            self._held.clear()

    def close(self, name: str) -> Iterator[AIMessageChunk]:
        """Nothing more comes. Raises EmptyReplyError where nothing visible did, NoAnswerError where it names why."""
        if not self.is_open:
            cause = no_answer_cause(self._held)
            if cause is not None and not (self._allow_empty and cause.is_told):
                raise NoAnswerError(f"{name} {cause.sentence}")
            if not self._allow_empty:
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
