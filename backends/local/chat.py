"""A LangChain chat model over an engine of this process: messages in, chunks out; a cancelled call frees the engine.

Knows messages, templates and counting; nothing of how tokens are computed.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.exceptions import ContextOverflowError, ModelInvalidRequestError
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr

from backends.local.chunks import ChunkWriter, cut_call_told
from backends.local.decoder import StreamDecoder
from backends.local.demand import NOTHING, Demand, asks_form
from backends.local.engine import Engine, Event, Request
from backends.local.grammar import Grammars
from backends.local.inbox import Inbox
from backends.local.messages import PromptKey, message_text, message_thought, prompt_key, thought_so_far, to_rows
from backends.local.picture import Album, look_at, pictures_of, place
from backends.local.prompt import PromptBuilder
from backends.local.recall import THOUGHT
from backends.local.response_format import take
from backends.local.sampling import REST_OF_WINDOW, Sampling, UnsupportedOptionError
from backends.local.steering import take as take_steering
from backends.local.structured_output import structured_output
from backends.local.template import ChatTemplate
from backends.local.thinking import ThinkingUse
from backends.local.tools.offer import Offer
from backends.local.tools.offer import take as take_tools
from backends.local.tools.use import ToolUse
from prompts.template import RenderedPrompt, Segment, render_plain

OUR_SAMPLING = asdict(Sampling())
SAMPLING_OPTIONS = tuple(OUR_SAMPLING)
IGNORED_OPTIONS = ("model", "stream")  # what clients send to any chat model, and here changes nothing


class LocalChat(BaseChatModel):
    """Chat over an `Engine`. Call arguments: stop, raw (the prompt is text to continue), each field of `Sampling`.

    `max_tokens=-1` is the rest of the window. `chat_template_kwargs` are variables for the chat template, and
    `reasoning_effort` sets those of them by which a model thinks. `reasoning_budget` is how many tokens it may think,
    and `thinking_control` ends it before. `response_format` and `structured_outputs` are forms that the reply is held
    to. `conversation` is the id of the one that the messages are of: what is computed for it may outlast the model, in
    files of this process.
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
    _grammars: Grammars = PrivateAttr()
    _tools: ToolUse = PrivateAttr()
    _thinking: ThinkingUse | None = PrivateAttr(None)
    _last_prompt: tuple[PromptKey, RenderedPrompt, tuple[int, ...]] | None = PrivateAttr(None)

    def model_post_init(self, context: Any, /) -> None:
        """Read what the template and the vocabulary have in common."""
        super().model_post_init(context)
        self._builder = PromptBuilder(self.engine, self.template)
        self._grammars = Grammars(self.engine, self._builder.encode_written)
        form = self.template.thinking_format(self.engine.template_variables)
        self._thinking = ThinkingUse(self.engine, self._builder, form) if form is not None else None
        self._tools = ToolUse(self.engine, self._builder, self.template.text, self._grammars)
        ends = [self.engine.special_id(text) for text in self._builder.turn_ends]
        if ends and not any(map(self.engine.is_end, ends)):  # else the model's files say how its replies end
            self.engine.end_replies_at(ends[0])

    @property
    def _llm_type(self) -> str:
        return self.engine.name

    def _resolve_model_profile(self) -> ModelProfile | None:
        return {"max_input_tokens": self.engine.window, "image_inputs": self.engine.blindness is None}

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
        """End the engine, and keep what it computed for conversations. Requests that wait or run fail."""
        self.engine.close()

    def thinking_efforts(self, model: str | None = None) -> tuple[str, ...]:
        """How much it can be asked to think; nothing where it does not."""
        return self.template.thinking_efforts(self._thinking is not None)

    @property
    def sampling_defaults(self) -> dict[str, Any]:
        """The options that a reply is sampled with where nobody set one: ours, under those saved with the model."""
        return {**OUR_SAMPLING, **self.engine.saved_sampling}

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Any = None) -> int:
        """The number of tokens of the whole prompt, with the template and the start of the reply."""
        offer = take_tools({"tools": [convert_to_openai_tool(tool) for tool in tools]}) if tools else None
        return len(self._prompt(messages, offer=offer)[1])

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of plain text, by the model's own tokenizer."""
        return self.engine.encode(text)

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, method: str = "json_schema", strict: bool = True, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """This model held to a schema, its reply parsed; `strict` changes nothing: it always is."""
        if kwargs:
            raise ValueError(f"with_structured_output knows no {', '.join(kwargs)}")
        return structured_output(self, schema, include_raw, method)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools that it may call; arguments are always of their schema.

        `tool_choice`: auto, none, required (any), or the name of one. `parallel_tool_calls` false: one call at most.
        `strict`: what of a schema cannot be held to is refused; otherwise the model is trusted with that alone, and
        `not_held` in the reply's metadata names it.
        """
        offered = [convert_to_openai_tool(tool) for tool in tools]
        if strict is not None:
            offered = [{**tool, "function": {**tool["function"], "strict": strict}} for tool in offered]
        options = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls, **kwargs}
        return self.bind(tools=offered, **{name: value for name, value in options.items() if value is not None})

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
        demand = self._demand(messages, kwargs)
        writer = self._request(messages, stop, events.put, raw, kwargs, demand)
        self.engine.submit(writer.request)
        try:
            finished = False
            while not finished:
                event = events.get()
                if event.position is not None and runs_in_chain():
                    dispatch_custom_event("queue", {"position": event.position})
                for chunk in writer.write(event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
                finished = event.finish is not None
        finally:
            self.engine.cancel(writer.request)

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
        demand = await asyncio.to_thread(self._demand, messages, kwargs) if asks_form(kwargs) else NOTHING
        await look_at(self.engine, messages)
        writer = self._request(messages, stop, inbox.put, raw, kwargs, demand)
        self.engine.submit(writer.request)
        try:
            finished = False
            while not finished:
                for event in await inbox.take():
                    if event.position is not None and runs_in_chain():
                        await adispatch_custom_event("queue", {"position": event.position})
                    for chunk in writer.write(event):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
                    finished = event.finish is not None
        finally:
            self.engine.cancel(writer.request)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = list(self._stream(messages, stop, run_manager, **kwargs))
        return cut_call_told(generate_from_stream(iter(chunks)), chunks)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = [chunk async for chunk in self._astream(messages, stop, run_manager, **kwargs)]
        return cut_call_told(generate_from_stream(iter(chunks)), chunks)

    def _request(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        emit: Callable[[Event], object],
        raw: bool,
        options: dict[str, Any],
        demand: Demand = NOTHING,
    ) -> ChunkWriter:
        conversation = options.pop("conversation", None)
        steering = take_steering(options, self.template, self.thinking_efforts(), self.engine.name)
        rendered, ids = self._prompt(messages, raw, steering.variables, demand.offer)
        self._check_length(ids)
        room = self.engine.window - len(ids)
        sampling = self._sampling(options, room)
        turns = () if sampling.ignore_eos else rendered.stop  # where a model without an end token would end
        stop_strings = stop if stop is not None else self.stop or ()
        continues = messages[-1].type == "ai"  # and its first space belongs to the text
        thought = thought_so_far(messages) if continues else ""
        decoder = StreamDecoder(stop_strings, ends=turns, strip=not raw and not continues)
        # Who may fill the window hardly ever does.
        expected = Sampling.max_tokens if sampling.max_tokens == room else None
        request = Request(ids, sampling, decoder, emit, expected=expected, conversation=conversation)
        request.views = place(ids, pictures_of(rendered))
        request.matcher, request.markers = demand.matcher, demand.markers
        if self._thinking is None or raw or (continues and not thought):
            return ChunkWriter(request, self.model_name, demand.reader, not_held=demand.not_held)
        begun = self._thinking.begin(rendered, steering, demand.matcher, thought)
        request.matcher, request.markers = begun.matcher, {**demand.markers, **begun.markers}
        return ChunkWriter(request, self.model_name, demand.reader, begun, demand.not_held)

    def _demand(self, messages: Sequence[BaseMessage], options: dict[str, Any]) -> Demand:
        """The tools and the form that a call's options ask for, which are taken out of them.

        Raises UnsupportedOptionError for a form that cannot be held to, and for what is no tool.
        """
        offer, form = take_tools(options), take(options)
        if (offer or form) and options.get("ignore_eos"):
            asked = form.option if form else "tools"
            raise UnsupportedOptionError(
                "ignore_eos", f"ignore_eos: a reply of a form ends. Leave out that, or {asked}."
            )
        calling = self._tools.calling(offer, form) if offer is not None else None
        matcher = calling.matcher if calling else self._grammars.matcher(form) if form else None
        if matcher is not None and len(messages) > 1 and messages[-1].type == "ai":  # a reply that was cut goes on
            matcher.continue_after(self._builder.encode_written(said := message_text(messages[-1])))
            if calling is not None:
                calling.reader.push(said)
        if matcher is not None:
            matcher.prepare()
        return Demand(offer, matcher, *(() if calling is None else calling[1:]))

    def _check_length(self, ids: list[int]) -> None:
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

    def _render(
        self, messages: Sequence[BaseMessage], options: Mapping[str, Any] | None = None, offer: Offer | None = None
    ) -> RenderedPrompt:
        album = Album(self.engine)
        rows = to_rows(messages, self.engine.name, album.add)
        if len(messages) > 1 and messages[-1].type == "ai":  # a reply that was cut: it goes on at its last character
            prompt = self._render(messages[:-1], options, offer)
            if thought := thought_so_far(messages):
                return RenderedPrompt((*prompt.segments, *self._reopened(prompt, thought)), prompt.stop)
            reply = self._builder.continuation(message_text(messages[-1]))
            thought = message_thought(messages[-1])
            before = self._thinking.past(prompt.segments, thought) if self._thinking is not None else ()
            return RenderedPrompt((*prompt.segments, *before, *reply), prompt.stop)
        try:
            if offer is None and not any(row.keys() - {"role", "content", THOUGHT} for row in rows):
                return album.fill(self._builder.render(rows, options))
            return album.fill(self._tools.render(rows, offer, options))
        except ValueError as error:
            raise ModelInvalidRequestError(str(error)) from error

    def _reopened(self, prompt: RenderedPrompt, thought: str) -> Iterable[Segment]:
        """What has the reply go on inside its thinking. Raises ModelInvalidRequestError for a model without any."""
        if self._thinking is None:
            raise ModelInvalidRequestError(
                f"The reply ended inside its thinking, and the model of {self.engine.name} does not think: "
                "regenerate it, or choose the model that began it."
            )
        return self._thinking.reopen(prompt.segments, thought)

    def _render_raw(self, messages: Sequence[BaseMessage]) -> RenderedPrompt:
        if len(messages) != 1 or messages[0].type != "human":
            raise ModelInvalidRequestError("raw=True continues one human message, and nothing else.")
        return render_plain(message_text(messages[0]))

    def _prompt(
        self,
        messages: Sequence[BaseMessage],
        raw: bool = False,
        options: Mapping[str, Any] | None = None,
        offer: Offer | None = None,
    ) -> tuple[RenderedPrompt, list[int]]:
        """The prompt and its ids; what was counted last, to see whether it fits, is not rendered again to be sent."""
        key = None if raw or options or offer else prompt_key(messages)
        last = self._last_prompt
        if key is not None and last is not None and last[0] == key:
            return last[1], list(last[2])
        rendered = self._render_raw(messages) if raw else self._render(messages, options, offer)
        ids = self._tokenize(rendered)
        if key is not None:
            self._last_prompt = key, rendered, tuple(ids)
        return rendered, ids

    def _tokenize(self, rendered: RenderedPrompt) -> list[int]:
        return self._builder.tokenize(rendered.segments)


def runs_in_chain() -> bool:
    """Whether this call runs inside a chain, whose callbacks get events of the queue."""
    return get_callback_manager_for_config(ensure_config()).parent_run_id is not None
