"""What a person does in a conversation: send, edit, regenerate, continue, compare. Each starts replies.

Every verb is one transaction that adds messages; nothing that was there is overwritten. Knows the store; no page.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

import backends
from chains.thinking import Thinking
from conversations.replies import watch
from conversations.replies.generation import stream_reply
from conversations.replies.reply import Reply
from conversations.replies.request import GenerationRequest
from conversations.replies.writer import PROCESS, Record, reply_writer
from conversations.store import pictures as stored
from conversations.store import store as stores
from conversations.store.calls import cancel_waiting, read_calls
from conversations.store.database import Database
from conversations.store.pictures import Placed
from conversations.store.schema import LIVE, Conversation, Message, State
from conversations.store.store import Store
from conversations.store.text import MessageError, check_message
from documents.pictures.picture import Picture

PICTURE = "Picture"  # the title of a conversation that begins with one, and no word


def send(
    store: Store,
    identity: str | None,
    text: str,
    request: GenerationRequest,
    new: Mapping[str, Any] | None = None,
    pictures: Sequence[Picture] = (),
) -> Message:
    """The row of the reply to a message that is added; `new` are fields of a new conversation.

    It waits for the reply before it. Raises MessageError for a text that cannot be sent, NotFoundError.
    """
    return start_turn(store, identity, text, request, new, pictures)[0]


def start_turn(
    store: Store,
    identity: str | None,
    text: str,
    request: GenerationRequest,
    new: Mapping[str, Any] | None = None,
    pictures: Sequence[Picture] = (),
) -> tuple[Message, Reply]:
    """As `send`, with the reply itself for who waits for it."""
    text = check_message(text, beside=bool(pictures))
    with store.database.writing() as session:
        conversation = store.ensure(session, identity, **(new or {}))
        cancel_waiting(session, conversation.head)
        question = add_message(session, conversation, conversation.head, text=text, pictures=pictures)
        answer = add_shown_reply(session, store, conversation, question)
    return answer, start_reply(store.database, answer, request)


def go_on(
    store: Store,
    after: int | None,
    said: Sequence[Mapping[str, Any]],
    request: GenerationRequest,
    fields: Mapping[str, Any],
) -> tuple[Message, Reply]:
    """The row of the reply to the last of these messages, and the reply; `said` are their columns, the question's last,
    with `pictures` where one has some (as `Placed`).

    They are added below the message `after`, whose calls wait no more, or to a new conversation, which gets `fields`.
    Raises NotFoundError.
    """
    with store.database.writing() as session:
        if after is None:
            conversation = store.create(session, **fields)
        else:
            conversation = store.lock_conversation(session, store.message_row(session, after).conversation_id)
            cancel_waiting(session, after)
            for name, value in fields.items():
                setattr(conversation, name, value)
        for columns in said:
            question = add_message(session, conversation, after, **columns)
            after = question.id
        answer = add_shown_reply(session, store, conversation, question)
    return answer, start_reply(store.database, answer, request)


def edit(
    store: Store, number: int, text: str, request: GenerationRequest, pictures: Sequence[Picture] | None = None
) -> Message:
    """The row of the reply to another text beside a message of one's own, whose pictures it keeps unless others are
    given. Raises MessageError, NotFoundError.
    """
    with store.database.writing() as session:
        before = store.message_row(session, number)
        own = stored.load(session, [number]).get(number, [])
        kept: Sequence[Picture | Placed] = own if pictures is None else pictures
        text = check_message(text, beside=bool(kept))
        if before.role != "user":
            raise MessageError("Only a message of one's own can be edited; a reply can be regenerated.")
        conversation = store.lock_conversation(session, before.conversation_id)
        question = add_message(session, conversation, before.parent_id, text=text, pictures=kept)
        answer = add_shown_reply(session, store, conversation, question)
    start_reply(store.database, answer, request)
    return answer


def regenerate(store: Store, number: int, request: GenerationRequest) -> Message:
    """The row of another reply beside this one. Raises MessageError, NotFoundError."""
    with store.database.writing() as session:
        before = store.message_row(session, number)
        question = None if before.parent_id is None else store.message_row(session, before.parent_id)
        if before.role != "assistant" or question is None:
            raise MessageError("Only a reply can be regenerated.")
        conversation = store.lock_conversation(session, before.conversation_id)
        answer = add_shown_reply(session, store, conversation, question)
    start_reply(store.database, answer, request)
    return answer


def continue_reply(store: Store, number: int, request: GenerationRequest) -> Message:
    """The row of a reply that was cut short, and goes on at its last character. Raises MessageError, NotFoundError."""
    with store.database.writing() as session:
        row = store.message_row(session, number)
        store.lock_conversation(session, row.conversation_id).updated = time.time()
        own = read_calls(session, [number]).get(number, [])
        if row.role != "assistant" or row.parent_id is None or not (row.text or own or row.thinking):
            raise MessageError("Only a reply that has begun can be continued.")
        if row.only_thought and not own and not backends.computes_here(request.backend):
            raise MessageError(f"{request.backend} goes on with no thinking: regenerate the reply.")
        if any(call.waiting for call in own):
            raise MessageError("This reply waits for your answer to a call of a tool: give it, and the reply goes on.")
        if not claim_reply(session, store, row):
            raise MessageError("This reply is being written already.")
        inside = row.only_thought and not own
    start_reply(store.database, row, request, inside=inside)
    return row


def claim_reply(session: Session, store: Store, row: Message) -> bool:
    """Have this process write a reply that has ended, or paused, from now on; False where some process does already."""
    marks = dict.fromkeys(("stopping", "answering"), False)
    taken = {"state": State.WAITING, **_claim(store), **marks, "error": None, "stop_reason": None}
    free = update(Message).where(Message.id == row.id, Message.state.not_in(LIVE)).values(**taken)
    is_local = watch.local_reply(store.database, row.id) is not None  # whatever the table says: clocks may jump
    if is_local or session.execute(free.returning(Message.id)).first() is None:
        return False
    session.refresh(row)  # its last text may have come since it was read
    return True


def compare(
    store: Store,
    text: str,
    requests: Sequence[GenerationRequest],
    new: Mapping[str, Any] | None = None,
    pictures: Sequence[Picture] = (),
) -> list[Message]:
    """The rows of the replies of several backends to one message, in a conversation of its own. Raises MessageError."""
    text = check_message(text, beside=bool(pictures))
    if not requests:
        raise MessageError("No backend was chosen: pick at least one.")
    with store.database.writing() as session:
        conversation = store.create(session, kind="compare", **(new or {}))
        question = add_message(session, conversation, None, text=text, pictures=pictures)
        answers = [add_reply(session, store, question) for _ in requests]
        show_reply(conversation, answers[0], text)
    for answer, request in zip(answers, requests, strict=True):
        start_reply(store.database, answer, request)
    return answers


def add_message(session: Session, conversation: Conversation, parent: int | None, **fields: Any) -> Message:
    """A message below `parent`, with `pictures` where there are some, the person's own unless `role` says otherwise."""
    pictures: Sequence[Picture | Placed] = fields.pop("pictures", ())
    new = {"conversation_id": conversation.id, "parent_id": parent, "role": "user", "created": time.time(), **fields}
    row = session.scalars(insert(Message).returning(Message).values(**new)).one()
    if pictures:
        stored.attach(session, conversation.owner, row.id, pictures)
    return row


def add_reply(session: Session, store: Store, question: Message) -> Message:
    """The row of a reply that is about to be written by this process."""
    new = {"conversation_id": question.conversation_id, "parent_id": question.id, "role": "assistant"}
    new |= {"created": time.time(), "state": State.WAITING, **_claim(store)}
    return session.scalars(insert(Message).returning(Message).values(**new)).one()


def _claim(store: Store) -> dict[str, Any]:
    """The columns by which this process says that it writes a reply."""
    return {"process": PROCESS, "heartbeat": store.database.now()}


def add_shown_reply(session: Session, store: Store, conversation: Conversation, question: Message) -> Message:
    """The row of a reply as `add_reply` makes it; from now on its branch is the one that is shown."""
    answer = add_reply(session, store, question)
    show_reply(conversation, answer, question.text)
    return answer


def show_reply(conversation: Conversation, answer: Message, text: str) -> None:
    """Make the reply the end of the shown branch; the first message gives the conversation its title."""
    conversation.head, conversation.updated = answer.id, time.time()
    conversation.title = conversation.title or stores.make_title(text or PICTURE)


def start_reply(database: Database, row: Message, request: GenerationRequest, *, inside: bool = False) -> Reply:
    """The reply of this row, running in the background; `inside`: it goes on in the middle of its thinking."""
    record = Record(reply_writer(database), row.id, row.completion_tokens or 0, row.duration_ms or 0)
    thinking = None
    if row.thinking:
        tokens, seconds = row.thinking_tokens or 0, (row.thinking_ms or 0) / 1000
        thinking = Thinking.going_on(row.thinking, tokens, seconds, inside=inside)
    stream = partial(stream_reply, database, row, request)
    return Reply(stream, row.text, record, thinking, is_temporary=database.is_temporary)
