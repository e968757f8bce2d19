"""An `mcp.json` of each test's own, and servers that end with it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tools
from settings import Settings

WAIT = 120.0  # seconds that no machine needs


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Settings]]:
    """Write mcp.json with these servers, and wait for them; returns the settings that name it."""

    def write(**entries: Any) -> Settings:
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps({"mcpServers": entries}))
        monkeypatch.setenv("MCP_CONFIG", str(path))
        settings = Settings.read()
        tools.wait(settings, WAIT)
        return settings

    yield write
    tools.stop()
