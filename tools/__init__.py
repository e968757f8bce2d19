"""The tools that a model may call: our own, and those of MCP servers. Knows no conversation, no model and no approval.

`list_tools` says which there are, `open_tools` makes those that a conversation has switched on. What a call answers is
text, at most so much of it; what fails is one line of text (`ToolError`), which LangChain hands to the model.
Servers are started by whoever asks first and are not waited for: `await ready(settings)` does that.
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from langchain_core.tools import BaseTool

from settings import Settings
from tools.call import CallLimits, ToolError, make_tool
from tools.info import OWN, SearchDocuments, ToolContext, ToolInfo
from tools.mcp.servers import connections, stop, wait
from tools.mcp.tool import ServerInfo, list_server_tools, list_servers, open_server_tools
from tools.settings import ToolSettings

__all__ = [
    "OWN",
    "SearchDocuments",
    "ServerInfo",
    "ToolContext",
    "ToolError",
    "ToolInfo",
    "ToolSettings",
    "list_servers",
    "list_tools",
    "open_tools",
    "ready",
    "stop",
    "wait",
]
READY_SECONDS = 10.0  # that somebody waits for servers that are starting


@cache
def own_names() -> tuple[str, ...]:
    """The app's own tools: the files of `own/`, listed once in a process."""
    folder = Path(__file__).parent / "own"
    return tuple(sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")))


def list_tools(settings: Settings) -> list[ToolInfo]:
    """Every tool there is, our own first; of a server those that it told last. Raises SettingsError for mcp.json."""
    return [*(_describe(name, settings) for name in own_names()), *list_server_tools(settings)]


def open_tools(settings: Settings, names: Iterable[str], context: ToolContext) -> list[BaseTool]:
    """The tools of these names, for one conversation. Those that are not there, or not set up, are left out.

    Raises SettingsError for mcp.json.
    """
    wanted, limits = set(names), CallLimits.of(settings)
    own = [_describe(name, settings) for name in own_names() if name in wanted]
    usable = [_open(info, settings, context, limits) for info in own if info.availability_error is None]
    return [*usable, *open_server_tools(settings, wanted - set(own_names()), limits)]


async def ready(settings: Settings, seconds: float = READY_SECONDS) -> None:
    """Wait until each MCP server is there or has failed once, so many seconds at most. Raises SettingsError."""
    if any(not each.tried.is_set() for each in connections(settings)):
        await asyncio.to_thread(wait, settings, seconds)


def _module(name: str) -> ModuleType:
    return import_module(f"tools.own.{name}")


def _describe(name: str, settings: Settings) -> ToolInfo:
    module = _module(name)
    check = getattr(module, "availability_error", None)
    error = check(settings) if check is not None else None
    return ToolInfo(name, module.TITLE, module.DESCRIPTION, OWN, module.NEEDS_APPROVAL, error)


def _open(info: ToolInfo, settings: Settings, context: ToolContext, limits: CallLimits) -> BaseTool:
    module = _module(info.name)
    run = module.build(settings, context)
    return make_tool(info.name, info.title, info.description, module.Arguments, run, limits)
