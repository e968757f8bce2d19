"""The servers that `mcp.json` names, in the form that other clients have. Knows the file; starts nothing."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from settings import SettingsError

VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")
HEADER_URL = re.compile(r"https?://[^\s/?#]+\S*")
MAX_PREFIX = 24  # characters of a server's name before those of its tools


class ServerConfig(BaseModel):
    """One server: a command, spoken to over stdin and stdout, or the address of one that is spoken to over HTTP.

    `approve`: "never" trusts what the server says of its tools: those that only read need nobody's approval.
    `always_allow` names tools that are trusted like that. What other clients write beside is not looked at.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: Path | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    disabled: bool = False
    approve: Literal["always", "never"] = "always"
    always_allow: tuple[str, ...] = Field((), alias="alwaysAllow")

    @model_validator(mode="after")
    def _check(self) -> "ServerConfig":
        if (self.command is None) == (self.url is None):
            raise ValueError("a server has either a command or a url")
        if self.url is not None and not HEADER_URL.fullmatch(self.url):
            raise ValueError("the url has to begin with http:// or https://")
        return self

    @property
    def transport(self) -> str:
        """How it is spoken to, for people."""
        return "stdio" if self.command is not None else "http"


class ServerEntry(NamedTuple):
    """A server as the file has it: `prefix` begins the names of its tools; `problem` says why there is no config."""

    name: str
    prefix: str
    config: ServerConfig | None
    problem: str | None = None


def read_config(path: Path, environment: Mapping[str, str] | None = None) -> list[ServerEntry]:
    """The servers in the order of the file, none where there is none. Raises SettingsError for one that is no JSON."""
    try:
        servers = json.loads(path.read_text(encoding="utf-8"))["mcpServers"]
        if not isinstance(servers, dict):
            raise TypeError
    except FileNotFoundError:
        return []
    except json.JSONDecodeError as error:
        raise SettingsError(f"MCP_CONFIG={path}: line {error.lineno} is no JSON: {error.msg}.") from None
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"MCP_CONFIG={path}: it cannot be read: {type(error).__name__}.") from None
    except (KeyError, TypeError):
        raise SettingsError(
            f'MCP_CONFIG={path}: it has no servers; write {{"mcpServers": {{"name": {{…}}}}}}.'
        ) from None
    entries, taken = list[ServerEntry](), set[str]()
    for name, fields in servers.items():
        entry = _read_entry(name, fields, os.environ if environment is None else environment)
        if entry.prefix in taken:
            entry = entry._replace(config=None, problem=f"another server's tools begin with {entry.prefix}__ already")
        taken.add(entry.prefix)
        entries.append(entry)
    return entries


def slug(name: str) -> str:
    """A name in lower case, of letters, digits and underscores only."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _read_entry(name: str, fields: Any, environment: Mapping[str, str]) -> ServerEntry:
    prefix = slug(name)[:MAX_PREFIX].strip("_")
    if not prefix:
        return ServerEntry(name, prefix, None, "its name has no letter and no digit")
    try:
        return ServerEntry(name, prefix, ServerConfig.model_validate(_expand(fields, environment)))
    except KeyError as error:
        return ServerEntry(name, prefix, None, f"the environment has no {error.args[0]}, which mcp.json names")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return ServerEntry(name, prefix, None, f"{where}: {first['msg']}" if where else first["msg"])


def _expand(value: Any, environment: Mapping[str, str]) -> Any:
    """The value with ${NAME} and ${NAME:-default} filled in, wherever they stand. Raises KeyError for a missing one."""
    if isinstance(value, dict):
        return {key: _expand(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [_expand(each, environment) for each in value]
    return VARIABLE.sub(lambda match: _look_up(match, environment), value) if isinstance(value, str) else value


def _look_up(match: re.Match[str], environment: Mapping[str, str]) -> str:
    found = environment.get(match["name"]) or match["default"]
    if found is None:
        raise KeyError(match["name"])
    return found
