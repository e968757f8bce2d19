"""The tables: conversations, messages as a tree and what hangs on them, calls of tools, documents, personas, the API's
responses and counters. Knows no query.

Times are seconds since 1970. A row that was read is a plain record: it stays readable after its session, and nothing
is written through it.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from conversations.store.text import clean, searched_call, searched_words

RowId = BigInteger().with_variant(Integer, "sqlite")


class CleanText(TypeDecorator[str]):
    """Text as every database can hold it, whoever wrote it: also what a server says of itself."""

    impl: type[TypeEngine[Any]] = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """With U+FFFD for the rest."""
        if value is None:
            return None
        said = str(value)
        is_clean = said.isascii() and "\x00" not in said  # most are: a call for each column would cost more
        return said if is_clean else clean(said)


class CleanString(CleanText):
    """Clean text of at most so many characters."""

    impl = String
    cache_ok = True


class TokenCount(TypeDecorator[int]):
    """A number of tokens; None for one that cannot be true, whatever a server says."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> int | None:
        """What the column can hold."""
        return value if isinstance(value, int) and 0 <= value < 2**31 else None


class State(StrEnum):
    """How far a reply is, or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its process ended in the middle of it
    REQUIRES_ACTION = "requires_action"  # a call of a tool waits for a person, and the reply goes on with the answer


class CallStatus(StrEnum):
    """How far a call of a tool is, or how it ended."""

    WAITING = "waiting"  # for a person
    APPROVED = "approved"  # by a person or a rule, and not begun
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DENIED = "denied"
    EXPIRED = "expired"  # nobody answered in time
    CANCELLED = "cancelled"  # the reply was stopped, or the person wrote something else


# What people read of a reply that ended neither well nor in an error.
STATE_NOTES = {
    State.STOPPED: "Stopped",
    State.INTERRUPTED: "Interrupted: the program ended in the middle of this reply",
    State.REQUIRES_ACTION: "Waits for your answer",
}
LIVE = (State.WAITING, State.RUNNING)
IS_LIVE = "state IN ('waiting', 'running')"
IS_OPEN = "status IN ('waiting', 'running')"
IS_OUTSIDE = "project_id IS NULL"  # of a conversation in no project


def _fold_inserted(context: Any) -> str | None:
    """A new message's words, whoever inserts it."""
    return searched_words(context.get_current_parameters().get("text") or "")


def _fold_asked(context: Any) -> str | None:
    """A new call's words, whoever inserts it."""
    given = context.get_current_parameters()
    return searched_call(given["arguments"], given.get("result"))


class Base(DeclarativeBase):
    """Base of all tables, with their metadata."""


class Conversation(Base):
    """`id` is 128 random bits; `head` is the last message of the branch that is shown."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index("conversation_listing", "owner", "pinned", "updated"),
        Index("conversation_of_project", "project_id", "pinned", "updated"),
        Index(
            "conversation_outside",
            *("owner", "pinned", "updated"),
            sqlite_where=text(IS_OUTSIDE),
            postgresql_where=text(IS_OUTSIDE),
        ),
    )

    id: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200))
    kind: Mapped[str] = mapped_column(CleanString(16), default="chat")  # or "compare": one question, several replies
    title: Mapped[str] = mapped_column(CleanText, default="")
    created: Mapped[float] = mapped_column(Double)
    updated: Mapped[float] = mapped_column(Double)
    pinned: Mapped[bool] = mapped_column(Boolean, default=False)
    head: Mapped[int | None] = mapped_column(RowId)
    system: Mapped[str | None] = mapped_column(CleanText)  # this conversation's own system prompt; None: the usual one
    imported: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # a file brought `system`
    persona: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # slug, name, description, sentences
    whole: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=false()
    )  # its documents are read whole, where they fit
    backend: Mapped[str | None] = mapped_column(CleanText)  # what was picked to answer; None: the usual one
    model: Mapped[str | None] = mapped_column(CleanText)  # and which model of its server
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # what an import brought beside
    tools: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # names of those that are switched on
    grants: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))  # by tool: always, or never
    reasoning_effort: Mapped[str | None] = mapped_column(CleanString(16))  # of `backends.EFFORTS`; None: as they do
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id", ondelete="SET NULL"))


class Message(Base):
    """One message; `parent_id` is the one before, and messages of one parent are each other's branches."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_of_conversation", "conversation_id", "id"),
        Index("message_parent", "parent_id"),
        Index("message_live", "heartbeat", sqlite_where=text(IS_LIVE), postgresql_where=text(IS_LIVE)),
        {"sqlite_autoincrement": True},  # the number of a deleted message is never given again
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    role: Mapped[str] = mapped_column(CleanString(16))  # user, assistant; system and tool in imports
    text: Mapped[str] = mapped_column(CleanText, default="")
    folded: Mapped[str | None] = mapped_column(CleanText, deferred=True, default=_fold_inserted)  # for the search alone
    created: Mapped[float] = mapped_column(Double)
    state: Mapped[str] = mapped_column(String(16), default=State.DONE)
    backend: Mapped[str | None] = mapped_column(CleanText)
    model: Mapped[str | None] = mapped_column(CleanText)
    prompt_tokens: Mapped[int | None] = mapped_column(TokenCount)
    completion_tokens: Mapped[int | None] = mapped_column(TokenCount)
    counted: Mapped[bool] = mapped_column(Boolean, default=False)  # the engine's or server's own count of tokens
    estimated: Mapped[bool] = mapped_column(Boolean, default=False)  # prompt_tokens is an estimate
    ttft_ms: Mapped[float | None] = mapped_column(Double)
    duration_ms: Mapped[float | None] = mapped_column(Double)
    tokens_per_second: Mapped[float | None] = mapped_column(Double)
    stop_reason: Mapped[str | None] = mapped_column(CleanText)
    thinking: Mapped[str | None] = mapped_column(CleanText)  # of the model, before it answered
    thinking_folded: Mapped[str | None] = mapped_column(CleanText, deferred=True)  # for the search alone
    thinking_tokens: Mapped[int | None] = mapped_column(TokenCount)
    thinking_ms: Mapped[float | None] = mapped_column(Double)
    retries: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str | None] = mapped_column(CleanText)
    window: Mapped[int | None] = mapped_column(TokenCount)  # the model's, in tokens
    dropped: Mapped[int] = mapped_column(Integer, default=0)  # messages before this one that the model did not see
    process: Mapped[str | None] = mapped_column(String(100))  # who writes this reply, while it is live
    heartbeat: Mapped[float | None] = mapped_column(Double)
    stopping: Mapped[bool] = mapped_column(Boolean, default=False)  # somebody asked the process to stop it
    answering: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=false()
    )  # and to end its thinking, and answer
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # what an import brought beside
    imported: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # a file brought it

    @property
    def live(self) -> bool:
        """Whether a process still writes this reply."""
        return self.state in LIVE

    @property
    def only_thought(self) -> bool:
        """Whether it has thought, and not said a word."""
        return bool(self.thinking and not self.text)

    @property
    def hidden(self) -> bool:
        """Whether an import brought it as one that nobody is shown: it is neither drawn nor sent to a model."""
        return (self.extra or {}).get("hidden") is True


class ToolCall(Base):
    """A call of a tool in a reply, what became of it, and who decided that.

    `step` counts the model's answers in the reply, from 0: calls of one step were asked together, after `position`
    characters of the text and `thought` of what was thought. `strange`: its result may hold words of strangers.
    `passage` is what stood last of such words in the window when a person was asked: `source` and `text`.
    """

    __tablename__ = "tool_call"
    __table_args__ = (
        Index("tool_call_open", "message_id", sqlite_where=text(IS_OPEN), postgresql_where=text(IS_OPEN)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    step: Mapped[int] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(Integer)
    thought: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    call_id: Mapped[str] = mapped_column(CleanText)  # the model's own name for it
    name: Mapped[str] = mapped_column(CleanText)
    origin: Mapped[str] = mapped_column(CleanText, default="")  # of the tool: ours, or the server's name
    arguments: Mapped[str] = mapped_column(CleanText)  # JSON; of a call that nobody could read as the model wrote it
    result: Mapped[str | None] = mapped_column(CleanText)
    folded: Mapped[str | None] = mapped_column(CleanText, deferred=True, default=_fold_asked)  # for the search alone
    status: Mapped[str] = mapped_column(String(16))
    strange: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    passage: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    asked: Mapped[float] = mapped_column(Double)
    expires: Mapped[float | None] = mapped_column(Double)
    decided: Mapped[float | None] = mapped_column(Double)
    finished: Mapped[float | None] = mapped_column(Double)
    decided_by: Mapped[str | None] = mapped_column(CleanString(24))  # page, terminal, api, sms, always, never, nobody

    @property
    def waiting(self) -> bool:
        """Whether it waits for a person."""
        return self.status == CallStatus.WAITING

    @property
    def seconds(self) -> float | None:
        """How long it ran; None where it did not."""
        if self.finished is None or self.status not in {CallStatus.DONE, CallStatus.FAILED}:
            return None
        return max(0.0, self.finished - (self.decided or self.asked))


class Feedback(Base):
    """What somebody thinks of a reply: 1 or -1, and why."""

    __tablename__ = "feedback"

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str] = mapped_column(CleanText, default="")
    created: Mapped[float] = mapped_column(Double)


class Summary(Base):
    """What stands for the messages up to and with `message_id`, written by a backend in one counted call."""

    __tablename__ = "summary"

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    messages: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(CleanText)
    created: Mapped[float] = mapped_column(Double)
    backend: Mapped[str | None] = mapped_column(CleanText)
    model: Mapped[str | None] = mapped_column(CleanText)
    prompt_tokens: Mapped[int | None] = mapped_column(TokenCount)
    completion_tokens: Mapped[int | None] = mapped_column(TokenCount)
    duration_ms: Mapped[float | None] = mapped_column(Double)


class Document(Base):
    """A file that somebody gave to a conversation or a project, or to the API without; `text` is read where asked for.

    `embedding` names what makes the vectors of its passages, None where nothing does; `vectors` of them have one.
    """

    __tablename__ = "document"

    id: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200), index=True)
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(CleanText)
    kind: Mapped[str] = mapped_column(CleanString(16))
    bytes: Mapped[int] = mapped_column(BigInteger)
    pages: Mapped[int | None] = mapped_column(Integer)  # None: its kind has none
    passages: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(CleanText, deferred=True)
    embedding: Mapped[str | None] = mapped_column(CleanText)
    vectors: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created: Mapped[float] = mapped_column(Double)


class Passage(Base):
    """A piece of a document: `text` is the document's text from `start` to `end`; `page` counts from 1.

    `place` is where it stands, in words, None where its document's kind has no places. `region` holds the boxes of its
    lines (left, top, right, bottom, as shares of the page), where it was read from a picture.
    """

    __tablename__ = "passage"

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"), index=True)
    page: Mapped[int | None] = mapped_column(Integer)
    place: Mapped[str | None] = mapped_column(CleanText)
    start: Mapped[int] = mapped_column(Integer)
    end: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(CleanText)
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)  # 32-bit floats, of length 1
    region: Mapped[list[list[float]] | None] = mapped_column(JSON(none_as_null=True))


class Citation(Base):
    """A passage that stood in the prompt of a reply: as number `rank`, from 1. Its words go with the document."""

    __tablename__ = "citation"

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    rank: Mapped[int] = mapped_column(Integer, primary_key=True)
    passage_id: Mapped[int] = mapped_column(ForeignKey("passage.id", ondelete="CASCADE"), index=True)
    score: Mapped[float] = mapped_column(Double)


class SavedPersona(Base):
    """A persona that somebody saved for himself; `imported`: a file brought it, which a stranger may have written."""

    __tablename__ = "persona"

    owner: Mapped[str] = mapped_column(CleanString(200), primary_key=True)
    slug: Mapped[str] = mapped_column(CleanString(80), primary_key=True)
    name: Mapped[str] = mapped_column(CleanText)
    description: Mapped[str] = mapped_column(CleanText)
    sentences: Mapped[list[str]] = mapped_column(JSON)
    created: Mapped[float] = mapped_column(Double)
    imported: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class StoredResponse(Base):
    """A response that the API keeps until `expires`; `body` is what its client got, `previous_id` the one before it.

    `message_id` is the reply that it tells, where tools of this server were called: then it is one of a conversation.
    """

    __tablename__ = "response"

    id: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200), index=True)
    previous_id: Mapped[str | None] = mapped_column(CleanString(64))
    created: Mapped[float] = mapped_column(Double)
    expires: Mapped[float] = mapped_column(Double, index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)


class ResponseItem(Base):
    """An item of a response, in order, input before output; `item_id` is None for one whose id its client made up."""

    __tablename__ = "response_item"

    number: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), index=True)
    item_id: Mapped[str | None] = mapped_column(CleanString(64), index=True)
    is_output: Mapped[bool] = mapped_column(Boolean)
    item: Mapped[dict[str, Any]] = mapped_column(JSON)


class Counter(Base):
    """What somebody has used of a limit until `expires`; `key` holds a hash of who he is."""

    __tablename__ = "counter"
    __table_args__ = (Index("counter_expires", "expires"),)

    key: Mapped[str] = mapped_column(CleanString(200), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[float] = mapped_column(Double)
