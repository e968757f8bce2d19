"""A LangChain chat model over an engine of this process: messages in, chunks out; a cancelled call frees the engine.

Knows messages, templates and counting; nothing of how tokens are computed.
"""

import queue
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.exceptions import ContextOverflowError, ModelInvalidRequestError
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config
from pydantic import ConfigDict, Field, PrivateAttr

from backends.local.decoder import StreamDecoder
from backends.local.engine import Engine, Event, Request
from backends.local.inbox import Inbox
from backends.local.prompt import PromptBuilder
from backends.local.sampling import REST_OF_WINDOW, Sampling, UnsupportedOptionError
from backends.local.template import ChatTemplate
from prompts.template import RenderedPrompt, render_plain

ROLES = {"human": "user", "ai": "assistant", "system": "system", "AIMessageChunk": "assistant"}
SAMPLING_OPTIONS = tuple(f.name for f in fields(Sampling))
IGNORED_OPTIONS = ("model", "stream")  # what clients send to any chat model, and here changes nothing

PromptKey = tuple[tuple[str, str], ...]


class LocalChat(BaseChatModel):
    """Chat over an `Engine`. Call arguments: stop, raw (the prompt is text to continue), each field of `Sampling`.

    `max_tokens=-1` is the rest of the window. `chat_template_kwargs` are variables for the chat template, and
    `reasoning_effort` sets those of them by which a model thinks. `conversation` is the id of the one that the messages
    are of: what is computed for it may outlast the model, in files of this process.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    engine: Engine = Field(exclude=True)
    template: ChatTemplate = Field(exclude=True)
    model_name: str = Field("", alias="model")
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    repeat_last_n: int | None = None
    seed: int | None = None
    max_tokens: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    ignore_eos: bool | None = None
    stop: list[str] | None = None

    exact_count: bool = Field(True, description="counts come from the model's own tokenizer")

    _builder: PromptBuilder = PrivateAttr()
    _last_prompt: tuple[PromptKey, RenderedPrompt, tuple[int, ...]] | None = PrivateAttr(None)

    def model_post_init(self, context: Any, /) -> None:
        """Read what the template and the vocabulary have in common."""
        super().model_post_init(context)
        self._builder = PromptBuilder(self.engine, self.template)
        ends = [self.engine.special_id(text) for text in self._builder.turn_ends]
        if ends and not any(map(self.engine.is_end, ends)):  # else the model's files say how its replies end
            self.engine.end_replies_at(ends[0])

    @property
    def _llm_type(self) -> str:
        return self.engine.name

    def _resolve_model_profile(self) -> ModelProfile | None:
        return {"max_input_tokens": self.engine.window}

    @property
    def template_origin(self) -> str:
        """Where the chat template comes from, for people."""
        return self.template.origin

    @property
    def parameters(self) -> int | None:
        """How many parameters the model has; None where nobody counted."""
        return self.engine.parameters

    @property
    def queue_length(self) -> int:
        """How many requests wait or run."""
        return self.engine.pending_count()

    def close(self) -> None:
        """End the engine and its thread. Requests that wait or run fail."""
        self.engine.close()

    def leave(self) -> None:
        """End the engine, and keep what it computed for conversations for when the model comes back."""
        self.engine.leave()

    @property
    def sampling_defaults(self) -> dict[str, Any]:
        """The options that a reply is sampled with where nobody set one: ours, under those saved with the model."""
        return {**asdict(Sampling()), **self.engine.saved_sampling}

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Any = None) -> int:
        """The number of tokens of the whole prompt, with the template and the start of the reply."""
        return len(self._prompt(messages)[1])

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of plain text, by the model's own tokenizer."""
        return self.engine.encode(text)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        request = self._request(messages, stop, events.put, raw, kwargs)
        self.engine.submit(request)
        try:
            finished = False
            while not finished:
                event = events.get()
                if event.position is not None and runs_in_chain():
                    dispatch_custom_event("queue", {"position": event.position})
                for chunk in self._chunks(request, event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
                finished = event.finish is not None
        finally:
            self.engine.cancel(request)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        inbox = Inbox(self.engine.pending_count)
        request = self._request(messages, stop, inbox.put, raw, kwargs)
        self.engine.submit(request)
        try:
            finished = False
            while not finished:
                for event in await inbox.take():
                    if event.position is not None and runs_in_chain():
                        await adispatch_custom_event("queue", {"position": event.position})
                    for chunk in self._chunks(request, event):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
                    finished = event.finish is not None
        finally:
            self.engine.cancel(request)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    def _request(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        emit: Callable[[Event], object],
        raw: bool,
        options: dict[str, Any],
    ) -> Request:
        conversation = options.pop("conversation", None)
        rendered, ids = self._prompt(messages, raw, self._template_options(options))
        self._check_length(ids)
        room = self.engine.window - len(ids)
        sampling = self._sampling(options, room)
        turns = () if sampling.ignore_eos else rendered.stop  # where a model without an end token would end
        stop_strings = [*(stop if stop is not None else self.stop or ()), *turns]
        continues = messages[-1].type == "ai"  # and its first space belongs to the text
        decoder = StreamDecoder(stop_strings, strip=not raw and not continues)
        # Who may fill the window hardly ever does.
        expected = Sampling.max_tokens if sampling.max_tokens == room else None
        return Request(ids, sampling, decoder, emit, expected=expected, conversation=conversation)

    def _check_length(self, ids: list[int]) -> None:
        if not ids:
            raise ModelInvalidRequestError("The prompt is empty: there is nothing to continue. Write some text.")
        if len(ids) >= self.engine.window:
            raise ContextOverflowError(
                f"The prompt has {len(ids)} tokens and the window of {self.engine.name} holds {self.engine.window}, "
                "reply included. Shorten the message or the system prompt, or use a model with a larger window."
            )

    def _template_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """The variables for the template, taken out of a call's options. Raises UnsupportedOptionError."""
        variables, effort = options.pop("chat_template_kwargs", None) or {}, options.pop("reasoning_effort", None)
        if effort is None:
            return dict(variables)
        thinking = self.template.thinking_variables(effort)
        if thinking is None:
            raise UnsupportedOptionError(
                "reasoning_effort",
                f"reasoning_effort={effort}: the model of {self.engine.name} does not think before it answers. "
                "Leave it out, or send none.",
            )
        return {**thinking, **variables}

    def _sampling(self, options: dict[str, Any], room: int) -> Sampling:
        if "max_completion_tokens" in options:
            options["max_tokens"] = options.pop("max_completion_tokens")
        self._check_options(options)
        values = dict(self.sampling_defaults)
        for name in SAMPLING_OPTIONS:
            argument = options.get(name)
            value = getattr(self, name) if argument is None else argument
            if value is not None:
                values[name] = value
            if value is not None and name == "repetition_penalty":  # not for what the saved one was for
                values["repeat_last_n"] = None
        if values["max_tokens"] == REST_OF_WINDOW:
            values["max_tokens"] = room
        if values["top_k"] == -1:  # as vLLM and llama-server have it: no limit
            values["top_k"] = 0
        sampling = Sampling(**values)
        return replace(sampling, max_tokens=min(sampling.max_tokens, room))

    def _check_options(self, options: dict[str, Any]) -> None:
        known_options = {*SAMPLING_OPTIONS, *IGNORED_OPTIONS}
        unknown = [name for name, value in options.items() if value is not None and name not in known_options]
        if unknown:
            raise UnsupportedOptionError(
                unknown[0],
                f"{self.engine.name} knows no option {', '.join(unknown)}: leave it out. "
                f"It knows {', '.join(SAMPLING_OPTIONS)}, stop and raw.",
            )

    def _render(self, messages: Sequence[BaseMessage], options: Mapping[str, Any] | None = None) -> RenderedPrompt:
        unknown = next((m.type for m in messages if m.type not in ROLES), None)
        if unknown:
            raise ModelInvalidRequestError(f"{self.engine.name} takes no message of type {unknown}.")
        if len(messages) > 1 and messages[-1].type == "ai":  # a reply that was cut: it goes on at its last character
            prompt = self._render(messages[:-1], options)
            reply = self._builder.continuation(message_text(messages[-1]))
            return RenderedPrompt((*prompt.segments, *reply), prompt.stop)
        rows = [{"role": ROLES[m.type], "content": message_text(m)} for m in messages]
        try:
            return self._builder.render(rows, options)
        except ValueError as error:
            raise ModelInvalidRequestError(str(error)) from error

    def _render_raw(self, messages: Sequence[BaseMessage]) -> RenderedPrompt:
        if len(messages) != 1 or messages[0].type != "human":
            raise ModelInvalidRequestError("raw=True continues one human message, and nothing else.")
        return render_plain(message_text(messages[0]))

    def _prompt(
        self, messages: Sequence[BaseMessage], raw: bool = False, options: Mapping[str, Any] | None = None
    ) -> tuple[RenderedPrompt, list[int]]:
        """The prompt and its ids; what was counted last, to see whether it fits, is not rendered again to be sent."""
        key = None if raw or options else _prompt_key(messages)
        last = self._last_prompt
        if key is not None and last is not None and last[0] == key:
            return last[1], list(last[2])
        rendered = self._render_raw(messages) if raw else self._render(messages, options)
        ids = self._tokenize(rendered)
        if key is not None:
            self._last_prompt = key, rendered, tuple(ids)
        return rendered, ids

    def _tokenize(self, rendered: RenderedPrompt) -> list[int]:
        return self._builder.tokenize(rendered.segments)

    def _chunks(self, request: Request, event: Event) -> Iterator[ChatGenerationChunk]:
        if event.error is not None:
            raise event.error
        if event.text:
            fresh, request.reported = event.tokens - request.reported, event.tokens
            yield ChatGenerationChunk(
                message=AIMessageChunk(content=event.text, usage_metadata=usage_metadata(0, fresh))
            )
        if event.finish is not None:
            yield self._last_chunk(request, event.finish)

    def _last_chunk(self, request: Request, finish: str) -> ChatGenerationChunk:
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                chunk_position="last",
                usage_metadata=usage_metadata(len(request.prompt), request.tokens - request.reported),
                response_metadata={"model_name": self.model_name, "finish_reason": finish},
            ),
            generation_info={"finish_reason": finish},
        )


def message_text(message: BaseMessage) -> str:
    """The text of a message, lone surrogates replaced. Raises ModelInvalidRequestError for images and the like."""
    if isinstance(message.content, list):
        for block in message.content:
            if isinstance(block, dict) and block.get("type", "text") != "text":
                raise ModelInvalidRequestError(f"This model reads text only; the message holds {block.get('type')!r}.")
    return str(message.text).encode("utf-8", "replace").decode("utf-8")


def _prompt_key(messages: Sequence[BaseMessage]) -> PromptKey | None:
    """Who says what; None where a message is more than a string."""
    key = tuple((m.type, m.content) for m in messages if isinstance(m.content, str))
    return key if len(key) == len(messages) else None


def usage_metadata(prompt_tokens: int, reply_tokens: int) -> UsageMetadata:
    """The usage of one chunk; LangChain adds up those of all chunks."""
    return UsageMetadata(
        input_tokens=prompt_tokens, output_tokens=reply_tokens, total_tokens=prompt_tokens + reply_tokens
    )


def runs_in_chain() -> bool:
    """Whether this call runs inside a chain, whose callbacks get events of the queue."""
    return get_callback_manager_for_config(ensure_config()).parent_run_id is not None
