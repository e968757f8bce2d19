"""Calls of tools: written down before anything runs, answered once, finished once. Knows tables; no tool, no model.

A change of status is one UPDATE that names the status before it, so that of several who try one succeeds.
"""

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, text, update
from sqlalchemy.orm import Session

from conversations.store.database import Database
from conversations.store.schema import IS_OPEN, LIVE, CallStatus, Conversation, Message, State, ToolCall
from conversations.store.text import MessageError, searched_call

NOBODY = "no approval needed"  # who decided where nobody had to
DENIED = "The person did not allow this call."
EXPIRED = "Nobody allowed this call in time."
CANCELLED = "This call was cancelled: the person wrote something else."
STOPPED = "This call was stopped."
ABANDONED = "The program ended while this ran: nobody knows whether it had an effect."


class Decision(StrEnum):
    """What a person answers to a call that waits; always and never hold for the tool in the whole conversation."""

    ONCE = "once"
    ALWAYS = "always"
    NO = "no"
    NEVER = "never"

    @property
    def allows(self) -> bool:
        """Whether the call may run."""
        return self in {Decision.ONCE, Decision.ALWAYS}


class AnsweredError(MessageError):
    """The call waits no more; the text says what became of it."""


def read_calls(session: Session, message_ids: Sequence[int]) -> dict[int, list[ToolCall]]:
    """The calls of these messages, each in the order in which they were asked for."""
    query = select(ToolCall).where(ToolCall.message_id.in_(message_ids)).order_by(ToolCall.message_id, ToolCall.id)
    calls: dict[int, list[ToolCall]] = {}
    for call in session.scalars(query):
        calls.setdefault(call.message_id, []).append(call)
    return calls


def begin(database: Database, number: int) -> bool:
    """Note that an approved call runs now; False where somebody else has begun it, or it is not approved."""
    with database.writing() as session:
        return _set(session, number, CallStatus.APPROVED, status=CallStatus.RUNNING, decided=time.time())


def finish(database: Database, number: int, status: CallStatus, result: str) -> bool:
    """Keep what came of a running call, to be found by its words."""
    with database.writing() as session:
        arguments = session.scalar(select(ToolCall.arguments).where(ToolCall.id == number)) or ""
        words = {"result": result, "folded": searched_call(arguments, result)}
        return _set(session, number, CallStatus.RUNNING, status=status, finished=time.time(), **words)


def _set(session: Session, number: int, before: CallStatus, **values: Any) -> bool:
    query = update(ToolCall).where(ToolCall.id == number, ToolCall.status == before).values(**values)
    return session.execute(query.returning(ToolCall.id)).first() is not None


def decide(session: Session, call: ToolCall, conversation: Conversation, decision: Decision, by: str) -> None:
    """Answer a call that waits. Raises AnsweredError where it waits no more: of several who answer one is first."""
    now = time.time()
    status = CallStatus.APPROVED if decision.allows else CallStatus.DENIED
    values = {"status": status, "decided": now, "decided_by": by, "result": None if decision.allows else DENIED}
    still = (ToolCall.id == call.id, ToolCall.status == CallStatus.WAITING, ToolCall.expires > now)
    if session.execute(update(ToolCall).where(*still).values(**values).returning(ToolCall.id)).first() is None:
        session.refresh(call)
        who = f" ({call.decided_by})" if call.decided_by else ""
        ended = "expired" if call.waiting else call.status
        raise AnsweredError(f"This call of {call.name} waits no more: it is {ended}{who}.")
    if decision in {Decision.ALWAYS, Decision.NEVER}:
        conversation.grants = {**(conversation.grants or {}), call.name: str(decision)}


def cancel_waiting(session: Session, message_id: int | None) -> None:
    """End the calls of a message that wait for a person, since he wrote something else; the reply is a stopped one."""
    waiting = (ToolCall.message_id == message_id, ToolCall.status == CallStatus.WAITING)
    ended = {"status": CallStatus.CANCELLED, "result": CANCELLED, "finished": time.time()}
    session.execute(update(ToolCall).where(*waiting).values(**ended))
    paused = (Message.id == message_id, Message.state == State.REQUIRES_ACTION)
    session.execute(update(Message).where(*paused).values(state=State.STOPPED))


def stop_running(database: Database, message_id: int) -> None:
    """End the calls of a message that run, or were about to: its reply was stopped."""
    begun = ToolCall.status.in_((CallStatus.RUNNING, CallStatus.APPROVED))
    ended = {"status": CallStatus.CANCELLED, "result": STOPPED, "finished": time.time()}
    with database.writing() as session:
        session.execute(update(ToolCall).where(ToolCall.message_id == message_id, begun).values(**ended))


def has_left_calls(session: Session) -> bool:
    """Whether there are calls for `sweep_calls`, whoever owns them."""
    query = select(ToolCall.id).join(Message).where(text(IS_OPEN), _is_left(time.time())).limit(1)
    return session.scalar(query) is not None


def sweep_calls(session: Session) -> None:
    """Bring calls in order whose process died, or for which nobody came, whoever owns them."""
    if not has_left_calls(session):
        return
    now = time.time()
    _expire(session, now)
    _abandon(session, now)
    waiting = select(ToolCall.message_id).where(ToolCall.status == CallStatus.WAITING)
    paused = (Message.id.in_(waiting), Message.state == State.INTERRUPTED)
    session.execute(update(Message).where(*paused).values(state=State.REQUIRES_ACTION))


def _is_left(now: float) -> ColumnElement[bool]:
    """A call that expired, that ran in a process that is gone, or that waits in a reply which was cut short after."""
    waits, runs = ToolCall.status == CallStatus.WAITING, ToolCall.status == CallStatus.RUNNING
    return or_(
        and_(waits, or_(ToolCall.expires <= now, Message.state == State.INTERRUPTED)),
        and_(runs, Message.state.not_in(LIVE)),
    )


def _expire(session: Session, now: float) -> None:
    late = (ToolCall.status == CallStatus.WAITING, ToolCall.expires <= now)
    ended = {"status": CallStatus.EXPIRED, "result": EXPIRED, "finished": now}
    session.execute(update(ToolCall).where(*late).values(**ended))
    waiting = select(ToolCall.message_id).where(ToolCall.status == CallStatus.WAITING)
    over = (Message.state == State.REQUIRES_ACTION, Message.id.not_in(waiting))
    session.execute(update(Message).where(*over).values(state=State.STOPPED))


def _abandon(session: Session, now: float) -> None:
    dead = select(Message.id).where(Message.state.not_in(LIVE))
    left = (ToolCall.status == CallStatus.RUNNING, ToolCall.message_id.in_(dead))
    ended = {"status": CallStatus.FAILED, "result": ABANDONED, "finished": now}
    session.execute(update(ToolCall).where(*left).values(**ended))
