"""What a person does in a conversation: send, edit, regenerate, continue, compare. Each starts replies.

Every verb is one transaction that adds messages; nothing that was said is overwritten. Knows store and jobs; no page.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from conversations.replies.generation import GenerationRequest, stream_reply
from conversations.replies.reply import Reply
from conversations.replies.writer import PROCESS, Record, reply_writer
from conversations.store import store as stores
from conversations.store.database import Database
from conversations.store.schema import LIVE, Conversation, Message, State
from conversations.store.store import Store
from conversations.store.text import MessageError, check_message


def send(
    store: Store, identity: str | None, text: str, request: GenerationRequest, new: Mapping[str, Any] | None = None
) -> Message:
    """Add a message and its reply, which waits for the reply before it; `new` are fields of a new conversation.

    Returns the reply's row. Raises MessageError for a text that cannot be sent, NotFoundError.
    """
    return start_turn(store, identity, text, request, new)[0]


def start_turn(
    store: Store, identity: str | None, text: str, request: GenerationRequest, new: Mapping[str, Any] | None = None
) -> tuple[Message, Reply]:
    """The same, with the reply itself for who waits for it."""
    text = check_message(text)
    with store.database.writing() as session:
        found = store.ensure(session, identity, **(new or {}))
        answer = add_shown_reply(session, store, found, add_message(session, found, found.head, text=text))
    return answer, start_reply(store.database, answer, request)


def edit(store: Store, number: int, text: str, request: GenerationRequest) -> Message:
    """Say something else in the place of a message of one's own; returns the reply's row."""
    text = check_message(text)
    with store.database.writing() as session:
        before = store.message_row(session, number)
        if before.role != "user":
            raise MessageError("Only a message of one's own can be edited; a reply can be regenerated.")
        found = store.lock_conversation(session, before.conversation_id)
        answer = add_shown_reply(session, store, found, add_message(session, found, before.parent_id, text=text))
    start_reply(store.database, answer, request)
    return answer


def regenerate(store: Store, number: int, request: GenerationRequest) -> Message:
    """Another reply beside this one; returns its row."""
    with store.database.writing() as session:
        before = store.message_row(session, number)
        question = None if before.parent_id is None else store.message_row(session, before.parent_id)
        if before.role != "assistant" or question is None:
            raise MessageError("Only a reply can be regenerated.")
        found = store.lock_conversation(session, before.conversation_id)
        answer = add_shown_reply(session, store, found, question)
    start_reply(store.database, answer, request)
    return answer


def continue_reply(store: Store, number: int, request: GenerationRequest) -> Message:
    """Go on with a reply that was cut short, at its last character; returns its row."""
    with store.database.writing() as session:
        found = store.message_row(session, number)
        store.lock_conversation(session, found.conversation_id).updated = time.time()
        if found.role != "assistant" or found.parent_id is None or not found.text:
            raise MessageError("Only a reply that has begun can be continued.")
        ours = {"state": State.WAITING, "process": PROCESS, "heartbeat": store.database.now(),
                "stopping": False, "error": None, "stop_reason": None}  # fmt: skip
        free = update(Message).where(Message.id == number, Message.state.not_in(LIVE))
        here = number in reply_writer(store.database).replies  # whatever the table says: a clock may have jumped
        if here or session.execute(free.values(**ours).returning(Message.id)).first() is None:
            raise MessageError("This reply is being written already.")
        session.refresh(found)  # its last words may have come since it was read
    start_reply(store.database, found, request)
    return found


def compare(
    store: Store, text: str, requests: Sequence[GenerationRequest], new: Mapping[str, Any] | None = None
) -> list[Message]:
    """One message to several backends, in a conversation of its own; the replies' rows."""
    text = check_message(text)
    if not requests:
        raise MessageError("No backend was chosen: pick at least one.")
    with store.database.writing() as session:
        found = store.create(session, kind="compare", **(new or {}))
        question = add_message(session, found, None, text=text)
        answers = [add_reply(session, store, question) for _ in requests]
        show_reply(found, answers[0], text)
    for answer, ask in zip(answers, requests, strict=True):
        start_reply(store.database, answer, ask)
    return answers


def add_message(session: Session, conversation: Conversation, parent: int | None, **fields: Any) -> Message:
    """A message below `parent`, the person's own unless `role` says otherwise."""
    made = Message(
        **{"conversation_id": conversation.id, "parent_id": parent, "role": "user", "created": time.time(), **fields}
    )
    session.add(made)
    session.flush()
    return made


def add_reply(session: Session, store: Store, question: Message) -> Message:
    """The row of a reply that is about to be written by this process."""
    made = Message(conversation_id=question.conversation_id, parent_id=question.id, role="assistant", text="",
                   created=time.time(), state=State.WAITING, process=PROCESS,
                   heartbeat=store.database.now())  # fmt: skip
    session.add(made)
    session.flush()
    return made


def add_shown_reply(session: Session, store: Store, conversation: Conversation, question: Message) -> Message:
    """The same, shown from now on."""
    answer = add_reply(session, store, question)
    show_reply(conversation, answer, question.text)
    return answer


def show_reply(conversation: Conversation, answer: Message, text: str) -> None:
    """The new reply is what is shown, and the first message gives the title."""
    conversation.head, conversation.updated = answer.id, time.time()
    conversation.title = conversation.title or stores.make_title(text)


def start_reply(database: Database, row: Message, request: GenerationRequest) -> Reply:
    """Write this reply in the background."""
    entry = Record(reply_writer(database), row.id, row.completion_tokens or 0, row.duration_ms or 0)
    return Reply(lambda reply: stream_reply(database, row, request, reply), row.text, entry)
