"""A server that hangs, dies, floods and answers nonsense: one line for the model each time, and the rest goes on."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tools
from settings import Settings
from tests.tools.test_tools import call
from tools.mcp import connection
from tools.mcp.stdio import stdio

pytestmark = pytest.mark.server
SCRIPT = str(Path(__file__).with_name("misbehaving.py"))
Servers = Callable[..., Settings]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes.txt"


@pytest.fixture
def settings(servers: Servers, notes: Path) -> Settings:
    return servers(bad={"command": sys.executable, "args": [SCRIPT, str(notes)]})


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_broken_tools_are_named_and_left_out_while_the_others_work(settings: Settings) -> None:
    (server,) = tools.list_servers(settings)
    assert (server.state, server.server, server.transport) == ("ready", "misbehaving 1", "stdio")
    good = ["hang", "die", "flood", "endless", "wrong", "fail", "refuse", "pid", "structured"]
    assert server.tools == tuple(f"bad__{name}" for name in good)
    left_out = {name[:12]: reason for name, reason in server.left_out}
    assert left_out == {
        "no_schema": "inputSchema: Field required",
        "text_schema": "inputSchema: Input should be a valid dictionary",
        "bad_schema": "inputSchema: 'number-like' is not valid under any of the given schemas",
        "outside": "inputSchema: it refers to https://example.org/a, which is outside of it",
        "huge": "inputSchema: it is longer than 100,000 characters",
        "(without a n": left_out["(without a n"],
        "Pid": "its name is bad__pid here, as that of pid",
        "x" * 12: f"its name bad__{'x' * 80} has not 1 to 64 characters",
    }


async def test_what_a_call_answers(settings: Settings) -> None:
    async def answer(tool: str) -> str:
        return await call(f"bad__{tool}", settings=settings)

    assert await answer("fail") == "error: bad__fail failed: the disk is full"
    assert await answer("refuse") == "error: bad__refuse failed: not like this"
    assert await answer("wrong") == "error: bad__wrong: the server bad answered with what is no result of a tool."
    assert (await answer("structured")).startswith("error: bad__structured: Invalid structured content")
    flood = await answer("flood")
    assert flood == f"success: {'x' * 20_000}\n… cut at 20,000 characters of 10,000,000"
    assert (await answer("pid")).startswith("success: ")


async def test_a_call_that_hangs_is_cancelled_at_the_server(
    settings: Settings, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLS_SECONDS", "0.2")
    told = await call("bad__hang", settings=Settings.read())
    assert told == "error: bad__hang took more than 0.2 seconds (TOOLS_SECONDS) and was stopped."
    await until(lambda: "cancelled" in notes.read_text())


async def test_a_reply_that_is_stopped_cancels_its_call(settings: Settings, notes: Path) -> None:
    task = asyncio.create_task(call("bad__hang", settings=settings))
    pid = await call("bad__pid", settings=settings)  # it was sent after the one that hangs
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: "cancelled" in notes.read_text())
    assert await call("bad__pid", settings=settings) == pid  # the same server goes on


async def test_a_server_that_dies_in_a_call_is_started_again(settings: Settings, notes: Path) -> None:
    before = await call("bad__pid", settings=settings)
    told = await call("bad__die", settings=settings)
    assert told == "error: bad__die: the server bad ended during the call."
    await until(lambda: [each.state for each in tools.list_servers(settings)] == ["ready"])
    after = await call("bad__pid", settings=settings)
    assert after.startswith("success: ")
    assert after != before
    assert notes.read_text().count("started") == 2


async def test_a_server_that_writes_a_line_without_end_is_started_anew(
    servers: Servers, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than the limit of it is held, and what the next one answers is read."""
    monkeypatch.setattr(connection, "stdio", partial(stdio, longest=15_000_000))
    settings = servers(bad={"command": sys.executable, "args": [SCRIPT, str(notes)]})
    before = await call("bad__pid", settings=settings)
    assert await call("bad__endless", settings=settings) == "error: bad__endless: the server bad ended during the call."
    assert (await call("bad__flood", settings=settings)).startswith("success: xxx"), "one that ends within it is read"
    assert (await call("bad__pid", settings=settings)) != before
    assert notes.read_text().count("started") == 2


async def test_why_a_server_was_given_up_is_told(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "stdio", partial(stdio, longest=1_000))  # its list of tools is longer
    settings = servers(bad={"command": sys.executable, "args": [SCRIPT]})
    (server,) = tools.list_servers(settings)
    assert (server.state, server.problem) == ("failed", "it wrote a line of more than 1,000 bytes")


async def test_a_killed_server_is_asked_again_at_once(settings: Settings) -> None:
    (tool,) = tools.open_tools(settings, ["bad__pid"], tools.ToolContext())
    before = str(await tool.ainvoke({}))
    os.kill(int(before), signal.SIGKILL)
    await until(lambda: tools.list_servers(settings)[0].state != "ready")
    assert "it ended" in tools.list_servers(settings)[0].problem
    listed = {each.name: each.availability_error for each in tools.list_tools(settings)}
    assert listed["bad__pid"] in {"the MCP server bad is not there", None}
    after = str(await tool.ainvoke({}))
    assert after.isdecimal()
    assert after != before


def test_only_what_reads_and_is_trusted_needs_nobodys_approval(servers: Servers) -> None:
    command: dict[str, Any] = {"command": sys.executable, "args": [SCRIPT]}
    settings = servers(
        one=command,
        two={**command, "approve": "never"},
        three={**command, "alwaysAllow": ["pid", "fail"]},
    )
    free = [each.name for each in tools.list_tools(settings) if each.origin != "own" and not each.needs_approval]
    assert free == ["two__pid", "three__pid"]


def test_servers_that_cannot_be_started_say_why_and_the_others_work(servers: Servers, tmp_path: Path) -> None:
    crash = "import sys; sys.exit('no module named nothing')"
    settings = servers(
        good={"command": sys.executable, "args": [SCRIPT]},
        missing={"command": str(tmp_path / "no-such-program")},
        crashing={"command": sys.executable, "args": ["-c", crash]},
        off={"command": "nothing", "disabled": True},
        both={"command": "a", "url": "http://b"},
        unset={"command": "a", "env": {"TOKEN": "${NO_SUCH_VARIABLE}"}},
        closed={"url": "http://127.0.0.1:9/mcp"},
        **{"GOOD!": {"command": "a"}, "§": {"command": "a"}},
    )
    found = {each.name: (each.state, each.problem) for each in tools.list_servers(settings)}
    assert found["good"] == ("ready", "")
    assert found["off"] == ("disabled", "")
    assert found["missing"] == ("failed", f"there is no {tmp_path / 'no-such-program'}")
    assert found["crashing"][0] == "failed"
    assert found["crashing"][1].endswith("no module named nothing")
    assert found["both"] == ("failed", "Value error, a server has either a command or a url")
    assert found["unset"] == ("failed", "the environment has no NO_SUCH_VARIABLE, which mcp.json names")
    assert found["GOOD!"] == ("failed", "another server's tools begin with good__ already")
    assert found["§"] == ("failed", "its name has no letter and no digit")
    assert found["closed"][0] == "failed"
    assert len([each for each in tools.list_tools(settings) if each.origin == "good"]) == 9
