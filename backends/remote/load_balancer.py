"""One chat model over several servers that serve the same model: each request goes to the least busy, past dead ones.

Knows that a server is an OpenAIChat; who is asked next is decided in `balance`.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelAuthenticationError, ModelError, ModelNotFoundError
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

from backends.remote.balance import Balance, Place, Way
from backends.remote.chat import OpenAIChat
from backends.remote.errors import servers_own


class SpreadChat(BaseChatModel):
    """Chat over any of `servers`. Call arguments: those of OpenAIChat; the reply's metadata names the server."""

    servers: list[OpenAIChat] = Field(min_length=2, description="one client for each address")
    patience: float = Field(60, description="seconds a request may have tried before it gives up servers left out")
    exact_count: bool = Field(False, description="the count is an estimate, as each server's is")

    _balance: Balance = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """The counts begin at nothing."""
        super().model_post_init(context)
        self._balance = Balance(chat.server for chat in self.servers)
        self._learn()

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """No: LangChain could not load a class of ours."""
        return False

    @property
    def server(self) -> str:
        """Who may be asked, for people."""
        return ", ".join(chat.server for chat in self.servers)

    @property
    def model_name(self) -> str:
        """The model's name as far as a server has said it."""
        return next((chat.model_name for chat in self.servers if chat.model_name), "")

    @property
    def running(self) -> dict[str, int]:
        """Each address with the requests of this process that it has now."""
        return {server.address: server.running for server in self._balance.servers}

    @property
    def _llm_type(self) -> str:
        return self.servers[0]._llm_type

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.servers[0]._get_ls_params(stop=stop, **kwargs)

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], *_: Any, **__: Any) -> int:
        """An estimate."""
        return self.servers[0].get_num_tokens_from_messages(messages)

    def get_num_tokens(self, text: str) -> int:
        """An estimate."""
        return self.servers[0].get_num_tokens(text)

    def get_token_ids(self, text: str) -> list[int]:
        """Not known. Raises NotImplementedError."""
        return self.servers[0].get_token_ids(text)

    def offered(self) -> list[str]:
        """The names that any server lists; who picks one is sent to those that have it. Raises ModelError kinds."""

        def ask(chat: OpenAIChat) -> list[str] | ModelError:
            try:
                return chat.offered()
            except ModelError as error:
                return error

        with ThreadPoolExecutor(len(self.servers)) as pool:
            said = list(pool.map(ask, self.servers))
        lists = [names for names in said if isinstance(names, list)]
        if not lists:
            errors = [error for error in said if isinstance(error, ModelError)]
            raise type(errors[-1])("\n".join(map(str, errors))) from errors[-1]
        return sorted({name for names in lists for name in names})

    def _way(self, options: dict[str, Any]) -> Way:
        """The servers for one request: those that have the model it names, as far as they have said what they have."""
        wanted = options.get("model")
        having = [chat.server for chat in self.servers if not wanted or chat.names is None or wanted in chat.names]
        fit = [server for server in self._balance.servers if server.address in having]

        def ours(error: ModelError) -> bool:
            # A server that was started with another key, or without the model of our settings, refuses at once. If it
            # were not left out, it would always be the least busy one, and get nearly every request.
            refused = isinstance(error, ModelAuthenticationError) or (
                not wanted and isinstance(error, ModelNotFoundError)
            )
            return not (servers_own(error) or refused)

        return Way(self._balance, fit or self._balance.servers, ours, self.patience)

    def _at(self, place: Place) -> OpenAIChat:
        return self.servers[self._balance.servers.index(place.server)]

    def _tried(self, place: Place) -> OpenAIChat:
        """Who has the place; one that was left out first shows that he answers."""
        chat = self._at(place)
        if place.trial:
            chat.look()
        return chat

    async def _atried(self, place: Place) -> OpenAIChat:
        chat = self._at(place)
        if place.trial:
            await chat.alook()
        return chat

    def _note(self, place: Place, generation: ChatGeneration) -> None:
        """The first chunk, or the whole reply, has come."""
        place.answered()
        self._learn()
        generation.message.response_metadata["server"] = place.server.address

    def _learn(self) -> None:
        """The window is the smallest that is known, so that a prompt fits wherever it goes."""
        known = [(chat.profile or {}).get("max_input_tokens") for chat in self.servers]
        smallest = min((size for size in known if size), default=None)
        self.profile = {"max_input_tokens": smallest} if smallest else None

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        way = self._way(kwargs)
        while True:
            with way.next() as place:
                for chunk in self._tried(place)._stream(messages, stop, run_manager, **kwargs):
                    if not place.begun:
                        self._note(place, chunk)
                    yield chunk
                return

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        way = self._way(kwargs)
        while True:
            with way.next() as place:
                chat = await self._atried(place)
                async for chunk in chat._astream(messages, stop, run_manager, **kwargs):
                    if not place.begun:
                        self._note(place, chunk)
                    yield chunk
                return

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        way = self._way(kwargs)
        while True:
            with way.next() as place:
                result = self._tried(place)._generate(messages, stop, run_manager, **kwargs)
                self._note(place, result.generations[0])
                return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        way = self._way(kwargs)
        while True:
            with way.next() as place:
                chat = await self._atried(place)
                result = await chat._agenerate(messages, stop, run_manager, **kwargs)
                self._note(place, result.generations[0])
                return result
