"""The stream from a server, on its way to the `mcp` package: broken tools are taken out, and its end is noticed.

The package takes a list of tools whole or not at all, and tells nobody when a server is gone. Knows messages only.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio

from tools.mcp.schema import tool_problem


class Sieve:
    """The package's own stream, read through. `left_out` has the broken tools by name, with what is wrong."""

    def __init__(self, stream: Any, lost: asyncio.Event, left_out: dict[str, str]) -> None:
        self._stream, self._lost, self._left_out = stream, lost, left_out

    @property
    def last_context(self) -> Any:
        """What the package keeps with its last message."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Any:
        """The next message."""
        try:
            return self._sift(await self._stream.receive())
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._lost.set()
            raise

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        result: bool | None = await self._stream.__aexit__(kind, error, traceback)
        return result

    def _sift(self, message: Any) -> Any:
        result = getattr(getattr(message, "message", None), "result", None)
        if isinstance(result, dict) and isinstance(result.get("tools"), list):
            problems = [(raw, tool_problem(raw)) for raw in result["tools"]]
            result["tools"] = [raw for raw, problem in problems if problem is None]
            self._left_out.update({_name(raw): problem for raw, problem in problems if problem is not None})
        return message


def _name(raw: Any) -> str:
    name = raw.get("name") if isinstance(raw, dict) else None
    return str(name or "(without a name)")[:100]


@asynccontextmanager
async def sifted(
    transport: AbstractAsyncContextManager[Any], lost: asyncio.Event, left_out: dict[str, str]
) -> AsyncIterator[Any]:
    """The transport, read through a sieve."""
    async with transport as (read, write):
        yield Sieve(read, lost, left_out), write
