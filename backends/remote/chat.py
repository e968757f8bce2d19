"""ChatOpenAI with what it lacks for any server: a model found by itself, knobs for compatible servers, raw text,
an estimated count that fetches nothing, and failures that name the remedy."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelConnectionError, ModelError, ModelInvalidRequestError, ModelNotFoundError
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import Field, PrivateAttr

from backends.remote.errors import explained, servers_own

NO_API = "it answers, but not with OpenAI's API. Does OPENAI_BASE_URL end in /v1?"
# What a server is told after a reply of its own that was cut: few take up a last assistant message by themselves.
GO_ON = "Your last message was cut off. Go on exactly after its last character; repeat nothing and explain nothing."
EXTRA = ("top_k", "min_p", "repetition_penalty", "ignore_eos")  # knobs that only compatible servers know


class OpenAIChat(ChatOpenAI):
    """Chat over any server with OpenAI's API. Call arguments: those of ChatOpenAI, those of EXTRA, and raw."""

    compatible: bool = Field(False, description="a server other than OpenAI's own")
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    ignore_eos: bool | None = None
    exact_count: bool = Field(False, description="the count is an estimate: nothing is fetched for it")

    hurry: float | None = Field(None, description="seconds for /v1/models, where others could answer instead")

    _names: frozenset[str] | None = PrivateAttr(None)
    _found: bool = PrivateAttr(False)
    _clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncOpenAI] = PrivateAttr(default_factory=WeakKeyDictionary)
    _shared: bool = PrivateAttr(False)  # the client that LangChain made has its event loop
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _measured: bool = PrivateAttr(False)  # the window was asked for, too

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """No: LangChain could not load a class of ours."""
        return False

    @property
    def server(self) -> str:
        """Who is asked, for people."""
        return str(self.openai_api_base) if self.compatible else "api.openai.com"

    @property
    def names(self) -> frozenset[str] | None:
        """What the server listed when it was last asked; None before."""
        return self._names

    @property
    def found(self) -> bool:
        """Whether the model was named by the server, and not by OPENAI_MODEL."""
        return self._found or not self.model_name

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An estimate: the server's tokenizer is not known."""
        return count_tokens_approximately(messages)

    def get_num_tokens(self, text: str) -> int:
        """An estimate, see above."""
        return -(-len(text.encode("utf-8", "replace")) // 4)

    def get_token_ids(self, text: str) -> list[int]:
        """Not known: ChatOpenAI would fetch a table for a guess."""
        raise NotImplementedError("The server's tokenizer is not known; get_num_tokens estimates.")

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        extra = dict(kwargs.pop("extra_body", None) or self.extra_body or {})
        for name in EXTRA:
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
        said = payload.get("messages", [])
        if said and said[-1].get("role") == "assistant":
            payload["messages"] = said = [*said, {"role": "user", "content": GO_ON}]
        for message in said:
            if isinstance(message.get("content"), str):  # a lone surrogate cannot be sent
                message["content"] = message["content"].encode("utf-8", "replace").decode()
        return payload

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        raw = kwargs.pop("raw", False)
        ending = Ending(self.server)
        with explained(self.server):
            if not self.model_name:
                self._name_model(self._listed())
            chunks = self._continue(messages, stop, **kwargs) if raw else super()._stream(
                messages, stop=stop, run_manager=run_manager, **kwargs)  # fmt: skip
            for chunk in chunks:
                yield ending.see(chunk)
        ending.check()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        raw = kwargs.pop("raw", False)
        ending = Ending(self.server)
        with explained(self.server):
            if not self.model_name:
                self._name_model(await self._alisted())
            chunks = self._acontinue(messages, stop, **kwargs) if raw else super(OpenAIChat, self._here())._astream(
                messages, stop=stop, run_manager=run_manager, **kwargs)  # fmt: skip
            async for chunk in chunks:
                yield ending.see(chunk)
        ending.check()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("raw"):
            return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))
        with explained(self.server):
            if not self.model_name:
                self._name_model(self._listed())
            return super()._generate(messages, stop=stop, run_manager=run_manager, **kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("raw"):
            return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))
        with explained(self.server):
            if not self.model_name:
                self._name_model(await self._alisted())
            return await super(OpenAIChat, self._here())._agenerate(
                messages, stop=stop, run_manager=run_manager, **kwargs
            )

    def _client(self) -> AsyncOpenAI:
        """LangChain's for the first event loop, another for each other one: a connection belongs to its loop."""
        loop, waiting = asyncio.get_running_loop(), self.request_timeout
        with self._lock:
            if loop not in self._clients:
                client: AsyncOpenAI = self.root_async_client
                if self._shared:
                    client = client.copy(http_client=DefaultAsyncHttpxClient(timeout=waiting))  # type: ignore[arg-type]
                self._clients[loop], self._shared = client, True
            return self._clients[loop]

    def _here(self) -> Self:
        """Itself, with this event loop's client."""
        client = self._client()
        if client is self.root_async_client:
            return self
        return self.model_copy(update={"root_async_client": client, "async_client": client.chat.completions})

    def _name_model(self, listed: list[Any]) -> None:
        """Take the first model of the server, where nobody named one."""
        first = next(iter(listed), None)
        if first is None:
            raise ModelNotFoundError(f"openai ({self.server}): the server lists no model. Set OPENAI_MODEL.")
        if self.profile is None or self._measured:
            window = getattr(first, "max_model_len", None)  # vLLM says it here
            self.profile = {"max_input_tokens": window} if isinstance(window, int) else None
            self._measured = True
        self.model_name, self._found = first.id, True

    def offered(self) -> list[str]:
        """The names in the server's /v1/models. Raises ModelError kinds."""
        with explained(self.server):
            return sorted(str(model.id) for model in self._listed())

    def look(self) -> None:
        """Whether a server that failed is back, and what it serves now. Raises ModelError kinds where it is not."""
        with looking(self.server):
            self._rename(self._listed())

    async def alook(self) -> None:
        """As `look`."""
        with looking(self.server):
            self._rename(await self._alisted())

    def _rename(self, listed: list[Any]) -> None:
        if self.found and self.model_name not in (self._names or ()):
            self._name_model(listed)

    def _listed(self) -> list[Any]:
        page: Any = None
        with suppress(AttributeError):  # how the SDK meets an answer that is no JSON
            page = self.root_client.models.list(**self._briefly())
        return self._models(page)

    async def _alisted(self) -> list[Any]:
        page: Any = None
        with suppress(AttributeError):
            page = await self._client().models.list(**self._briefly())
        return self._models(page)

    def _briefly(self) -> dict[str, Any]:
        return {} if self.hurry is None else {"timeout": self.hurry}

    def _models(self, page: Any) -> list[Any]:
        if not isinstance(getattr(page, "data", None), list):
            raise ModelNotFoundError(f"openai ({self.server}): {NO_API}")
        self._names = frozenset(str(model.id) for model in page.data)
        return list(page.data)

    def _completion(self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any) -> dict[str, Any]:
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

    def _continue(
        self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self.root_client.completions.create(**self._completion(messages, stop, **kwargs)) as parts:
            for part in parts:
                yield from self._raw_chunk(part)

    async def _acontinue(
        self, messages: list[BaseMessage], stop: list[str] | None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with await self._client().completions.create(**self._completion(messages, stop, **kwargs)) as parts:
            async for part in parts:
                for chunk in self._raw_chunk(part):
                    yield chunk

    def _raw_chunk(self, part: Any) -> Iterator[ChatGenerationChunk]:
        for choice in part.choices[:1]:
            info = {"finish_reason": choice.finish_reason} if choice.finish_reason else {}
            message = AIMessageChunk(content=choice.text or "", response_metadata={"model_name": part.model, **info})
            if part.usage:
                message.usage_metadata = UsageMetadata(
                    input_tokens=part.usage.prompt_tokens, output_tokens=part.usage.completion_tokens,
                    total_tokens=part.usage.total_tokens)  # fmt: skip
            yield ChatGenerationChunk(message=message, generation_info=info or None)


@contextmanager
def looking(server: str) -> Iterator[None]:
    """Some servers list no models, or not to everybody: only what says that they are not there counts."""
    try:
        with explained(server):
            yield
    except ModelError as error:
        if servers_own(error) and not isinstance(error, ModelNotFoundError):
            raise


class Ending:
    """Whether a stream came to its end: some servers just close the connection."""

    def __init__(self, server: str) -> None:
        self.server, self.reached, self.begun = server, False, False

    def see(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Note the chunk and pass it on."""
        self.begun = True
        self.reached = self.reached or bool((chunk.generation_info or {}).get("finish_reason"))
        return chunk

    def check(self) -> None:
        """Raises ModelConnectionError for a stream that just stopped."""
        if not self.begun:
            raise ModelConnectionError(f"openai ({self.server}): nothing came. Does OPENAI_BASE_URL end in /v1?")
        if not self.reached:
            raise ModelConnectionError(f"openai ({self.server}): the reply broke off before its end. Try again.")
