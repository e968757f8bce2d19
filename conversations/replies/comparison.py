"""One question and what several backends replied to it, side by side; and which reply won. Knows tables; no page."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from conversations.replies import turn
from conversations.replies.request import GenerationRequest
from conversations.store.schema import Conversation, Feedback, Message
from conversations.store.statistics import VOTE_COMMENT
from conversations.store.store import NotFoundError, Store, sweep


@dataclass
class Comparison:
    """`names` are the backends that were asked, in the order of the replies; more replies may have come since."""

    conversation_id: str
    question: Message
    replies: list[Message]
    backends: list[str] = field(default_factory=list)
    winner: int | None = None

    def backend_name(self, at: int) -> str:
        """The name of the backend that wrote, or writes, the reply at this index."""
        requested = self.backends[at] if at < len(self.backends) else ""
        return self.replies[at].backend or requested


def start(store: Store, text: str, requests: list[GenerationRequest]) -> str:
    """Put one question to all of them; the conversation's id. Raises MessageError."""
    new: dict[str, Any] = {"extra": {"compared": [request.backend for request in requests]}}
    return turn.compare(store, text, requests, new)[0].conversation_id


def read(store: Store, conversation_id: str) -> Comparison:
    """The comparison of this conversation. Raises NotFoundError, also for one that is no comparison."""
    sweep(store.database)
    with store.database.reading() as session:
        conversation: Conversation = store.conversation_row(session, conversation_id)
        messages = select(Message).where(Message.conversation_id == conversation_id)
        question = session.scalar(messages.where(Message.parent_id.is_(None)).order_by(Message.id).limit(1))
        if conversation.kind != "compare" or question is None:
            raise NotFoundError(f"There is no comparison {conversation_id!r} of yours.")
        replies = list(session.scalars(messages.where(Message.parent_id == question.id).order_by(Message.id)))
        numbers = [reply.id for reply in replies]
        won = select(Feedback.message_id).where(Feedback.message_id.in_(numbers), Feedback.comment == VOTE_COMMENT)
        names = (conversation.extra or {}).get("compared") or []
        return Comparison(conversation_id, question, replies, list(map(str, names)), session.scalar(won))


def vote(store: Store, comparison: Comparison, number: int) -> None:
    """Vote for a reply; a second vote for the winner takes the first back. Raises NotFoundError."""
    if comparison.winner is not None:
        store.rate(comparison.winner, None)
    if comparison.winner != number:
        store.rate(number, 1, VOTE_COMMENT)
