"""What a reply may call: the tools that its conversation has switched on, opened for it. Knows the room of tools."""

import asyncio
from collections.abc import Sequence

from langchain_core.documents import Document

import tools
from chains.agent import Toolbox
from chains.settings import CallSettings
from conversations.replies.calls import OpenTool, ReplyCalls
from conversations.replies.context import BranchContext
from conversations.replies.reply import Reply
from conversations.store.database import Database
from conversations.store.schema import Message
from documents.search import PassageRetriever
from settings import Settings


async def open_calls(
    database: Database,
    row: Message,
    context: BranchContext,
    settings: Settings,
    reply: Reply,
    retriever: PassageRetriever | None,
) -> ReplyCalls:
    """What carries out the calls of this reply. Raises SettingsError where MCP_CONFIG cannot be read."""
    if context.tools:
        await tools.ready(settings)  # servers that are only starting are waited for
    infos = {info.name: info for info in await asyncio.to_thread(tools.list_tools, settings)}

    async def search_documents(query: str) -> Sequence[Document]:
        return [] if retriever is None else await retriever.ainvoke(query)

    given = tools.ToolContext(search_documents=None if retriever is None else search_documents)
    opened = await asyncio.to_thread(tools.open_tools, settings, context.tools, given)
    by_name = {tool.name: OpenTool(tool, infos[tool.name].origin, infos[tool.name].needs_approval) for tool in opened}
    return ReplyCalls(database, row, reply, context, by_name, settings.group(CallSettings))


def toolbox(calls: ReplyCalls) -> Toolbox:
    """The tools as the chain takes them."""
    return Toolbox([opened.tool for opened in calls.tools.values()], calls, calls.limits.tools_rounds)
