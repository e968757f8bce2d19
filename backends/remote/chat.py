"""ChatOpenAI with what it lacks for any server: a model found by itself, options of compatible servers, raw text,
an estimated count that fetches nothing, and failures that name the remedy. Knows one server; nothing of others."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelError, ModelInvalidRequestError, ModelNotFoundError
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import Field, PrivateAttr

from backends.remote.errors import is_server_error, translate_errors
from backends.remote.http_client import AsyncHTTPClient, HTTPClient

NOT_OPENAI = "it answers, but not with OpenAI's API. Does OPENAI_BASE_URL end in /v1?"
# The instruction to a server after a reply of its own that was cut: few take up a last assistant message by themselves.
CONTINUE_PROMPT = (
    "Your last message was cut off. Go on exactly after its last character; repeat nothing and explain nothing."
)
# Options that only compatible servers know.
EXTRA_OPTIONS = ("top_k", "min_p", "repetition_penalty", "ignore_eos", "chat_template_kwargs")


class OpenAIChat(ChatOpenAI):
    """Chat over any server with OpenAI's API. Call arguments: those of ChatOpenAI, those of EXTRA_OPTIONS, and raw."""

    compatible: bool = Field(False, description="a server other than OpenAI's own")
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    ignore_eos: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    http_client: Any = Field(default_factory=HTTPClient, exclude=True)
    http_async_client: Any = Field(default_factory=AsyncHTTPClient, exclude=True)
    openai_proxy: str | None = Field(None, description="read by the clients themselves")
    http_socket_options: Sequence[tuple[int, int, int]] | None = Field((), exclude=True, description="the clients' own")
    exact_count: bool = Field(False, description="the count is an estimate: nothing is fetched for it")

    listing_timeout: float | None = Field(None, description="seconds for /v1/models, where others could answer instead")

    _listed_models: frozenset[str] | None = PrivateAttr(None)
    _was_discovered: bool = PrivateAttr(False)
    _clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncOpenAI] = PrivateAttr(default_factory=WeakKeyDictionary)
    _default_client_used: bool = PrivateAttr(False)  # the client that LangChain made has its event loop
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _window_discovered: bool = PrivateAttr(False)  # the window is the server's word, too

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: LangChain could not load a class of ours."""
        return False

    @property
    def server(self) -> str:
        """The server's address, as people read it."""
        return str(self.openai_api_base) if self.compatible else "api.openai.com"

    @property
    def listed_models(self) -> frozenset[str] | None:
        """The models that the server listed when it was last asked; None before."""
        return self._listed_models

    @property
    def is_discovered(self) -> bool:
        """Whether the model is the server's own first, and not the one of OPENAI_MODEL."""
        return self._was_discovered or not self.model_name

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An estimate of the number of tokens: the server's tokenizer is not known."""
        return count_tokens_approximately(messages)

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
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        payload["model"] = kwargs.get("model") or self.model_name
        if extra:
            payload["extra_body"] = extra
        if self.compatible and "max_completion_tokens" in payload:
            payload["max_tokens"] = payload.pop("max_completion_tokens")  # the name every server knows
        messages = payload.get("messages", [])
        if messages and messages[-1].get("role") == "assistant":
            payload["messages"] = messages = [*messages, {"role": "user", "content": CONTINUE_PROMPT}]
        for message in messages:
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
        with translate_errors(self.server):
            if not self.model_name:
                self._adopt_first(self._fetch_models())
            if raw:
                chunks = self._stream_raw(messages, stop, **kwargs)
            else:
                chunks = super()._stream(messages, stop=stop, run_manager=run_manager, **kwargs)
            for chunk in chunks:
                yield self._name_model(chunk, kwargs.get("model"))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        raw: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with translate_errors(self.server):
            if not self.model_name:
                self._adopt_first(await self._afetch_models())
            if raw:
                chunks = self._astream_raw(messages, stop, **kwargs)
            else:
                chunks = super(OpenAIChat, self._with_loop_client())._astream(
                    messages, stop=stop, run_manager=run_manager, **kwargs
                )
            async for chunk in chunks:
                yield self._name_model(chunk, kwargs.get("model"))

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
        with translate_errors(self.server):
            if not self.model_name:
                self._adopt_first(self._fetch_models())
            return super()._generate(messages, stop=stop, run_manager=run_manager, **kwargs)

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
        with translate_errors(self.server):
            if not self.model_name:
                self._adopt_first(await self._afetch_models())
            return await super(OpenAIChat, self._with_loop_client())._agenerate(
                messages, stop=stop, run_manager=run_manager, **kwargs
            )

    def _loop_client(self) -> AsyncOpenAI:
        """The SDK's client for this event loop, to which its connections belong; the first loop gets LangChain's."""
        loop, timeout = asyncio.get_running_loop(), self.request_timeout
        with self._lock:
            if loop not in self._clients:
                client: AsyncOpenAI = self.root_async_client
                if self._default_client_used:
                    client = client.copy(http_client=AsyncHTTPClient(timeout=timeout))
                self._clients[loop], self._default_client_used = client, True
            return self._clients[loop]

    def _with_loop_client(self) -> Self:
        """This model with this event loop's client."""
        client = self._loop_client()
        if client is self.root_async_client:
            return self
        return self.model_copy(update={"root_async_client": client, "async_client": client.chat.completions})

    def _adopt_first(self, listed: list[Any]) -> None:
        """Take the server's first model, and its window where nobody set one. Raises ModelNotFoundError."""
        first = next(iter(listed), None)
        if first is None:
            raise ModelNotFoundError(f"openai ({self.server}): the server lists no model. Set OPENAI_MODEL.")
        if self.profile is None or self._window_discovered:
            window = getattr(first, "max_model_len", None)  # vLLM says it here
            self.profile = {"max_input_tokens": window} if isinstance(window, int) else None
            self._window_discovered = True
        self.model_name, self._was_discovered = first.id, True

    def list_models(self) -> list[str]:
        """The names in the server's /v1/models, sorted. Raises ModelError kinds."""
        with translate_errors(self.server):
            return sorted(str(model.id) for model in self._fetch_models())

    def probe(self) -> None:
        """Ask a server that failed what it serves now. Raises ModelError kinds where it is not back."""
        with probing(self.server):
            self._refresh_model(self._fetch_models())

    async def aprobe(self) -> None:
        """Ask as `probe` does, in the event loop. Raises ModelError kinds."""
        with probing(self.server):
            self._refresh_model(await self._afetch_models())

    def _refresh_model(self, listed: list[Any]) -> None:
        if self.is_discovered and self.model_name not in (self._listed_models or ()):
            self._adopt_first(listed)

    def _fetch_models(self) -> list[Any]:
        page: Any = None
        with suppress(AttributeError):  # how the SDK meets an answer that is no JSON
            page = self.root_client.models.list(**self._listing_options())
        return self._read_models(page)

    async def _afetch_models(self) -> list[Any]:
        page: Any = None
        with suppress(AttributeError):
            page = await self._loop_client().models.list(**self._listing_options())
        return self._read_models(page)

    def _listing_options(self) -> dict[str, Any]:
        return {} if self.listing_timeout is None else {"timeout": self.listing_timeout}

    def _read_models(self, page: Any) -> list[Any]:
        if not isinstance(getattr(page, "data", None), list):
            raise ModelNotFoundError(f"openai ({self.server}): {NOT_OPENAI}")
        self._listed_models = frozenset(str(model.id) for model in page.data)
        return list(page.data)

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
            message = AIMessageChunk(content=choice.text or "", response_metadata=info)
            if part.usage:
                message.usage_metadata = UsageMetadata(
                    input_tokens=part.usage.prompt_tokens,
                    output_tokens=part.usage.completion_tokens,
                    total_tokens=part.usage.total_tokens,
                )
            yield ChatGenerationChunk(message=message, generation_info=info or None)

    def _name_model(self, chunk: ChatGenerationChunk, model: str | None) -> ChatGenerationChunk:
        """The chunk; the last one names the model that was asked for, where the server names none."""
        if chunk.generation_info and chunk.generation_info.get("finish_reason"):
            chunk.generation_info.setdefault("model_name", model or self.model_name)
        return chunk

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices")
        if generation is not None and choices:
            _keep_reasoning(generation, choices[0].get("delta"))
        return generation

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        if result.llm_output and not result.llm_output.get("model_name"):
            result.llm_output["model_name"] = self.model_name
        for generation, choice in zip(result.generations, response.choices, strict=True):
            _keep_reasoning(generation, choice.message.model_dump())
        return result


def _keep_reasoning(generation: ChatGeneration, said: Any) -> None:
    """Put what the model thinks beside its text, where LangChain looks for it; langchain-openai drops it."""
    if isinstance(said, dict) and (reasoning := said.get("reasoning_content")):
        generation.message.additional_kwargs["reasoning_content"] = reasoning


@contextmanager
def probing(server: str) -> Iterator[None]:
    """A block that raises only what says that the server is not there: some list no models, or not to everybody."""
    try:
        with translate_errors(server):
            yield
    except ModelError as error:
        if is_server_error(error) and not isinstance(error, ModelNotFoundError):
            raise
