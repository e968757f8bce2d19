"""The conversation of one phone number, which itself is never kept: a keyed hash stands for it. Knows tables only.

The messages that Twilio sent are known by their ids, so that one that it sends again, to whichever worker, counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from api.http.personas import other_persona
from api.http.state import AppState
from conversations.replies import GenerationRequest, Reply, approval, turn, watch
from conversations.store import (
    Conversation,
    Decision,
    Message,
    NotFoundError,
    Store,
    ToolCall,
    check_message,
    new_conversation_id,
)
from prompts.persona import Persona

SEEN = "messages"  # where a conversation's `extra` holds the ids of the last ones
MAX_SEEN = 50


class DuplicateMessageError(Exception):
    """The message came before."""


@dataclass(frozen=True)
class PhoneChat:
    """The conversation of an owner; a new one gets `conversation_id`, so that two workers make one and the same."""

    store: Store
    conversation_id: str
    tools: Sequence[str] = ()

    def send(self, message: str, sid: str, request: GenerationRequest) -> tuple[int, Reply]:
        """Add a message; returns the id of its reply, and the reply. Raises DuplicateMessageError, MessageError."""
        check_message(message)
        row, reply = turn.start_turn(self.store, self.admit(sid), message, request)
        return row.id, reply

    def answer(self, sid: str, decision: Decision, request: GenerationRequest) -> tuple[int, Reply | None]:
        """Answer the oldest call that waits; returns the id of its reply, and the reply where it goes on.

        Raises DuplicateMessageError, AnsweredError, NotFoundError where none waits any more.
        """
        waiting = self.waiting_calls(self.admit(sid))
        if not waiting:
            raise NotFoundError("No call of a tool waits for you.")
        row, reply = approval.answer(self.store, waiting[0].id, decision, "sms", request)
        return row.id, reply

    def waiting_calls(self, conversation_id: str | None = None) -> list[ToolCall]:
        """The calls that wait for whoever has this phone, the oldest first."""
        return self.store.waiting_calls(conversation_id)

    def restart(self, sid: str) -> Persona:
        """Forget all messages; returns the other persona that speaks from now on. Raises DuplicateMessageError."""
        conversation_id = self.admit(sid)
        before = self.store.get(conversation_id).persona
        persona = other_persona(before["slug"] if before else None)
        watch.stop_all(self.store, conversation_id)
        self.store.clear(conversation_id, persona=persona.to_dict())
        return persona

    def last_reply(self) -> Message | None:
        """The last reply, as far as it is written."""
        conversation = next(iter(self.store.listing(1)), None)
        if conversation is None or conversation.head is None:
            return None
        return self.store.message(conversation.head)

    def admit(self, sid: str) -> str:
        """The conversation's id, after it has noted this message; one is created where there is none.

        Raises DuplicateMessageError.
        """
        try:
            return self._admit(sid, self.conversation_id)
        except IntegrityError:  # another worker was faster, or the id came into somebody else's hands by an import
            return self._admit(sid, new_conversation_id())

    def _admit(self, sid: str, new_id: str) -> str:
        with self.store.database.writing() as session:
            newest = self.store.query().order_by(Conversation.updated.desc()).limit(1).with_for_update()
            conversation = session.scalars(newest).first()
            if conversation is None:
                persona = other_persona(None).to_dict()
                conversation = self.store.create(session, id=new_id, persona=persona)
            conversation.tools = list(self.tools) or None
            extra = conversation.extra or {}
            seen = list(extra.get(SEEN, []))
            if sid in seen:
                raise DuplicateMessageError
            if sid:
                conversation.extra = {**extra, SEEN: [*seen, sid][-MAX_SEEN:]}
            return conversation.id


def phone_chat(state: AppState, owner: str) -> PhoneChat:
    """The chat of this owner."""
    return PhoneChat(Store(state.database, owner), state.pseudonyms.of("conversation", owner), state.sms.sms_tools)
