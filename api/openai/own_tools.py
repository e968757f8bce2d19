"""Tools of this server's own that a response may call, named as OpenAI's clients name a server of MCP's.

`{"type": "mcp", "server_label": "own"}` are the app's, another label is one of `mcp.json`. They are carried out here,
and what needs a person's leave waits for it. Knows which tools there are; no route and no reply.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.http.errors import ApiError
from settings import Settings
from tools import ToolInfo, list_tools

KIND = "mcp"
# What another server's address or leave would be: both are for whoever runs this one to say.
REFUSED = ("server_url", "connector_id", "tunnel_id", "authorization", "headers")


def offers_own(tools: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether some of these are this server's."""
    return any(tool.get("type") == KIND for tool in tools or ())


def own_names(settings: Settings, tools: Sequence[Mapping[str, Any]], choice: Any) -> list[str]:
    """The names of the tools that are offered, each once.

    Raises ApiError 400 for one that is not there or cannot be used, for what nobody may ask for, and for functions of
    the client's beside them. Raises SettingsError.
    """
    if choice not in (None, "auto", "none"):
        raise _error("tool_choice", f"{str(choice)[:100]}: with this server's tools it is auto or none")
    if other := next((tool for tool in tools if tool.get("type") != KIND), None):
        raise _error("tools", f"{str(other.get('type'))[:100]} beside this server's own tools: send one or the other")
    infos = list_tools(settings)
    names = [name for tool in tools for name in _names(tool, infos)]
    return [] if choice == "none" else list(dict.fromkeys(names))


def _names(tool: Mapping[str, Any], infos: Sequence[ToolInfo]) -> Iterator[str]:
    if refused := next((name for name in REFUSED if tool.get(name)), None):
        raise _error("tools", f"{refused}: servers are named by whoever runs this one, in mcp.json. Leave it out")
    if tool.get("require_approval") not in (None, "always"):
        raise _error("tools", "require_approval: whoever runs this server says which tools ask. Leave it out")
    label, allowed = tool.get("server_label"), _allowed(tool.get("allowed_tools"))
    own = [info for info in infos if info.origin == label]
    if not own:
        labels = ", ".join(dict.fromkeys(info.origin for info in infos))
        raise _error("tools", f"there is no server {str(label)[:100]!r}; there are {labels}")
    for name in allowed or ():
        _check(name, own)
    for info in own:
        if any(_is(name, info) for name in allowed) if allowed is not None else info.availability_error is None:
            yield info.name


def _allowed(given: Any) -> list[str] | None:
    """The names in `allowed_tools`, a list or an object with one; None for all."""
    names = given.get("tool_names") if isinstance(given, Mapping) else given
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _error("tools", "allowed_tools: a list of names is wanted")
    return names


def _check(name: str, infos: Sequence[ToolInfo]) -> None:
    """Raise ApiError 400 where there is no such tool, or it cannot be used."""
    found = next((info for info in infos if _is(name, info)), None)
    problem = found.availability_error if found else f"there is none; there is {', '.join(each.name for each in infos)}"
    if problem:
        raise _error("tools", f"{name[:100]}: {problem}")


def _is(name: str, info: ToolInfo) -> bool:
    """Whether a tool is meant: by its name here, or by the one that its server has for it."""
    return name == info.name or info.name.endswith(f"__{name.lower()}")


def _error(param: str, text: str) -> ApiError:
    return ApiError(400, f"{param}: {text}.", code="invalid_value", param=param)
