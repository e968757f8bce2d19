"""The commands `tools` and `mcp`: what a model may call, and this app as a server of tools. Knows no tool by name."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

import tools
from settings import Settings, SettingsError
from terminal.text import replace_unencodable, strip_control

WAIT = 35.0  # seconds for servers to start
SECONDS = 3600.0  # that a reply may take

Owner = Annotated[str, typer.Option(help="whose documents and conversations, as `export --all` names them")]


def list_tools() -> None:
    """Each tool: ready, or what is missing; and the MCP servers of mcp.json with what they have and what is left out.

    Example: python cli.py tools
    """
    replace_unencodable()
    settings = Settings.read()
    tools.wait(settings, WAIT)
    for tool in tools.list_tools(settings):
        asks = "asks first" if tool.needs_approval else "does not ask"
        print(strip_control(f"{tool.name:<32} {tool.origin:<12} {asks:<12} {tool.availability_error or 'ready'}"))
    for server in tools.list_servers(settings):
        print()
        for line in describe(server):
            print(strip_control(line))


def describe(server: tools.ServerInfo) -> list[str]:
    """The lines of one server."""
    about = ", ".join(filter(None, [server.transport, server.server, server.protocol and f"MCP {server.protocol}"]))
    state = f"{server.state}: {server.problem}" if server.problem else server.state
    return [
        f"{server.name} ({about}): {state}" if about else f"{server.name}: {state}",
        *(f"  left out: {name}: {reason}" for name, reason in server.left_out),
        *(f"  resource: {name}" for name in server.resources),
        *(f"  prompt: {name}" for name in server.prompts),
    ]


def serve(owner: Owner = "terminal") -> None:
    """Speak MCP on stdin and stdout, for another program that starts this one: it may search your documents and
    conversations, and ask your model.

    Example: {"mcpServers": {"assistant": {"command": "/path/to/.venv/bin/python", "args": ["/path/to/cli.py", "mcp"]}}}
    """
    import mcp_server  # here: no other command needs it

    if problem := mcp_server.availability_error():
        raise SettingsError(problem)
    asyncio.run(_serve(owner))


async def _serve(owner: str) -> None:
    from mcp.server.stdio import stdio_server

    import backends
    import mcp_server
    from conversations.replies import GenerationRequest
    from conversations.store import open_store

    settings = backends.read_settings()
    store = open_store(settings, owner)

    @contextmanager
    def place() -> Iterator[GenerationRequest]:
        choice = backends.choose(settings)
        if choice.name is None:
            raise tools.ToolError(choice.reason)
        yield GenerationRequest(settings, choice.name)

    async def caller() -> mcp_server.Caller:
        return mcp_server.Caller(store, place, SECONDS)

    server = mcp_server.build_server(caller)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
