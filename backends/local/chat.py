"""A LangChain chat model over an engine of this process: messages in, chunks out, stop reaches the engine.

It knows messages, templates and counting; nothing of how tokens are computed.
"""

import queue
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
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
from pydantic import ConfigDict, Field

from backends.local.engine import Engine, Event, Request, Sampling
from backends.local.inbox import Inbox
from backends.local.text import Text
from prompts.template import Piece, Rendered, render, render_plain

ROLES = {"human": "user", "ai": "assistant", "system": "system", "AIMessageChunk": "assistant"}
KNOBS = tuple(f.name for f in fields(Sampling))
PASSING = ("model", "stream")  # what a caller may say to any chat model, and here changes nothing


class LocalChat(BaseChatModel):
    """Chat over an `Engine`. Call arguments: stop, raw, and each field of `Sampling`."""

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    engine: Engine = Field(exclude=True)
    model_name: str = Field("", alias="model")
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    ignore_eos: bool | None = None
    stop: list[str] | None = None

    exact_count: bool = Field(True, description="counts come from the model's own tokenizer")

    @property
    def _llm_type(self) -> str:
        return self.engine.name

    def _resolve_model_profile(self) -> ModelProfile | None:
        return {"max_input_tokens": self.engine.window}

    @property
    def sampling_defaults(self) -> dict[str, Any]:
        """What a reply is drawn with where nobody set a knob: ours, then those saved with the model."""
        return {**asdict(Sampling()), **self.engine.defaults}

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Any = None) -> int:
        """Tokens of the whole prompt, template and start of the reply included."""
        return len(self._ids(self._render(messages)))

    def get_token_ids(self, text: str) -> list[int]:
        """Ids of plain text, by the model's own tokenizer."""
        return self.engine.encode(text)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        request = self._request(messages, stop, events.put, kwargs)
        self.engine.submit(request)
        try:
            finished = False
            while not finished:
                event = events.get()
                if event.position is not None and nested():
                    dispatch_custom_event("queue", {"position": event.position})
                for chunk in self._chunks(request, event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
                finished = event.finish is not None
        finally:
            self.engine.leave(request)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        inbox = Inbox(self.engine.waiting)
        request = self._request(messages, stop, inbox.put, kwargs)
        self.engine.submit(request)
        try:
            finished = False
            while not finished:
                for event in await inbox.take():
                    if event.position is not None and nested():
                        await adispatch_custom_event("queue", {"position": event.position})
                    for chunk in self._chunks(request, event):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
                    finished = event.finish is not None
        finally:
            self.engine.leave(request)

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
        options: dict[str, Any],
    ) -> Request:
        raw = bool(options.pop("raw", False))
        rendered = self._raw(messages) if raw else self._render(messages)
        ids = self._ids(rendered)
        self._check(ids)
        sampling = self._sampling(options, self.engine.window - len(ids))
        turns = () if sampling.ignore_eos else rendered.stop  # where a model without an end token would end
        ends = [*(stop if stop is not None else self.stop or ()), *turns]
        goes_on = messages[-1].type == "ai"  # and its first space belongs to the text
        return Request(ids, sampling, Text(ends, strip=not raw and not goes_on), emit)

    def _check(self, ids: list[int]) -> None:
        if not ids:
            raise ModelInvalidRequestError("The prompt is empty: there is nothing to continue. Write some text.")
        if len(ids) >= self.engine.window:
            raise ContextOverflowError(
                f"The prompt has {len(ids)} tokens and the window of {self.engine.name} holds {self.engine.window}, "
                "reply included. Shorten the message or the system prompt, or use a model with a larger window."
            )

    def _sampling(self, options: dict[str, Any], room: int) -> Sampling:
        if "max_completion_tokens" in options:
            options["max_tokens"] = options.pop("max_completion_tokens")
        self._known(options)
        values: dict[str, Any] = {}
        for name in KNOBS:
            given = options.get(name)
            value = getattr(self, name) if given is None else given
            if value is not None:
                values[name] = value
        sampling: dict[str, Any] = {**self.sampling_defaults, **values}
        found = Sampling(**sampling)
        return replace(found, max_tokens=min(found.max_tokens, room))

    def _known(self, options: dict[str, Any]) -> None:
        strange = [name for name, value in options.items() if value is not None and name not in {*KNOBS, *PASSING}]
        if strange:
            raise ModelInvalidRequestError(
                f"{self.engine.name} knows no option {', '.join(strange)}: leave it out. "
                f"It knows {', '.join(KNOBS)}, stop and raw."
            )

    def _render(self, messages: Sequence[BaseMessage]) -> Rendered:
        strange = next((m.type for m in messages if m.type not in ROLES), None)
        if strange:
            raise ModelInvalidRequestError(f"{self.engine.name} takes no message of type {strange}.")
        if len(messages) > 1 and messages[-1].type == "ai":  # a reply that was cut: it goes on at its last character
            begun = self._render(messages[:-1])
            return Rendered((*begun.pieces, Piece(spoken(messages[-1]), special=False)), begun.stop)
        rows = [{"role": ROLES[m.type], "content": spoken(m)} for m in messages]
        engine = self.engine
        try:
            return render(engine.template, rows, engine.specials, **engine.variables)
        except ValueError as error:
            if [row["role"] for row in rows[:2]] != ["system", "user"]:
                raise ModelInvalidRequestError(str(error)) from error
        try:  # some templates know no system role: what it says goes before the first message
            rows[:2] = [{"role": "user", "content": f"{rows[0]['content']}\n\n{rows[1]['content']}"}]
            return render(engine.template, rows, engine.specials, **engine.variables)
        except ValueError as error:
            raise ModelInvalidRequestError(str(error)) from error

    def _raw(self, messages: Sequence[BaseMessage]) -> Rendered:
        if len(messages) != 1 or messages[0].type != "human":
            raise ModelInvalidRequestError("raw=True continues one human message, and nothing else.")
        return render_plain(spoken(messages[0]))

    def _ids(self, rendered: Rendered) -> list[int]:
        ids: list[int] = []
        for piece in rendered.pieces:
            ids += [self.engine.special(piece.text)] if piece.special else self.engine.encode(piece.text)
        start = list(self.engine.start)
        return ids if not ids or ids[: len(start)] == start else start + ids

    def _chunks(self, request: Request, event: Event) -> Iterator[ChatGenerationChunk]:
        if event.error is not None:
            raise event.error
        if event.text:
            fresh, request.told = event.tokens - request.told, event.tokens
            yield ChatGenerationChunk(message=AIMessageChunk(content=event.text, usage_metadata=usage(0, fresh)))
        if event.finish is not None:
            yield self._last(request, event.finish)

    def _last(self, request: Request, finish: str) -> ChatGenerationChunk:
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                chunk_position="last",
                usage_metadata=usage(len(request.prompt), request.tokens - request.told),
                response_metadata={"model_name": self.model_name, "finish_reason": finish},
            ),
            generation_info={"finish_reason": finish},
        )


def spoken(message: BaseMessage) -> str:
    """The text of a message, lone surrogates replaced. Raises ModelInvalidRequestError for images and the like."""
    if isinstance(message.content, list):
        for block in message.content:
            if isinstance(block, dict) and block.get("type", "text") != "text":
                raise ModelInvalidRequestError(f"This model reads text only; the message holds {block.get('type')!r}.")
    return str(message.text).encode("utf-8", "replace").decode("utf-8")


def usage(read: int, said: int) -> UsageMetadata:
    """Tokens of the prompt and of this chunk; LangChain adds up those of all chunks."""
    return UsageMetadata(input_tokens=read, output_tokens=said, total_tokens=read + said)


def nested() -> bool:
    """Whether this call runs inside a chain, which is who hears of the queue."""
    return get_callback_manager_for_config(ensure_config()).parent_run_id is not None
