"""A conversation: what was said in turn, each turn with its reply. Knows no page and no model."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from conversations.reply import Chain, Reply, State

KEPT = 1000  # conversations in memory; the least used go first
LONGEST = 100_000  # characters of one message


class MessageError(ValueError):
    """A message that cannot be sent; the text says why."""


@dataclass
class Turn:
    """What the person wrote and the reply to it."""

    text: str
    reply: Reply


@dataclass
class Conversation:
    """Turns in order; `id` is 128 random bits, so that nobody guesses it."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    turns: list[Turn] = field(default_factory=list)
    _sending: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def send(self, text: str, chain: Chain) -> Reply:
        """Add a turn; its reply waits for the one before. Raises MessageError for an empty or over-long text."""
        if not text.strip():
            raise MessageError("The message is empty: write some text.")
        if len(text) > LONGEST:
            raise MessageError(f"The message has {len(text):,} characters; at most {LONGEST:,} can be sent.")
        with self._sending:
            before = list(self.turns)
            previous = before[-1].reply if before else None
            reply = Reply(chain, lambda: {"history": history(before), "input": text}, after=previous)
            self.turns.append(Turn(text, reply))
        keep(self)
        return reply


def history(turns: list[Turn]) -> list[BaseMessage]:
    """The messages of turns that got some answer."""
    messages: list[BaseMessage] = []
    for turn in turns:
        if turn.reply.text and turn.reply.state is not State.FAILED:
            messages += [HumanMessage(turn.text), AIMessage(turn.reply.text)]
    return messages


_conversations: OrderedDict[str, Conversation] = OrderedDict()
_lock = threading.Lock()


def keep(conversation: Conversation) -> None:
    """Remember a conversation that something was said in; the least used one goes when there are too many."""
    with _lock:
        _conversations[conversation.id] = conversation
        _conversations.move_to_end(conversation.id)
        while len(_conversations) > KEPT:
            _conversations.popitem(last=False)


def find(identity: str | None) -> Conversation | None:
    """The conversation of that id, None where this process has none."""
    with _lock:
        if identity is None or identity not in _conversations:
            return None
        _conversations.move_to_end(identity)
        return _conversations[identity]


def totals(conversation: Conversation) -> dict[str, Any]:
    """Tokens of the last prompt and reply, and the window they share."""
    for turn in reversed(conversation.turns):
        report = turn.reply.report
        if report.prompt_tokens is not None and turn.reply.state is not State.FAILED:
            used = report.prompt_tokens + (report.completion_tokens or 0)
            return {"used": used, "window": report.window, "estimated": report.estimated}
    return {"used": 0, "window": None, "estimated": False}
