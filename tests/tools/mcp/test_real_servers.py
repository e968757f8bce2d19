"""The servers that people use, as they are published: time, git, fetch and everything, over stdio and over HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from git import Repo
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

import tools
from settings import ROOT, Settings
from tests.asgi import listening
from tests.conftest import free_port
from tests.tools.mcp.test_misbehaving import SCRIPT
from tests.tools.test_tools import call

pytestmark = pytest.mark.server
EVERYTHING = ROOT / "tests/tools/node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
Servers = Callable[..., Settings]
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not EVERYTHING.exists(),
    reason="node and `npm ci --prefix tests/tools/node --ignore-scripts`",
)


def module(name: str, *args: str) -> dict[str, Any]:
    """A server of a Python package."""
    return {"command": sys.executable, "args": ["-m", name, *args]}


async def test_time(servers: Servers) -> None:
    settings = servers(time=module("mcp_server_time", "--local-timezone", "Europe/Paris"))
    (server,) = tools.list_servers(settings)
    assert (server.state, server.tools) == ("ready", ("time__get_current_time", "time__convert_time"))
    told = await call(
        "time__convert_time",
        settings=settings,
        source_timezone="Europe/Paris",
        time="12:00",
        target_timezone="Asia/Tokyo",
    )
    assert "Asia/Tokyo" in told
    assert re.search(r"T(19|20):00:00\+09:00", told)
    wrong = await call("time__get_current_time", settings=settings, timezone="Mars/Olympus")
    assert wrong.startswith("error: time__get_current_time failed: ")
    assert "\n" not in wrong


async def test_git(servers: Servers, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    Repo.init(repository).config_writer().set_value("user", "name", "A").set_value("user", "email", "a@b.org").release()
    (repository / "lamp.txt").write_text("lit\n")
    settings = servers(git=module("mcp_server_git", "--repository", str(repository)))
    assert "lamp.txt" in await call("git__git_status", settings=settings, repo_path=str(repository))
    await call("git__git_add", settings=settings, repo_path=str(repository), files=["lamp.txt"])
    await call("git__git_commit", settings=settings, repo_path=str(repository), message="The lamp is lit")
    told = await call("git__git_log", settings=settings, repo_path=str(repository))
    assert "The lamp is lit" in told
    needing = {tool.name: tool.needs_approval for tool in tools.list_tools(settings) if tool.origin == "git"}
    assert set(needing.values()) == {True}
    outside = await call("git__git_status", settings=settings, repo_path=str(tmp_path))
    assert outside.startswith("error: git__git_status failed: ")


async def test_fetch(servers: Servers) -> None:
    page = HTMLResponse("<html><body><article><h1>Lamp</h1><p>The lamp was lit in 1594.</p></article></body></html>")
    port = free_port()
    with listening(Starlette(routes=[Route("/page", lambda request: page)]), port):
        settings = servers(fetch=module("mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"))
        (server,) = tools.list_servers(settings)
        assert server.prompts == ("fetch",)
        told = await call("fetch__fetch", settings=settings, url=f"http://127.0.0.1:{port}/page")
        assert "The lamp was lit in 1594." in told
        missing = await call("fetch__fetch", settings=settings, url=f"http://127.0.0.1:{port}/none")
        assert missing.startswith("error: ")
        assert "404" in missing


def everything(*mode: str) -> dict[str, Any]:
    return {"command": "node", "args": [str(EVERYTHING), *mode]}


async def check_everything(settings: Settings) -> None:
    """Every kind of content that a tool may answer with, and what a server has beside tools."""
    (server,) = tools.list_servers(settings)
    assert server.problem == ""
    assert "simple-prompt" in server.prompts
    assert any("architecture.md" in each for each in server.resources)
    assert {"all__echo", "all__get_sum", "all__get_tiny_image"} <= set(server.tools)

    async def answer(tool: str, **args: Any) -> str:
        return await call(f"all__{tool}", settings=settings, **args)

    assert await answer("echo", message="grüße") == "success: Echo: grüße"
    assert "42" in await answer("get_sum", a=40, b=2)
    assert re.search(r"\[picture, image/png, [0-9,]+ bytes\]", await answer("get_tiny_image"))
    assert "[link to " in await answer("get_resource_links", count=2)
    assert re.search(r"\[(file )?demo://resource", await answer("get_resource_reference", resourceId=1))
    structured = await answer("get_structured_content", location="Chicago")
    assert "temperature" in structured
    assert (await answer("get_sum", a="many")).startswith("error: all__get_sum failed: ")


@needs_node
async def test_everything_over_stdio(servers: Servers) -> None:
    await check_everything(servers(all=everything()))


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Start the same server over HTTP, as often as it is called, on one port; returns its address."""
    port, running = free_port(), list[subprocess.Popen[bytes]]()

    def start() -> str:
        for process in running:
            process.send_signal(signal.SIGKILL)
            process.wait()
        environment = {"PORT": str(port), "PATH": os.environ["PATH"]}
        with (tmp_path / "everything.log").open("wb") as log:
            command = ["node", str(EVERYTHING), "streamableHttp"]
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        while "listening" not in (tmp_path / "everything.log").read_text().lower():
            assert running[-1].poll() is None, (tmp_path / "everything.log").read_text()
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}/mcp"

    yield start
    for process in running:
        process.kill()
        process.wait()


@needs_node
async def test_everything_over_http_and_after_its_restart(servers: Servers, http_server: Callable[[], str]) -> None:
    settings = servers(all={"type": "http", "url": http_server(), "headers": {"X-Key": "${PATH}"}})
    assert tools.list_servers(settings)[0].transport == "http"
    await check_everything(settings)
    http_server()
    while not (told := await call("all__echo", settings=settings, message="again")).startswith("success"):
        assert told.startswith("error: "), told
    assert told == "success: Echo: again"


def test_the_file_is_that_of_other_clients(servers: Servers, tmp_path: Path) -> None:
    """A changed file has its servers without a restart."""
    command = {"command": sys.executable, "args": [SCRIPT]}
    settings = servers(one=command)
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"clock": {**command, "type": "stdio", "x": 1}}}))
    tools.wait(settings, 120)
    assert [(each.name, each.state) for each in tools.list_servers(settings)] == [("clock", "ready")]
