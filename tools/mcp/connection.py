"""A connection to one MCP server: kept up, listed, asked, and made anew when the server dies. Knows the `mcp` package.

All of it runs in the loop of tools/mcp/loop.py; what is read of it from outside is replaced whole, never changed.
"""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from settings import VERSION
from tools.call import MAX_LINE, ToolError, one_line
from tools.mcp.config import ServerConfig, ServerEntry
from tools.mcp.result import result_text
from tools.mcp.sieve import sifted
from tools.mcp.stdio import LongLineError, stdio

if TYPE_CHECKING:
    from mcp import Client

log = logging.getLogger(__name__)
CONNECT_SECONDS = 30.0  # to start, shake hands and list
LOOK_SECONDS = 60.0  # between two looks at a server that is there
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before it is tried again, doubled each time
END_SECONDS = 5.0  # for a server to end by itself
MAX_PAGES = 20  # of a listing
MAX_ITEMS = 200  # resources, and prompts, that are listed
MAX_STDERR = 1_000_000  # bytes kept of what a server writes there
CONNECTING, READY, FAILED, DISABLED = "connecting", "ready", "failed", "disabled"


@dataclass(frozen=True)
class Offer:
    """What a server has: its tools as MCP lists them, the names of its resources and prompts, and what was left out."""

    tools: tuple[Any, ...] = ()
    resources: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    server: str = ""
    protocol: str = ""


class Connection:
    """One server. `state` is one of four words, `problem` says why it failed, `tried` is set once it did or not."""

    def __init__(self, entry: ServerEntry) -> None:
        self.entry, self.state, self.problem, self.offer = entry, CONNECTING, "", Offer()
        self.tried = threading.Event()
        self._client: Client | None = None
        self._lost, self._changed, self._wake = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._ending = self._was_up = False
        self._task: asyncio.Task[None] | None = None
        self._waiting = list[asyncio.Event]()  # for the next attempt to connect to end, in one way or the other
        self._stderr: IO[bytes] | None = None
        if entry.config is None or entry.config.disabled:
            self.state, self.problem = (DISABLED, "") if entry.config else (FAILED, str(entry.problem))
            self.tried.set()

    async def start(self) -> None:
        """Have it kept up from now on."""
        self._task = asyncio.create_task(self.run())

    async def end(self) -> None:
        """End the server, and wait for that."""
        if self._task is None:
            return
        self._ending = True
        self._lost.set()
        self._wake.set()
        await asyncio.wait([self._task], timeout=END_SECONDS)
        while not self._task.done():  # it hangs in its start; the package may take a cancellation for something else
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)

    async def run(self) -> None:
        """Keep it up until this task is cancelled."""
        config, wait = self.entry.config, FIRST_WAIT
        if config is None or config.disabled:
            return
        with tempfile.TemporaryFile("ab+") as self._stderr:
            while not self._ending:
                self._was_up = False
                try:
                    await self._serve(config)
                    wait = FIRST_WAIT  # it was there
                except Exception as error:  # noqa: BLE001 - whatever a server or a library does, it is tried again
                    self._fail(self._describe(error))
                    if not self._was_up:  # else a call that came meanwhile waits for the next attempt
                        self._end_attempt()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                self._wake.clear()
                wait = min(wait * 2, LONGEST_WAIT)

    async def call(self, tool: str, arguments: dict[str, Any], name: str) -> str:
        """What a tool answers. Raises ToolError."""
        from mcp import MCPError
        from pydantic import ValidationError

        client = await self._usable()
        try:
            return result_text(name, await client.call_tool(tool, arguments))
        except MCPError as error:
            if self._lost.is_set() or error.message in {"Connection closed", "Session terminated"}:
                self._lost.set()
                raise ToolError(f"{name}: the server {self.entry.name} ended during the call.") from None
            self._changed.set()  # some servers that were started anew say it like this: look soon
            raise ToolError(f"{name} failed: {one_line(error.message)}") from None
        except ValidationError:
            raise ToolError(
                f"{name}: the server {self.entry.name} answered with what is no result of a tool."
            ) from None
        except RuntimeError as error:  # the package, of content that does not fit the schema of the result
            raise ToolError(f"{name}: {one_line(str(error))}") from None

    async def _usable(self) -> "Client":
        """The client of a server that is up; one that is not is tried once more, at once. Raises ToolError."""
        if self._client is None or self._lost.is_set():
            attempted = asyncio.Event()
            self._waiting.append(attempted)
            self._wake.set()
            await attempted.wait()
        if self._client is None:
            raise ToolError(f"The MCP server {self.entry.name} cannot be reached.")
        return self._client

    async def _serve(self, config: ServerConfig) -> None:
        """Connect, list, and look after it until it is lost."""
        from mcp import Client, MCPError
        from mcp_types import Implementation

        left_out: dict[str, str] = {}
        self._lost.clear()
        if self._ending:
            return
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport = sifted(await self._transport(config, stack), self._lost, left_out)
                client = await stack.enter_async_context(
                    Client(
                        transport,
                        message_handler=self._on_message,
                        client_info=Implementation(name="llm-assistant", version=VERSION),
                        cache=None,
                    )
                )
                self.offer = await self._list(client, left_out)
            self._client, self.state, self.problem, self._was_up = client, READY, "", True
            self._end_attempt()
            while await self._wait() and not self._lost.is_set():
                left_out.clear()
                try:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        self.offer = await self._list(client, left_out)
                except (MCPError, TimeoutError) as error:
                    self._fail(f"it no longer answers: {self._describe(error)}")
                    return
            self._fail(f"it ended{self._last_words()}")

    async def _transport(self, config: ServerConfig, stack: AsyncExitStack) -> Any:
        from mcp import StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        if config.url is not None:
            client = create_mcp_http_client(headers=dict(config.headers))
            return streamable_http_client(config.url, http_client=await stack.enter_async_context(client))
        assert self._stderr is not None
        self._stderr.truncate(0)
        parameters = StdioServerParameters(
            command=str(config.command), args=list(config.args), env=dict(config.env), cwd=config.cwd
        )
        return stdio(parameters, self._stderr)

    async def _wait(self) -> bool:
        """Wait until there is a reason to look again: some time, changed tools, or the end. True."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._lost, self._changed)]
        try:
            await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        self._changed.clear()
        if self._stderr is not None and self._stderr.seek(0, 2) > MAX_STDERR:
            self._stderr.truncate(0)
        return True

    async def _on_message(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._changed.set()

    async def _list(self, client: "Client", left_out: dict[str, str]) -> Offer:
        """All that the server offers. Raises MCPError, and pydantic's ValidationError."""
        capabilities, info = client.server_capabilities, client.server_info
        tools = await _all_pages(client.list_tools, "tools") if capabilities.tools else []
        resources = await _all_pages(client.list_resources, "resources") if capabilities.resources else []
        prompts = await _all_pages(client.list_prompts, "prompts") if capabilities.prompts else []
        return Offer(
            tuple(tools),
            tuple(f"{each.name} ({each.uri})" for each in resources[:MAX_ITEMS]),
            tuple(each.name for each in prompts[:MAX_ITEMS]),
            tuple(left_out.items()),
            f"{info.name} {info.version}" if info else "",
            client.protocol_version,
        )

    def _end_attempt(self) -> None:
        self.tried.set()
        for attempted in self._waiting:
            attempted.set()
        self._waiting.clear()

    def _fail(self, problem: str) -> None:
        self.state, self.problem, self._client = FAILED, one_line(problem), None
        log.warning("the MCP server %s failed", self.entry.name)  # why is for `cli.py tools`: it may hold a secret

    def _describe(self, error: BaseException) -> str:
        """Why it failed, in the words of the innermost error and the server's own last ones."""
        leaves = list(_leaves(error))
        error = next((each for each in leaves if isinstance(each, LongLineError)), leaves[0])
        if isinstance(error, FileNotFoundError):
            return f"there is no {error.filename or 'such file'}"
        if isinstance(error, TimeoutError):
            return f"it did not answer within {CONNECT_SECONDS:g} seconds{self._last_words()}"
        return f"{one_line(str(error)) or type(error).__name__}{self._last_words()}"

    def _last_words(self) -> str:
        """The last line that it wrote to stderr, after a colon; empty where there is none."""
        if self._stderr is None:
            return ""
        self._stderr.seek(max(0, self._stderr.seek(0, 2) - 4 * MAX_LINE))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""


async def _all_pages(fetch: Any, field: str) -> list[Any]:
    """What a listing has on all its pages."""
    found, cursor = list[Any](), None
    for _ in range(MAX_PAGES):
        page = await fetch(cursor=cursor)
        found += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            break
    return found


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, however deep; of one that is none itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
