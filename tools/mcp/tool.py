"""The tools of MCP servers, as the room lists and opens them. Knows connections and who is trusted; no conversation."""

import json
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import BaseTool

from settings import Settings
from tools.call import CallLimits, make_tool
from tools.info import ToolInfo
from tools.mcp.config import ServerConfig, slug
from tools.mcp.connection import READY, Connection
from tools.mcp.loop import run
from tools.mcp.schema import MAX_NAME
from tools.mcp.servers import connections

MAX_DESCRIPTION = 2_000  # characters


@dataclass(frozen=True)
class ServerInfo:
    """A server as people see it. `problem` may hold its own words: it is for whoever runs the app."""

    name: str
    transport: str
    state: str
    problem: str
    server: str
    protocol: str
    tools: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    resources: tuple[str, ...]
    prompts: tuple[str, ...]


def list_servers(settings: Settings) -> list[ServerInfo]:
    """The servers of MCP_CONFIG as they are now. Raises SettingsError."""
    return [_describe(connection) for connection in connections(settings)]


def list_server_tools(settings: Settings) -> list[ToolInfo]:
    """The tools of all servers that were there once. Raises SettingsError."""
    return [_info(each, name, tool) for each in connections(settings) for name, tool in _named(each)[0]]


def open_server_tools(settings: Settings, names: set[str], limits: CallLimits) -> list[BaseTool]:
    """Those of these names: a server that is gone meanwhile is tried again by the call. Raises SettingsError."""
    found = connections(settings) if names else []
    return [_open(each, name, tool, limits) for each in found for name, tool in _named(each)[0] if name in names]


def _named(connection: Connection) -> tuple[list[tuple[str, Any]], list[tuple[str, str]]]:
    """A server's tools with their names here, and those that cannot have one, with the reason."""
    named, left_out = dict[str, Any](), list[tuple[str, str]]()
    for tool in connection.offer.tools:
        name = f"{connection.entry.prefix}__{slug(tool.name)}"
        if len(name) > MAX_NAME or name.endswith("__"):
            left_out.append((tool.name, f"its name {name} has not 1 to {MAX_NAME} characters"))
        elif name in named:
            left_out.append((tool.name, f"its name is {name} here, as that of {named[name].name}"))
        else:
            named[name] = tool
    return list(named.items()), left_out


def _describe(connection: Connection) -> ServerInfo:
    offer, config = connection.offer, connection.entry.config
    named, left_out = _named(connection)
    return ServerInfo(
        connection.entry.name,
        config.transport if config is not None else "",
        connection.state,
        connection.problem,
        offer.server,
        offer.protocol,
        tuple(name for name, _ in named),
        (*offer.left_out, *left_out),
        offer.resources,
        offer.prompts,
    )


def _info(connection: Connection, name: str, tool: Any) -> ToolInfo:
    server = connection.entry.name
    error = None if connection.state == READY else f"the MCP server {server} is not there"
    return ToolInfo(name, _title(tool), _description(tool), server, _needs_approval(connection, tool), error)


def _title(tool: Any) -> str:
    return str(tool.title or (tool.annotations and tool.annotations.title) or tool.name)[:100]


def _description(tool: Any) -> str:
    return (tool.description or _title(tool))[:MAX_DESCRIPTION]


def _needs_approval(connection: Connection, tool: Any) -> bool:
    """Unless the server says that it only reads, and whoever runs the app trusts the server or this tool."""
    config = connection.entry.config
    return not (_only_reads(tool) and config is not None and _is_trusted(config, tool.name))


def _only_reads(tool: Any) -> bool:
    return bool(tool.annotations and tool.annotations.read_only_hint)


def _is_trusted(config: ServerConfig, tool: str) -> bool:
    return config.approve == "never" or tool in config.always_allow


def _open(connection: Connection, name: str, tool: Any, limits: CallLimits) -> BaseTool:
    schema = json.loads(json.dumps(tool.input_schema))  # a copy of its own: LangChain writes into it

    async def ask(arguments: dict[str, Any]) -> str:
        return await run(connection.call(tool.name, arguments, name))

    return make_tool(name, _title(tool), _description(tool), schema, ask, limits)
