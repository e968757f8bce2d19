"""One chat model over several servers of the same model: each request goes to the least busy, past dead ones.

Knows that a server is an OpenAIChat; which one is next is decided in `server_pool`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelAuthenticationError, ModelError, ModelNotFoundError
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

from backends.remote.chat import OpenAIChat
from backends.remote.errors import is_server_error
from backends.remote.server_pool import Failover, Lease, ServerPool


class LoadBalancedChat(BaseChatModel):
    """Chat over any of `servers`. Call arguments: those of OpenAIChat; the reply's metadata names the server."""

    servers: list[OpenAIChat] = Field(min_length=2, description="one client for each address")
    failover_timeout: float = Field(
        60, description="seconds a request may have tried before it gives up servers left out"
    )
    exact_count: bool = Field(False, description="the count is an estimate, as each server's is")

    _pool: ServerPool = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Start with a pool of idle servers, and the window that is known so far."""
        super().model_post_init(context)
        self._pool = ServerPool(chat.server for chat in self.servers)
        self._update_window()

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: LangChain could not load a class of ours."""
        return False

    @property
    def server(self) -> str:
        """The addresses, as people read them."""
        return ", ".join(chat.server for chat in self.servers)

    @property
    def model_name(self) -> str:
        """The model's name, empty until a server has listed it."""
        return next((chat.model_name for chat in self.servers if chat.model_name), "")

    @property
    def running_requests(self) -> dict[str, int]:
        """How many requests of this process each address has now."""
        return {server.address: server.running for server in self._pool.servers}

    @property
    def _llm_type(self) -> str:
        return self.servers[0]._llm_type

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.servers[0]._get_ls_params(stop=stop, **kwargs)

    def thinking_efforts(self, model: str | None = None) -> tuple[str, ...]:
        """How much the servers may be asked to think."""
        return self.servers[0].thinking_efforts(model)

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An estimate of the number of tokens."""
        return self.servers[0].get_num_tokens_from_messages(messages)

    def get_num_tokens(self, text: str) -> int:
        """An estimate of the number of tokens."""
        return self.servers[0].get_num_tokens(text)

    def get_token_ids(self, text: str) -> list[int]:
        """Raises NotImplementedError: the servers' tokenizer is not known."""
        return self.servers[0].get_token_ids(text)

    def list_models(self) -> list[str]:
        """The models that any server lists, sorted. Raises ModelError kinds where none answers."""

        def list_or_error(chat: OpenAIChat) -> list[str] | ModelError:
            try:
                return chat.list_models()
            except ModelError as error:
                return error

        with ThreadPoolExecutor(len(self.servers)) as pool:
            results = list(pool.map(list_or_error, self.servers))
        lists = [names for names in results if isinstance(names, list)]
        if not lists:
            errors = [error for error in results if isinstance(error, ModelError)]
            raise type(errors[-1])("\n".join(map(str, errors))) from errors[-1]
        return sorted({name for names in lists for name in names})

    def _start_failover(self, options: dict[str, Any]) -> Failover:
        """The failover of one request among the servers that list the model it names, as far as they were asked."""
        model = options.get("model")
        serving = [
            chat.server
            for chat in self.servers
            if not model or chat.listed_models is None or model in chat.listed_models
        ]
        servers = [server for server in self._pool.servers if server.address in serving]

        def is_client_error(error: ModelError) -> bool:
            # A server that was started with another key, or without the model of our settings, refuses at once. If it
            # were not left out, it would always be the least busy one, and get nearly every request.
            refused = isinstance(error, ModelAuthenticationError) or (
                not model and isinstance(error, ModelNotFoundError)
            )
            return not (is_server_error(error) or refused)

        return Failover(self._pool, servers or self._pool.servers, is_client_error, self.failover_timeout)

    def _client_at(self, lease: Lease) -> OpenAIChat:
        return self.servers[self._pool.servers.index(lease.server)]

    def _probed_client(self, lease: Lease) -> OpenAIChat:
        """The client of a leased server; one that was left out is probed first. Raises ModelError kinds."""
        chat = self._client_at(lease)
        if lease.is_probe:
            chat.probe()
        return chat

    async def _aprobed_client(self, lease: Lease) -> OpenAIChat:
        chat = self._client_at(lease)
        if lease.is_probe:
            await chat.aprobe()
        return chat

    def _record_answer(self, lease: Lease, generation: ChatGeneration) -> None:
        """Note that the first chunk, or the whole reply, has come, and from which server."""
        lease.mark_started()
        self._update_window()
        generation.message.response_metadata["server"] = lease.server.address

    def _update_window(self) -> None:
        """Take the smallest window that is known, so that a prompt fits wherever it goes."""
        self.profile = smallest_window(self.servers)

    async def ameasured(self, name: str | None = None) -> Self:
        """This client, or for another model a copy, with the smallest window that the servers tell.

        Those that are left out are not asked; nor does it matter here that one does not answer.
        """
        now = time.monotonic()
        asked = [each.is_available(now) for each in self._pool.servers]
        clients = [
            _measured(chat, name) if is_asked else _unchanged(chat)
            for chat, is_asked in zip(self.servers, asked, strict=True)
        ]
        measured = await asyncio.gather(*clients)
        if not name:
            self._update_window()
            return self
        return self.model_copy(update={"servers": measured, "profile": smallest_window(measured)})

    def sees(self, name: str | None = None) -> bool | None:
        """Whether the model can see pictures at every server; None where nobody says."""
        told = [chat.sees(name) for chat in self.servers]
        return False if False in told else True if True in told else None

    def count_tokens(self, messages: Sequence[BaseMessage]) -> int:
        """Tokens of a prompt, as the first server counts that does; may wait for it."""
        counts = (chat.count_tokens(messages) for chat in self.servers if chat.profile)
        return next(counts, self.get_num_tokens_from_messages(messages))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        failover = self._start_failover(kwargs)
        while True:
            with failover.next_lease() as lease:
                for chunk in self._probed_client(lease)._stream(messages, stop, run_manager, **kwargs):
                    if not lease.started:
                        self._record_answer(lease, chunk)
                    yield chunk
                return

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        failover = self._start_failover(kwargs)
        while True:
            with failover.next_lease() as lease:
                chat = await self._aprobed_client(lease)
                async for chunk in chat._astream(messages, stop, run_manager, **kwargs):
                    if not lease.started:
                        self._record_answer(lease, chunk)
                    yield chunk
                return

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        failover = self._start_failover(kwargs)
        while True:
            with failover.next_lease() as lease:
                result = self._probed_client(lease)._generate(messages, stop, run_manager, **kwargs)
                self._record_answer(lease, result.generations[0])
                return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        failover = self._start_failover(kwargs)
        while True:
            with failover.next_lease() as lease:
                chat = await self._aprobed_client(lease)
                result = await chat._agenerate(messages, stop, run_manager, **kwargs)
                self._record_answer(lease, result.generations[0])
                return result


def smallest_window(servers: Sequence[OpenAIChat]) -> ModelProfile | None:
    """The smallest window of those that are known."""
    sizes = [(chat.profile or {}).get("max_input_tokens") for chat in servers]
    smallest = min((size for size in sizes if size), default=None)
    return {"max_input_tokens": smallest} if smallest else None


async def _measured(chat: OpenAIChat, name: str | None) -> OpenAIChat:
    try:
        return await chat.ameasured(name)
    except ModelError:  # the request itself goes past a server that does not answer
        return chat


async def _unchanged(chat: OpenAIChat) -> OpenAIChat:
    return chat
