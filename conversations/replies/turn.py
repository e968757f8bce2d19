"""What a person does in a conversation: send, edit, regenerate, continue, compare. Each starts replies.

Every verb is one transaction that adds messages; nothing that was said is overwritten. Knows store and jobs; no page.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from conversations.replies.generation import Ask, parts
from conversations.replies.reply import Reply
from conversations.replies.writer import PROCESS, Entry, journal
from conversations.store import store as stores
from conversations.store.database import Database
from conversations.store.schema import LIVE, Conversation, Message, State
from conversations.store.store import Store
from conversations.store.text import MessageError, message


def send(store: Store, identity: str | None, text: str, ask: Ask, new: Mapping[str, Any] | None = None) -> Message:
    """Add a message and its reply, which waits for the reply before it; `new` are fields of a new conversation.

    Returns the reply's row. Raises MessageError for a text that cannot be sent, NotFoundError.
    """
    return begin(store, identity, text, ask, new)[0]


def begin(
    store: Store, identity: str | None, text: str, ask: Ask, new: Mapping[str, Any] | None = None
) -> tuple[Message, Reply]:
    """The same, with the reply itself for who waits for it."""
    text = message(text)
    with store.database.writing() as session:
        found = create(session, store, **(new or {})) if identity is None else store.locked(session, identity)
        answer = expected(session, store, found, add(session, found, found.head, text=text))
    return answer, start(store.database, answer, ask)


def edit(store: Store, number: int, text: str, ask: Ask) -> Message:
    """Say something else in the place of a message of one's own; returns the reply's row."""
    text = message(text)
    with store.database.writing() as session:
        before = store.owned(session, number)
        if before.role != "user":
            raise MessageError("Only a message of one's own can be edited; a reply can be regenerated.")
        found = store.locked(session, before.conversation_id)
        answer = expected(session, store, found, add(session, found, before.parent_id, text=text))
    start(store.database, answer, ask)
    return answer


def regenerate(store: Store, number: int, ask: Ask) -> Message:
    """Another reply beside this one; returns its row."""
    with store.database.writing() as session:
        before = store.owned(session, number)
        question = None if before.parent_id is None else store.owned(session, before.parent_id)
        if before.role != "assistant" or question is None:
            raise MessageError("Only a reply can be regenerated.")
        found = store.locked(session, before.conversation_id)
        answer = expected(session, store, found, question)
    start(store.database, answer, ask)
    return answer


def proceed(store: Store, number: int, ask: Ask) -> Message:
    """Go on with a reply that was cut short, at its last character; returns its row."""
    with store.database.writing() as session:
        found = store.owned(session, number)
        store.locked(session, found.conversation_id).updated = time.time()
        if found.role != "assistant" or found.parent_id is None or not found.text:
            raise MessageError("Only a reply that has begun can be continued.")
        ours = {"state": State.WAITING, "process": PROCESS, "heartbeat": store.database.now(),
                "stopping": False, "error": None, "stop_reason": None}  # fmt: skip
        free = update(Message).where(Message.id == number, Message.state.not_in(LIVE))
        here = number in journal(store.database).replies  # whatever the table says: a clock may have jumped
        if here or session.execute(free.values(**ours).returning(Message.id)).first() is None:
            raise MessageError("This reply is being written already.")
        session.refresh(found)  # its last words may have come since it was read
    start(store.database, found, ask)
    return found


def compare(store: Store, text: str, asks: Sequence[Ask], new: Mapping[str, Any] | None = None) -> list[Message]:
    """One message to several backends, in a conversation of its own; the replies' rows."""
    text = message(text)
    if not asks:
        raise MessageError("No backend was chosen: pick at least one.")
    with store.database.writing() as session:
        found = create(session, store, kind="compare", **(new or {}))
        question = add(session, found, None, text=text)
        answers = [expect(session, store, question) for _ in asks]
        conclude(found, answers[0], text)
    for answer, ask in zip(answers, asks, strict=True):
        start(store.database, answer, ask)
    return answers


def create(session: Session, store: Store, **fields: Any) -> Conversation:
    """An empty conversation of the store's owner."""
    now = time.time()
    made = Conversation(**{"id": stores.identity(), **fields}, owner=store.owner, title="", created=now, updated=now)
    session.add(made)
    session.flush()
    return made


def add(session: Session, found: Conversation, parent: int | None, **fields: Any) -> Message:
    """A message below `parent`, the person's own unless `role` says otherwise."""
    made = Message(
        **{"conversation_id": found.id, "parent_id": parent, "role": "user", "created": time.time(), **fields}
    )
    session.add(made)
    session.flush()
    return made


def expect(session: Session, store: Store, question: Message) -> Message:
    """The row of a reply that is about to be written by this process."""
    made = Message(conversation_id=question.conversation_id, parent_id=question.id, role="assistant", text="",
                   created=time.time(), state=State.WAITING, process=PROCESS,
                   heartbeat=store.database.now())  # fmt: skip
    session.add(made)
    session.flush()
    return made


def expected(session: Session, store: Store, found: Conversation, question: Message) -> Message:
    """The same, shown from now on."""
    answer = expect(session, store, question)
    conclude(found, answer, question.text)
    return answer


def conclude(found: Conversation, answer: Message, text: str) -> None:
    """The new reply is what is shown, and the first message gives the title."""
    found.head, found.updated = answer.id, time.time()
    found.title = found.title or stores.title(text)


def start(database: Database, row: Message, ask: Ask) -> Reply:
    """Write this reply in the background."""
    entry = Entry(journal(database), row.id, row.completion_tokens or 0, row.duration_ms or 0)
    return Reply(lambda reply: parts(database, row, ask, reply), row.text, entry)
