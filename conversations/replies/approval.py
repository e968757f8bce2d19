"""A person's answer to a call that waits: taken once, whoever gives it where, and then the same reply goes on.

Knows the store and how a reply is started; not who asked the person.
"""

import time

from conversations.replies import turn, watch
from conversations.replies.reply import Reply
from conversations.replies.request import GenerationRequest
from conversations.store import calls
from conversations.store.calls import Decision
from conversations.store.schema import CallStatus, Message, ToolCall
from conversations.store.store import Store, sweep
from conversations.store.text import MessageError

END_TIMEOUT = 5.0  # seconds for a reply that has just asked to be kept


def answer(
    store: Store, number: int, decision: Decision, by: str, request: GenerationRequest
) -> tuple[Message, Reply | None]:
    """The row of the reply whose call this was, and the reply as it goes on, with `request`; None while others wait.

    `by` says where the person is: page, terminal, api or sms. Raises NotFoundError, and MessageError kinds where the
    call waits no more, as it was answered elsewhere or came too late.
    """
    sweep(store.database)
    _await_pause(store, number)
    with store.database.writing() as session:
        call = store.call_row(session, number)
        row = store.message_row(session, call.message_id)
        conversation = store.lock_conversation(session, row.conversation_id)
        calls.decide(session, call, conversation, decision, by)
        conversation.updated = time.time()  # other tabs hear of it
        left = [each for each in calls.read_calls(session, [row.id])[row.id] if each.waiting]
        if not left and not turn.claim_reply(session, store, row):
            raise MessageError("This reply is being written: try again in a moment.")
    return row, None if left else turn.start_reply(store.database, row, request)


def _await_pause(store: Store, number: int) -> None:
    """Wait until the reply that asked has ended for now: it is shown a moment before it is kept."""
    with store.database.reading() as session:
        message_id = store.call_row(session, number).message_id
    reply = watch.local_reply(store.database, message_id)
    if reply is not None:
        reply.wait(END_TIMEOUT)


def waiting(store: Store, message_id: int) -> list[ToolCall]:
    """The calls of a reply that wait for a person."""
    return [call for call in store.calls(message_id) if call.status == CallStatus.WAITING]
