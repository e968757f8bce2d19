"""The command `tools`: every tool and every server, what is missing, and what was left out."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tools
from tests.terminal.conftest import Run
from tests.tools.mcp.test_misbehaving import SCRIPT

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _no_server_left() -> Iterator[None]:
    yield
    tools.stop()


def test_all_tools_and_servers_are_listed(run: Run, tmp_path: Path) -> None:
    servers = {
        "bad": {"command": sys.executable, "args": [SCRIPT], "alwaysAllow": ["pid"]},
        "gone": {"command": "/no/such/program"},
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    told = run("tools")
    assert told.code == 0
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert "calculator own does not ask ready" in lines
    assert "read_page own asks first no host is allowed; name some in TOOLS_HOSTS" in lines
    assert "bad__pid bad does not ask ready" in lines
    assert "bad__fail bad asks first ready" in lines
    assert "bad (stdio, misbehaving 1, MCP 2025-06-18): ready" in lines
    assert "left out: no_schema: inputSchema: Field required" in lines
    assert "gone (stdio): failed: there is no /no/such/program" in lines


def test_a_file_that_is_no_json_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {\n"a": }}')
    told = run("tools")
    assert (told.code, told.err) == (2, f"MCP_CONFIG={tmp_path}/mcp.json: line 2 is no JSON: Expecting value.\n")
