"""`POST /mcp`: MCP's streamable HTTP, for whoever holds a key. Knows the caller; what can be called is mcp_server.py.

Each request stands for itself: there is no session, so any process may answer it, and nothing is left of one that goes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request, Response
from langchain_core.exceptions import ModelNotFoundError
from starlette.types import Receive, Scope, Send

import mcp_server
from api.http.auth import ANONYMOUS, OwnerStore
from api.http.errors import ApiError
from api.http.jobs import shutting_down_error
from api.http.state import AppState, StateDep
from conversations.replies import GenerationRequest
from conversations.store import Store
from tools import ToolError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

router = APIRouter(tags=["mcp"], include_in_schema=False)
_caller: ContextVar[tuple[AppState, Store]] = ContextVar("mcp_caller")


class _Delegated(Response):
    """A response that the `mcp` package writes, after the route's dependencies have let the request in."""

    def __init__(self, manager: "StreamableHTTPSessionManager") -> None:
        super().__init__()
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


class _Manager:
    """The `mcp` package's own server, made for its first request: to import it takes as long as all else of a start."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes, self._ended = max_body_bytes, asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[StreamableHTTPSessionManager] = asyncio.get_running_loop().create_future()

    async def get(self) -> "StreamableHTTPSessionManager":
        """It, running."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        """End what was begun."""
        self._ended.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        """Run it: whoever begins it has to end it, so both are in one task."""
        try:
            manager = await asyncio.to_thread(self._build)
            async with manager.run():
                self._ready.set_result(manager)
                await self._ended.wait()
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def _build(self) -> "StreamableHTTPSessionManager":
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        return StreamableHTTPSessionManager(
            mcp_server.build_server(_find_caller),
            json_response=True,
            stateless=True,
            max_request_body_size=self._max_body_bytes,
        )


@router.post("/mcp")
async def mcp(state: StateDep, store: OwnerStore, request: Request) -> Response:
    """One message of MCP's, answered for the holder of the key."""
    manager: _Manager | None = getattr(request.app.state, "mcp", None)
    if manager is None:
        raise ApiError(503, f"MCP is not spoken here: {mcp_server.availability_error()}.", code="mcp_unavailable")
    running = await manager.get()
    _caller.set((state, store))
    return _Delegated(running)


@asynccontextmanager
async def serving(app: FastAPI, state: AppState) -> AsyncIterator[None]:
    """While the block runs MCP is answered, where its package is installed."""
    if mcp_server.availability_error() is not None:
        yield
        return
    app.state.mcp = _Manager(state.api.max_body_bytes)
    try:
        yield
    finally:
        await app.state.mcp.close()
        app.state.mcp = None


async def _find_caller() -> mcp_server.Caller:
    """Whoever sent the request that is being answered."""
    state, store = _caller.get()
    own = store if store.owner != ANONYMOUS else None
    return mcp_server.Caller(own, lambda: _place(state), state.api.reply_timeout)


@contextmanager
def _place(state: AppState) -> Iterator[GenerationRequest]:
    """A place in the queue of the backend that answers. Raises ToolError where there is none."""
    try:
        backend = state.default_backend()
        if state.shutting_down:
            raise shutting_down_error()
        with state.queues.reserve(backend, state.api.max_queue):
            yield GenerationRequest(state.settings, backend)
    except ModelNotFoundError as error:
        raise ToolError(str(error)) from None
    except ApiError as error:
        raise ToolError(error.message) from None
