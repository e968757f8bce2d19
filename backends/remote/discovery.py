"""What a client finds out about its server: which models there are, which one it takes, and how much that one reads.

ChatOpenAI with that, for one server. Nothing is asked before somebody needs it; knows nothing of what is said.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from weakref import WeakKeyDictionary

import httpx2
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelConnectionError,
    ModelError,
    ModelNotFoundError,
    ModelTimeoutError,
)
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import Field, PrivateAttr, model_validator

from backends.remote.errors import is_server_error, translate_errors
from backends.remote.estimate import estimate_tokens, most_tokens
from backends.remote.http_client import AsyncHTTPClient, HTTPClient
from backends.remote.model_list import ListedModel, first_chat_model, parse
from backends.remote.overflow import stated_window
from backends.remote.probe import ServerProbe
from backends.remote.tokenizer import ServerTokenizer
from backends.remote.truncation import NOTICE, PromptCheck
from backends.remote.window import Description
from backends.vision import picture_tokens, without_pictures

NOT_OPENAI = "it answers, but not with OpenAI's API. Does OPENAI_BASE_URL end in /v1?"
SHOWN = 5  # names of models that an error lists
FAR = 4  # windows: so long a prompt fits into none, whatever its tokenizer


class DiscoveringChat(ChatOpenAI):
    """A client that knows its server's models and window once they are needed."""

    compatible: bool = Field(False, description="a server other than OpenAI's own")
    n_ctx: int | None = Field(None, description="the window that is set, and that the server is not asked for then")
    http_client: Any = Field(default_factory=HTTPClient, exclude=True)
    http_async_client: Any = Field(default_factory=AsyncHTTPClient, exclude=True)
    openai_proxy: str | None = Field(None, description="read by the clients themselves")
    http_socket_options: Sequence[tuple[int, int, int]] | None = Field((), exclude=True, description="the clients' own")
    listing_timeout: float | None = Field(None, description="seconds for /v1/models, where others could answer instead")
    exact_count: bool = Field(False, description="the count is an estimate: nothing is fetched for it")

    _listed_models: frozenset[str] | None = PrivateAttr(None)
    _was_discovered: bool = PrivateAttr(False)
    _window_discovered: bool = PrivateAttr(False)  # the window is the server's word, too
    _clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncOpenAI] = PrivateAttr(default_factory=WeakKeyDictionary)
    _default_client_used: bool = PrivateAttr(False)  # the client that LangChain made has its event loop
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _probe: ServerProbe = PrivateAttr()
    _tokenizer: ServerTokenizer = PrivateAttr()
    _prompt_check: PromptCheck = PrivateAttr(default_factory=PromptCheck)

    @model_validator(mode="after")
    def _know_nothing(self) -> Self:
        """Start with a server of which nothing is known, once LangChain has made the clients; nothing is sent."""
        self._probe = ServerProbe(self.root_client)
        self._tokenizer = ServerTokenizer(self._probe)
        return self

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

    # 1. Its models.

    def _find_model(self) -> None:
        """Take the server's first model that can chat, where nobody named one. Raises ModelError kinds."""
        if not self.model_name:
            self._adopt_first(self._fetch_models())

    async def _afind_model(self) -> None:
        """The same in the event loop."""
        if not self.model_name:
            self._adopt_first(await self._afetch_models())

    def _adopt_first(self, listed: Sequence[ListedModel]) -> None:
        """Raises ModelNotFoundError where there is none."""
        first = first_chat_model(listed)
        if first is None:
            names = ", ".join(model.id for model in listed[:SHOWN]) + (", …" if len(listed) > SHOWN else "")
            problem = f"the server lists no model that can chat, but {names}" if listed else "the server lists no model"
            raise ModelNotFoundError(f"openai ({self.server}): {problem}. Set OPENAI_MODEL.")
        if first.id != self.model_name:
            self.model_name, self._was_discovered = first.id, True
            self._take_window(first.window)

    def list_models(self) -> list[str]:
        """The names in the server's /v1/models, sorted. Raises ModelError kinds."""
        with translate_errors(self.server):
            return sorted(model.id for model in self._fetch_models())

    def probe(self) -> None:
        """Ask a server that failed what it serves now. Raises ModelError kinds where it is not back."""
        with probing(self.server):
            self._refresh_model(self._fetch_models())

    async def aprobe(self) -> None:
        """Ask as `probe` does, in the event loop. Raises ModelError kinds."""
        with probing(self.server):
            self._refresh_model(await self._afetch_models())

    def _refresh_model(self, listed: Sequence[ListedModel]) -> None:
        self._forget_server()
        if self.is_discovered and self.model_name not in (self._listed_models or ()):
            self._adopt_first(listed)

    def _fetch_models(self) -> list[ListedModel]:
        return self._read_models(self.root_client.get("/models", **self._listing_options()))

    async def _afetch_models(self) -> list[ListedModel]:
        return self._read_models(await self._loop_client().get("/models", **self._listing_options()))

    def _listing_options(self) -> dict[str, Any]:
        options = {} if self.listing_timeout is None else {"timeout": self.listing_timeout}
        return {"cast_to": httpx2.Response, "options": options}

    def _read_models(self, response: httpx2.Response) -> list[ListedModel]:
        try:
            models = parse(response.json())
        except ValueError:  # a web page
            models = None
        if models is None:
            raise ModelNotFoundError(f"openai ({self.server}): {NOT_OPENAI}")
        self._listed_models = frozenset(model.id for model in models)
        self._probe.offer_list(models)
        return models

    # 2. Its window, and what a prompt takes of it.

    def _take_window(self, window: int | None) -> None:
        """The window of the client's own model, unless one is set; LangChain's guess by the name stays without any."""
        if self.n_ctx is None and (window or self._window_discovered):
            self.profile = {"max_input_tokens": window} if window else None
            self._window_discovered = True

    async def ameasured(self, name: str | None = None) -> Self:
        """This client, or for another model of its server a copy, with the window that the server tells.

        Asks the server where it was not, or not lately; who asks waits at most some seconds. Raises ModelError kinds
        where the server has to be asked for a model and cannot.
        """
        if not self.compatible:
            return self
        if not name:
            with translate_errors(self.server):
                await self._afind_model()
        model = name or self.model_name
        window = self.n_ctx or (await self._describe(model)).window
        if model == self.model_name:
            self._take_window(window)
            return self
        return self.model_copy(
            update={"model_name": model, "profile": {"max_input_tokens": window} if window else None}
        )

    async def _describe(self, model: str) -> Description:
        """What the server says of a model; a thread asks, and waits for others that do, only where it has to."""
        known = self._probe.fresh_description(model)
        return await asyncio.to_thread(self._probe.description, model) if known is None else known

    def count_tokens(self, messages: Sequence[BaseMessage]) -> int:
        """Tokens of a prompt: the server's own count where it counts and the window is near, else an estimate.

        May send a request, and waits for it: nothing for an event loop.
        """
        estimate = self._tokenizer.correct(self.model_name, estimate_tokens(messages))
        window = (self.profile or {}).get("max_input_tokens")
        if not (self.compatible and window) or most_tokens(messages) <= window // 2 or estimate > FAR * window:
            return estimate
        plain = [without_pictures(message) for message in messages]  # servers count text there
        counted = self._tokenizer.count(self.model_name, self._get_request_payload(plain).get("messages", []))
        return counted + picture_tokens(messages) if counted else estimate

    # 3. What its answers tell.

    @contextmanager
    def _learning(self, model: str | None) -> Iterator[None]:
        """A block whose failures are raised as ModelError kinds, after a note of what they tell of the server."""
        try:
            with translate_errors(self.server):
                yield
        except ModelError as error:
            self._learn_from_error(error, model)
            raise

    def _forget_server(self) -> None:
        self._probe.observe_failure()
        self._tokenizer.forget()
        self._prompt_check = PromptCheck()

    def _learn_from_error(self, error: ModelError, model: str | None) -> None:
        """What a failure tells of the server: its window, or that it is no longer what it was."""
        name = model or self.model_name
        if isinstance(error, ContextOverflowError):
            window = stated_window(error.__cause__ or error)
            self._probe.learn_window(name, window) if window else self._probe.forget(name)
        elif isinstance(error, ModelNotFoundError) and self._was_discovered and model is None:
            self.model_name = ""  # it serves another one by now
        elif isinstance(error, ModelConnectionError | ModelTimeoutError | ModelAPIError):
            self._forget_server()


class ReplyObserver:
    """What the parts of one reply tell of the server, and for its reader: whether the server read all of the prompt."""

    def __init__(self, chat: DiscoveringChat, messages: Sequence[BaseMessage], model: str | None) -> None:
        self._chat, self._messages, self._model = chat, messages, model or chat.model_name
        self._answered_as: str | None = None
        self._is_checked = False

    def observe(self, part: ChatGeneration) -> None:
        """Note what a part tells; the one that tells the tokens read gets the notice, where there is one."""
        message = part.message
        metadata = {**message.response_metadata, **(part.generation_info or {})}
        self._answered_as = metadata.get("model_name") or self._answered_as
        usage = message.usage_metadata if isinstance(message, AIMessage) else None
        if usage is None or self._is_checked:
            return
        self._is_checked = True
        if all(isinstance(each.content, str) for each in self._messages):  # what a picture takes is not estimated
            self._chat._tokenizer.learn(self._model, estimate_tokens(self._messages), usage["input_tokens"])
        if notice := self._chat._prompt_check.check(self._model, self._messages, usage["input_tokens"]):
            self._chat._probe.forget(self._model)
            message.response_metadata[NOTICE] = notice

    def end(self) -> None:
        """Note that the server has answered."""
        self._chat._probe.observe_reply(self._model, self._answered_as)


@contextmanager
def probing(server: str) -> Iterator[None]:
    """A block that raises only what says that the server is not there: some list no models, or not to everybody."""
    try:
        with translate_errors(server):
            yield
    except ModelError as error:
        if is_server_error(error) and not isinstance(error, ModelNotFoundError):
            raise
