"""Settings of tools: what they may reach, how long they may take and how much they may answer. Knows variables only."""

from pathlib import Path
from typing import ClassVar

from pydantic import AnyHttpUrl, Field, TypeAdapter, field_validator

from settings import CommaSeparated, EnvironmentSettings
from tools.host import HostPattern


class ToolSettings(EnvironmentSettings):
    """What the tools of a model may do. No page and no request changes these."""

    title: ClassVar[str] = "Tools"

    tools_hosts: CommaSeparated = Field(
        (),
        description="a comma list of hosts that read_page may read: example.org, *.example.org, * for all that are "
        "public, or an address with its port, such as 127.0.0.1:8000, which alone may be private; unset: none",
    )
    tools_seconds: float = Field(30, gt=0, allow_inf_nan=False, description="seconds that one call of a tool may take")
    tools_characters: int = Field(
        20_000, ge=200, description="the longest result of a tool in characters, 200 or more; the rest is cut, and said"
    )
    tools_bytes: int = Field(2_000_000, ge=1_000, description="the largest web page that read_page loads, in bytes")
    searxng_url: str | None = Field(
        None, description="the http(s) address of a SearXNG of your own, for search_web; it must answer in JSON"
    )
    mcp_config: Path = Field(
        Path("mcp.json"), description="the file that names MCP servers, in the form other clients have (mcpServers)"
    )

    @field_validator("tools_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            HostPattern.parse(pattern)
        return value

    @field_validator("searxng_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return value if value is None else str(TypeAdapter(AnyHttpUrl).validate_python(value)).rstrip("/")

    @property
    def host_patterns(self) -> tuple[HostPattern, ...]:
        """TOOLS_HOSTS, read."""
        return tuple(map(HostPattern.parse, self.tools_hosts))
