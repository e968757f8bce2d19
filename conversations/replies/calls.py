"""The calls of one reply: written down, permitted or left to a person, carried out, and kept with what they came to.

Knows the tables, and tools as LangChain has them; not what a tool does, nor how a person is asked.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages import ToolCall as Call
from langchain_core.tools import BaseTool
from sqlalchemy import update
from sqlalchemy.orm import Session

from chains.agent import INVALID
from chains.calling import argument_error, call_tool
from chains.settings import CallSettings
from conversations.replies.context import BranchContext, to_result
from conversations.replies.reply import ApprovalRequiredError, Reply
from conversations.replies.strangers import HARMLESS, last_passage
from conversations.store import calls as store
from conversations.store.database import Database
from conversations.store.schema import CallStatus, Conversation, Message, ToolCall
from tools import OWN

HOUR = 3600.0  # seconds


@dataclass(frozen=True)
class OpenTool:
    """A tool that the conversation has switched on; `origin` is its server's name, or says that it is ours."""

    tool: BaseTool
    origin: str = OWN
    needs_approval: bool = True

    @property
    def is_strange(self) -> bool:
        """Whether its results may hold words of strangers."""
        return self.origin != OWN or self.tool.name not in HARMLESS


@dataclass
class ReplyCalls:
    """The calls of the reply of `row`, which may call these tools, by name."""

    database: Database
    row: Message
    reply: Reply
    context: BranchContext
    tools: Mapping[str, OpenTool]
    limits: CallSettings
    _own: list[ToolCall] = field(default_factory=list)

    async def resume(self) -> BranchContext:
        """Carry out what a person has allowed since the reply paused; the context with all that came of it.

        Raises ApprovalRequiredError where some call still waits.
        """
        self._own = list(self.context.own_calls)
        if any(call.waiting for call in self._own):
            raise ApprovalRequiredError
        await self._run([call for call in self._own if call.status == CallStatus.APPROVED])
        return replace(self.context, calls={**self.context.calls, self.row.id: self._own})

    async def carry_out(self, said: AIMessage) -> list[BaseMessage]:
        """The results of the calls of an answer, those that nobody has to allow side by side.

        Raises ApprovalRequiredError once they are over, where a person is to be asked for others.
        """
        step = max((call.step for call in self._own), default=-1) + 1
        asked = await asyncio.to_thread(self._write_down, said.tool_calls, step)
        self._own += asked
        await self._run([call for call in asked if call.status == CallStatus.APPROVED])
        calls = [call for call in self._own if call.step == step]
        if any(call.waiting for call in calls):
            raise ApprovalRequiredError
        return [to_result(call) for call in calls]

    def _write_down(self, calls: Sequence[Call], step: int) -> list[ToolCall]:
        """The calls as rows, kept together with the text before them, whatever happens now."""
        with self.database.writing() as session:
            grants = session.get_one(Conversation, self.row.conversation_id).grants or {}
            words = last_passage(self.context, self._own, self.reply.report)
            rows = [self._judge(call, step, grants, words) for call in calls]
            session.add_all(rows)
            session.execute(update(Message).where(Message.id == self.row.id).values(text=self.reply.text))
        return rows

    def _judge(self, call: Call, step: int, grants: Mapping[str, str], words: Mapping[str, Any] | None) -> ToolCall:
        """A call as a row: allowed, refused, or left to a person."""
        now, name = time.time(), call["name"]
        opened = self.tools.get(name)
        row = ToolCall(
            message_id=self.row.id,
            step=step,
            position=len(self.reply.text),
            thought=len(self.reply.report.thinking.text),
            call_id=call["id"] or "",
            name=name,
            origin=opened.origin if opened else "",
            arguments=_written(call["args"]),
            asked=now,
            strange=opened.is_strange if opened else False,
        )
        problem = self._problem(call, opened)
        if problem is not None or opened is None:
            row.status, row.result, row.finished = CallStatus.FAILED, problem, now
        elif not opened.needs_approval:
            row.status, row.decided_by = CallStatus.APPROVED, store.NOBODY
        elif grants.get(name) == store.Decision.NEVER:
            row.status, row.decided, row.decided_by = CallStatus.DENIED, now, "never"
            row.result = store.DENIED
        elif grants.get(name) == store.Decision.ALWAYS and words is None:
            row.status, row.decided_by = CallStatus.APPROVED, "always"
        else:
            row.status, row.expires = CallStatus.WAITING, now + self.limits.tools_expiry * HOUR
            row.passage = dict(words) if words else None
        return row

    def _problem(self, call: Call, opened: OpenTool | None) -> str | None:
        """Why a call cannot be carried out, in one line; nobody is asked about it."""
        if opened is None:
            names = ", ".join(sorted(self.tools)) or "none"
            return f"There is no tool {call['name']!r} in this conversation; there is: {names}."
        return argument_error(opened.tool, call["args"])

    async def _run(self, calls: Sequence[ToolCall]) -> None:
        """Carry them out side by side. Stopped, it stops them, and says so where they are kept."""
        if not calls:
            return
        self.reply.activity = f"Calling {', '.join(dict.fromkeys(call.name for call in calls))}…"
        try:
            await asyncio.gather(*map(self._run_one, calls))
        except asyncio.CancelledError:
            await asyncio.to_thread(store.stop_running, self.database, self.row.id)
            raise
        finally:
            self.reply.activity = None
        self._own = await asyncio.to_thread(self._read)
        self.reply.calls_over = sum(call.finished is not None for call in self._own)

    async def _run_one(self, call: ToolCall) -> None:
        if not await asyncio.to_thread(store.begin, self.database, call.id):
            return  # somebody else has: a call runs once
        opened = self.tools.get(call.name)
        if opened is None:
            text = f"{call.name} is switched off by now."
            await asyncio.to_thread(store.finish, self.database, call.id, CallStatus.FAILED, text)
            return
        outcome = await call_tool(opened.tool, json.loads(call.arguments))
        status = CallStatus.FAILED if outcome.has_failed else CallStatus.DONE
        await asyncio.to_thread(store.finish, self.database, call.id, status, outcome.text)

    def _read(self) -> list[ToolCall]:
        with self.database.reading() as session:
            return _rows(session, self.row.id)


def _rows(session: Session, message_id: int) -> list[ToolCall]:
    return store.read_calls(session, [message_id]).get(message_id, [])


def _written(arguments: Mapping[str, Any]) -> str:
    """The arguments as JSON, or as the model wrote what is none."""
    return str(arguments[INVALID]) if INVALID in arguments else json.dumps(arguments, ensure_ascii=False)
