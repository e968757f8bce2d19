"""The room's door: which tools there are, those that were named and no others, and what a failing call answers."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import ToolMessage

from settings import Settings
from tools import ToolContext, ToolSettings, list_tools, open_tools
from tools.call import CallLimits, ToolError, make_tool

OWN = ["calculator", "date_time", "read_page", "search_documents", "search_web"]


async def call(name: str, context: ToolContext | None = None, settings: Settings | None = None, **args: Any) -> str:
    """What the model is told of one call."""
    (tool,) = open_tools(settings or Settings.read(), [name], context or ToolContext())
    message = await tool.ainvoke({"name": name, "args": args, "id": "1", "type": "tool_call"})
    assert isinstance(message, ToolMessage)
    return f"{message.status}: {message.content}"


def test_own_tools_are_listed_with_who_has_to_approve_them() -> None:
    tools = {tool.name: tool for tool in list_tools(Settings.read()) if tool.origin == "own"}
    assert list(tools) == OWN
    assert [name for name, tool in tools.items() if tool.needs_approval] == ["read_page", "search_web"]
    assert all(tool.title and tool.description for tool in tools.values())


def test_what_is_not_set_up_says_what_to_set() -> None:
    errors = {tool.name: tool.availability_error for tool in list_tools(Settings.read()) if tool.availability_error}
    assert errors == {
        "read_page": "no host is allowed; name some in TOOLS_HOSTS",
        "search_web": "no SearXNG is named; set SEARXNG_URL to yours",
    }


def test_no_tool_is_there_until_it_is_named() -> None:
    settings = Settings.read()
    assert open_tools(settings, [], ToolContext()) == []
    assert [tool.name for tool in open_tools(settings, OWN, ToolContext())] == [*OWN[:2], "search_documents"]
    assert open_tools(settings, ["no_such_tool"], ToolContext()) == []


async def test_the_calculator() -> None:
    assert await call("calculator", expression="17.5% * 80") == "success: 14"
    assert await call("calculator", expression="1/0") == "error: Division by zero."
    wrong = await call("calculator", formula="1")
    assert wrong.startswith("error: calculator: the arguments do not fit: expression: Field required; formula: Extra")


async def test_the_time_in_a_zone() -> None:
    told = await call("date_time", zone="Asia/Tokyo", at="2030-05-01T12:00+02:00")
    assert told == (
        "success: Wednesday, 1 May 2030, 19:00:00 Asia/Tokyo "
        "(2030-05-01T19:00:00+09:00; day 121 of the year, ISO week 18)"
    )
    of_the_user = await call("date_time", ToolContext(zone="America/New_York"), at="2030-07-01T12:00Z")
    assert "08:00:00 America/New_York (2030-07-01T08:00:00-04:00" in of_the_user
    assert f"{datetime.now(UTC):%Y-%m-%dT%H:}" in await call("date_time", zone="UTC")


@pytest.mark.parametrize(
    "args", [{"zone": "Mars/Olympus"}, {"zone": "../etc/passwd"}, {"zone": "Europe"}, {"at": "tomorrow"},
             {"at": "0001-01-01T00:00Z", "zone": "America/New_York"}],
)  # fmt: skip
async def test_no_such_time(args: dict[str, Any]) -> None:
    assert (await call("date_time", **args)).startswith(("error: zone=", "error: at="))


async def test_documents_of_the_conversation_alone() -> None:
    async def search(question: str) -> list[Document]:
        return [Document(f"{question}? At nine.", metadata={"file": "notes.pdf", "place": "page 7"})] * 20

    told = await call("search_documents", ToolContext(search_documents=search), query="opening")
    assert told.startswith("success: [1] notes.pdf, page 7\nopening? At nine.\n\n[2] notes.pdf")
    assert "[8]" in told
    assert "[9]" not in told
    assert await call("search_documents", query="opening") == "success: This conversation has no documents."


async def test_a_call_that_hangs_fails_in_one_line() -> None:
    stopped = asyncio.Event()

    async def hang(arguments: Any) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    tool = make_tool("slow", "Slow", "Hangs.", {"type": "object", "properties": {}}, hang, CallLimits(0.01, 100))
    with pytest.raises(ToolError):
        await tool._arun()
    assert await tool.ainvoke({}) == "slow took more than 0.01 seconds (TOOLS_SECONDS) and was stopped."
    assert stopped.is_set()


async def test_a_bug_is_one_line_without_what_was_written() -> None:
    async def fail(arguments: Any) -> str:
        raise RuntimeError("secret\nlines")

    tool = make_tool("broken", "Broken", "Fails.", {"type": "object", "properties": {}}, fail, CallLimits(1, 100))
    assert await tool.ainvoke({}) == "broken failed: RuntimeError."


async def test_a_long_result_is_cut_and_says_so() -> None:
    async def answer(arguments: Any) -> str:
        return "x" * 12_345

    schema = {"type": "object", "properties": {"config": {}, "run_manager": {}, "self": {}}}
    tool = make_tool("long", "Long", "Is long.", schema, answer, CallLimits(1, 1_000))
    told = await tool.ainvoke({"config": 1, "run_manager": 2, "self": 3})
    assert told == "x" * 1_000 + "\n… cut at 1,000 characters of 12,345"


def test_hosts_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_HOSTS", "example.org,https://x/")
    with pytest.raises(ValueError, match=r"TOOLS_HOSTS=.*https://x/ is no host"):
        ToolSettings.read()
