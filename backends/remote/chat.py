"""ChatOpenAI with what it lacks for any server: options of compatible servers, raw text, an estimated count that
fetches nothing, and a reply that goes on with what it has said. Knows one server; nothing of others."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field

from backends import vision
from backends.remote import effort, reasoning
from backends.remote import stop as stopping
from backends.remote.canonical import PIECES
from backends.remote.continuation import CONTINUE_PROMPT as CONTINUE_PROMPT
from backends.remote.continuation import GOES_ON, acut_chunks, cut_chunks, cut_generation, prepare, said_so_far
from backends.remote.discovery import DiscoveringChat, ReplyObserver
from backends.remote.estimate import estimate_tokens
from backends.remote.gathered import gathered
from backends.remote.normalizer import NoReplyError

LONG = 300  # tokens of a prompt that might be too long for some window
# Options that only compatible servers know.
EXTRA_OPTIONS = (
    *("top_k", "min_p", "repetition_penalty", "repeat_last_n", "ignore_eos", "chat_template_kwargs"),
    "structured_outputs",
)


class OpenAIChat(DiscoveringChat):
    """Chat over any server with OpenAI's API. Call arguments: those of ChatOpenAI, those of EXTRA_OPTIONS, and raw."""

    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    repeat_last_n: int | None = None
    ignore_eos: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None
    thinking_way: effort.Way | None = Field(None, description="how the server is told how much to think")

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: LangChain could not load a class of ours."""
        return False

    def thinking_efforts(self, model: str | None = None) -> tuple[str, ...]:
        """How much the server may be asked to think; nothing where its model is known not to do so."""
        name = model or self.model_name
        is_known = name == self.model_name and (self.profile or {}).get("reasoning_output") is False
        return () if is_known and not self.compatible else effort.efforts_by(self._thinking_way(name))

    def sees(self, name: str | None = None) -> bool | None:
        """Whether a model of the server can see pictures, as the server says, or LangChain's table of OpenAI's models;
        None where neither does.
        """
        model = name or self.model_name
        told = self._probe.last_description(model).sees
        if told is None and not self.compatible and model == self.model_name:
            told = (self.profile or {}).get("image_inputs")
        return told

    def _thinking_way(self, model: str) -> effort.Way:
        return effort.choose_way(self.thinking_way, self._probe.last_description(model).software)

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An estimate of the number of tokens: the server's tokenizer is not known."""
        return estimate_tokens(messages)

    def get_num_tokens(self, text: str) -> int:
        """An estimate of the number of tokens: a quarter of the bytes, rounded up."""
        return -(-len(text.encode("utf-8", "replace")) // 4)

    def get_token_ids(self, text: str) -> list[int]:
        """Raises NotImplementedError: ChatOpenAI would fetch a table for a guess."""
        raise NotImplementedError("The server's tokenizer is not known; get_num_tokens estimates.")

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        extra = dict(kwargs.pop("extra_body", None) or self.extra_body or {})
        for name in EXTRA_OPTIONS:
            value = kwargs.pop(name, None)
            value = getattr(self, name) if value is None else value
            if value is not None:
                extra[name] = value
        given = vision.after_results(self._convert_input(input_).to_messages())
        payload = super()._get_request_payload(given, stop=stop, **kwargs)
        payload["model"] = kwargs.get("model") or self.model_name
        if isinstance(payload.get("response_format"), dict):
            # As a field of its own LangChain would have the SDK parse the reply: that raises where max_tokens cut it,
            # with all that was said, and where a tool is not strict.
            extra["response_format"] = payload.pop("response_format")
        if extra:
            payload["extra_body"] = extra
        if self.compatible and "max_completion_tokens" in payload:
            payload["max_tokens"] = payload.pop("max_completion_tokens")  # the name every server knows
        software = self._probe.last_description(payload["model"]).software
        effort.prepare(payload, self._thinking_way(payload["model"]))
        if software in reasoning.KNOWN:
            reasoning.prepare(payload, given, software, str(self.root_client.base_url))
        prepare(payload, software)
        for message in payload.get("messages", []):
            if isinstance(message.get("content"), str):  # a lone surrogate cannot be sent
                message["content"] = message["content"].encode("utf-8", "replace").decode()
        return payload

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        model = kwargs.get("model")
        with self._learning(model):
            said = self._prepare(messages, model)
            if raw:
                chunks = self._stream_raw(messages, stop, **kwargs)
            else:
                chunks = super()._stream(messages, stop=stop, run_manager=run_manager, **kwargs)
            observer = ReplyObserver(self, messages, model)
            try:
                for chunk in chunks if said is None else cut_chunks(chunks, said):
                    observer.observe(chunk)
                    yield self._settle(chunk, model, stop)
            except NoReplyError:
                if may_be_too_long(messages) and not raw:
                    super()._generate(messages, stop=stop, **{**kwargs, "max_tokens": 1})
                raise
            observer.end()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        model = kwargs.get("model")
        with self._learning(model):
            said = await self._aprepare(messages, model)
            if raw:
                chunks = self._astream_raw(messages, stop, **kwargs)
            else:
                chunks = super(OpenAIChat, self._with_loop_client())._astream(
                    messages, stop=stop, run_manager=run_manager, **kwargs
                )
            observer = ReplyObserver(self, messages, model)
            try:
                async for chunk in chunks if said is None else acut_chunks(chunks, said):
                    observer.observe(chunk)
                    yield self._settle(chunk, model, stop)
            except NoReplyError:
                if may_be_too_long(messages) and not raw:
                    brief = {**kwargs, "max_tokens": 1}
                    await super(OpenAIChat, self._with_loop_client())._agenerate(messages, stop=stop, **brief)
                raise
            observer.end()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> ChatResult:
        if raw:
            return generate_from_stream(self._stream(messages, stop, run_manager, raw=raw, **kwargs))
        model = kwargs.get("model")
        with self._learning(model):
            said = self._prepare(messages, model)
            result = super()._generate(messages, stop=stop, run_manager=run_manager, **kwargs)
            return self._finish(result, messages, said, model, stop)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> ChatResult:
        if raw:
            return await agenerate_from_stream(self._astream(messages, stop, run_manager, raw=raw, **kwargs))
        model = kwargs.get("model")
        with self._learning(model):
            said = await self._aprepare(messages, model)
            result = await super(OpenAIChat, self._with_loop_client())._agenerate(
                messages, stop=stop, run_manager=run_manager, **kwargs
            )
            return self._finish(result, messages, said, model, stop)

    def _prepare(self, messages: list[BaseMessage], model: str | None) -> str | None:
        """Find out what a request needs: its model, and whether the server goes on with a message by itself, or reads
        what was thought before.

        Returns the text that its answer may repeat; None where it begins a new message.
        """
        self._find_model()
        return self._repeatable(messages, model)

    async def _aprepare(self, messages: list[BaseMessage], model: str | None) -> str | None:
        """The same in the event loop."""
        await self._afind_model()
        if said_so_far(messages) is None and not reasoning.is_told(messages):
            return None
        return await asyncio.to_thread(self._repeatable, messages, model)

    def _repeatable(self, messages: list[BaseMessage], model: str | None) -> str | None:
        said = said_so_far(messages)
        if not self.compatible or (said is None and not reasoning.is_told(messages)):
            return None
        return said if self._probe.description(model or self.model_name).software in GOES_ON else None

    def _finish(
        self,
        result: ChatResult,
        messages: list[BaseMessage],
        said: str | None,
        model: str | None,
        stop: list[str] | None,
    ) -> ChatResult:
        """A whole reply without what it repeats, after a note of what it tells of the server."""
        observer = ReplyObserver(self, messages, model)
        for generation in result.generations:
            observer.observe(generation)
            stopping.settle(generation.generation_info, stop or self.stop)
        observer.end()
        if said is not None:
            result.generations = [cut_generation(generation, said) for generation in result.generations]
        return result

    def _with_loop_client(self) -> Self:
        """This model with this event loop's client."""
        client = self._loop_client()
        if client is self.root_async_client:
            return self
        return self.model_copy(update={"root_async_client": client, "async_client": client.chat.completions})

    def _completion_payload(self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any) -> dict[str, Any]:
        if len(messages) != 1 or messages[0].type != "human":
            raise ModelInvalidRequestError("raw=True continues one human message, and nothing else.")
        if not self.compatible:
            raise ModelInvalidRequestError(
                "openai: OpenAI's chat models have no /v1/completions, so raw text cannot be continued. "
                "The backends gpt2 and llamacpp can, and a server at OPENAI_BASE_URL that offers it."
            )
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        payload.pop("messages")
        payload.pop("stream_options", None)
        return {**payload, "prompt": messages[0].text.encode("utf-8", "replace").decode(), "stream": True}

    def _stream_raw(
        self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self.root_client.completions.create(**self._completion_payload(messages, stop, **kwargs)) as parts:
            for part in parts:
                yield from self._raw_chunk(part)

    async def _astream_raw(
        self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with await self._loop_client().completions.create(
            **self._completion_payload(messages, stop, **kwargs)
        ) as parts:
            async for part in parts:
                for chunk in self._raw_chunk(part):
                    yield chunk

    def _raw_chunk(self, part: Any) -> Iterator[ChatGenerationChunk]:
        for choice in part.choices[:1]:
            ended = {"finish_reason": choice.finish_reason, "model_name": part.model} if choice.finish_reason else {}
            info = {name: told for name, told in ended.items() if told}
            if (told := (choice.model_extra or {}).get(stopping.KEY)) is not None:
                info[stopping.KEY] = told
            message = AIMessageChunk(content=choice.text or "", response_metadata=info)
            if part.usage:
                message.usage_metadata = UsageMetadata(
                    input_tokens=part.usage.prompt_tokens,
                    output_tokens=part.usage.completion_tokens,
                    total_tokens=part.usage.total_tokens,
                )
            chunk = ChatGenerationChunk(message=message, generation_info=info or None)
            yield gathered(chunk, (part.model_extra or {}).get(PIECES, 1))

    def _settle(self, chunk: ChatGenerationChunk, model: str | None, stop: list[str] | None) -> ChatGenerationChunk:
        """The chunk; the last one names the model that was asked for, where the server names none, and its end."""
        if chunk.generation_info and chunk.generation_info.get("finish_reason"):
            chunk.generation_info.setdefault("model_name", model or self.model_name)
            stopping.settle(chunk.generation_info, stop or self.stop)
        return chunk

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices")
        if generation is not None and choices:
            reasoning.keep(generation.message, choices[0].get("delta"))
            if stopping.KEY in choices[0]:
                generation.generation_info = {
                    **(generation.generation_info or {}),
                    stopping.KEY: choices[0][stopping.KEY],
                }
        return None if generation is None else gathered(generation, chunk.get(PIECES, 1))

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        if result.llm_output and not result.llm_output.get("model_name"):
            result.llm_output["model_name"] = self.model_name
        for generation, choice in zip(result.generations, response.choices, strict=True):
            reasoning.keep(generation.message, choice.message.model_dump())
            if (told := (choice.model_extra or {}).get(stopping.KEY)) is not None:
                generation.generation_info = {**(generation.generation_info or {}), stopping.KEY: told}
        return result


def may_be_too_long(messages: Sequence[BaseMessage]) -> bool:
    """Whether a stream that ends with nothing in it may have been refused because of the prompt's length.

    llama-cpp-python's server ends it so, and says why to who asks without a stream.
    """
    return estimate_tokens(messages) >= LONG
