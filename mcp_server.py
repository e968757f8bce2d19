"""What this app offers to other programs over MCP: a search in documents, one in conversations, and a question.

Knows one owner's data, for whoever it is told to act, and the `mcp` package; no transport, no key and no command.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from chains.assistant import build
from conversations.library import files
from conversations.replies import GenerationRequest, Reply
from conversations.store import DatabaseError, MessageError, Store, check_message, search_conversations
from documents.source import sources_of
from settings import VERSION, install_hint
from tools import ToolError
from tools.call import cut, describe_arguments, one_line

if TYPE_CHECKING:
    from mcp.server import Server

NAME = "llm-assistant"
INSTALL = "pip install -r requirements-tools.txt"
MAX_CHARACTERS = 50_000  # of an answer
INSTRUCTIONS = "Searches the user's own documents and conversations, and asks the user's own model."


@dataclass(frozen=True)
class Caller:
    """For whom a call is answered: whose data it sees, None where nobody knows whose, and how a reply is made for it.

    `place` says with what a reply is made, and holds a place for it meanwhile, or raises ToolError; `seconds` is what
    one may take.
    """

    store: Store | None
    place: Callable[[], AbstractContextManager[GenerationRequest]]
    seconds: float


class SearchArguments(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=1_000, description="a question, or words")
    limit: int = Field(8, ge=1, le=50, description="how many results at most")


class ConversationSearchArguments(SearchArguments):
    """What is looked for in conversations."""

    thinking: bool = Field(False, description="also in what models thought before they answered")


class AskArguments(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, description="what the model is asked")
    documents: bool = Field(False, description="whether it answers from passages of the user's documents")


class Offered(NamedTuple):
    """A tool of this server."""

    title: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[Caller, Any], Awaitable[str]]


def availability_error() -> str | None:
    """Why MCP cannot be spoken; None where it can."""
    return install_hint("mcp", INSTALL, "EXTRAS=tools") if find_spec("mcp") is None else None


def build_server(caller: Callable[[], Awaitable[Caller]]) -> "Server[Any]":
    """The server; `caller` says for each call for whom it is."""
    from mcp.server import Server
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        return ListToolsResult(
            tools=[
                Tool(
                    name=name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.arguments.model_json_schema(),
                    annotations=annotations,
                )
                for name, tool in TOOLS.items()
            ]
        )

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        try:
            text, failed = await answer(params.name, params.arguments or {}, caller), False
        except ToolError as error:
            text, failed = one_line(str(error)), True
        return CallToolResult(content=[TextContent(text=text)], is_error=failed)

    return Server(NAME, version=VERSION, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)


async def answer(name: str, arguments: dict[str, Any], caller: Callable[[], Awaitable[Caller]]) -> str:
    """What a call is answered. Raises ToolError."""
    if name not in TOOLS:
        raise ToolError(f"{name}: there is no such tool. There are {', '.join(TOOLS)}.")
    tool = TOOLS[name]
    try:
        given = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        raise ToolError(describe_arguments(name, error)) from None
    try:
        return cut(await tool.run(await caller(), given), MAX_CHARACTERS)
    except DatabaseError:
        raise ToolError("The database does not answer. Try again soon.") from None


async def find_passages(caller: Caller, arguments: SearchArguments) -> str:
    """Passages of the owner's documents, of all his conversations and of none."""
    found = await run_in_threadpool(_search, _own(caller), arguments.query, arguments.limit)
    return _format_passages(found) or "No passage fits."


async def find_conversations(caller: Caller, arguments: ConversationSearchArguments) -> str:
    """The owner's conversations with all the words."""
    wanted = (arguments.query, arguments.limit, arguments.thinking)
    hits = await run_in_threadpool(search_conversations, _own(caller), *wanted)
    days = (datetime.fromtimestamp(hit.updated, UTC).date() for hit in hits)
    lines = (f"{hit.title} ({hit.conversation_id}, {day})\n{hit.snippet}" for hit, day in zip(hits, days, strict=True))
    return "\n\n".join(lines) or "No conversation has all these words."


async def ask(caller: Caller, arguments: AskArguments) -> str:
    """A reply of the owner's model, and where it read. Raises ToolError for a failure."""
    try:
        question = check_message(arguments.question)
    except MessageError as error:
        raise ToolError(str(error)) from None
    retriever = await run_in_threadpool(_retriever, _own(caller)) if arguments.documents else None
    with caller.place() as request:
        reply = Reply(partial(_stream, question, request, retriever))
        try:
            async with asyncio.timeout(caller.seconds):
                await reply.join()
        except TimeoutError:
            raise ToolError(f"The reply took longer than {caller.seconds:g} seconds.") from None
        finally:
            if reply.running:
                reply.stop()
    if reply.failure is not None:
        raise ToolError(str(reply.error or "The model failed."))
    sources = _format_passages(reply.report.passages)
    return f"{reply.text}\n\nFrom:\n\n{sources}" if sources else reply.text


async def _stream(question: str, request: GenerationRequest, retriever: Any, reply: Reply) -> AsyncIterator[str]:
    reply.start()
    chain = build(request.settings, request.backend, model=request.model, options=request.options, retriever=retriever)
    async for part in chain.astream({"history": [], "input": question}, {"callbacks": [reply.report]}):
        yield part


def _own(caller: Caller) -> Store:
    """The caller's data. Raises ToolError where nobody knows who calls: all that call so would see each other's."""
    if caller.store is None:
        raise ToolError("Documents and conversations are found only for the holder of a key: set API_KEYS, send one.")
    return caller.store


def _retriever(store: Store) -> Any:
    return files.document_retriever(store, [row.id for row in files.listing_all(store)])


def _search(store: Store, query: str, limit: int) -> list[Document]:
    found: list[Document] = _retriever(store).index.search(query, limit)
    return found


def _format_passages(passages: Sequence[Document]) -> str:
    return "\n\n".join(f"[{each.number}] {each.location}\n{each.quote.strip()}" for each in sources_of(passages))


TOOLS = {
    "search_documents": Offered(
        "Search in documents",
        "Finds passages in the user's documents, best first, each with its file and place.",
        SearchArguments,
        find_passages,
    ),
    "search_conversations": Offered(
        "Search in conversations",
        "Finds the user's earlier conversations that have all these words, the newest first.",
        ConversationSearchArguments,
        find_conversations,
    ),
    "ask": Offered(
        "Ask the model",
        "Asks the user's own model one question, on request with passages of the user's documents.",
        AskArguments,
        ask,
    ),
}
