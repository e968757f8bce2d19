"""The conversation of one phone number, which itself is never kept: a keyed hash stands for it. Knows tables only.

The messages that Twilio sent are known by their ids, so that one that it sends again, to whichever worker, counts once.
"""

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from api.http.personas import other_persona
from api.http.state import AppState
from conversations.replies import GenerationRequest, Reply, persona_to_dict, turn, watch
from conversations.store import (
    Conversation,
    Message,
    Store,
    check_message,
    new_conversation_id,
)
from prompts.persona import Persona

SEEN = "messages"  # where a conversation's `extra` holds the ids of the last ones
REMEMBERED = 50


class DuplicateMessageError(Exception):
    """This message came before."""


@dataclass(frozen=True)
class PhoneChat:
    """`identity` is the conversation's id, the same for every worker, so that two of them make one."""

    store: Store
    identity: str

    def send(self, said: str, sid: str, ask: GenerationRequest) -> tuple[int, Reply]:
        """Add a message; its reply's number, and the reply. Raises SeenError, MessageError."""
        check_message(said)
        row, reply = turn.start_turn(self.store, self.admit(sid), said, ask)
        return row.id, reply

    def restart(self, sid: str) -> Persona:
        """Forget what was said; somebody else talks from now on. Raises SeenError."""
        identity = self.admit(sid)
        before = self.store.get(identity).persona
        chosen = other_persona(before["slug"] if before else None)
        watch.stop_all(self.store, identity)
        self.store.clear(identity, persona=persona_to_dict(chosen))
        return chosen

    def last_reply(self) -> Message | None:
        """The last reply, as far as it is written."""
        found = next(iter(self.store.listing(1)), None)
        return None if found is None or found.head is None else self.store.message(found.head)

    def admit(self, sid: str) -> str:
        """The conversation's id, which is begun where there is none. Raises SeenError."""
        try:
            return self._admit(sid, self.identity)
        except IntegrityError:  # another worker was faster, or the id came into somebody else's hands by an import
            return self._admit(sid, new_conversation_id())

    def _admit(self, sid: str, identity: str) -> str:
        with self.store.database.writing() as session:
            newest = self.store.query().order_by(Conversation.updated.desc()).limit(1).with_for_update()
            found = session.scalars(newest).first()
            if found is None:
                who = persona_to_dict(other_persona(None))
                found = self.store.create(session, id=identity, persona=who)
            extra = found.extra or {}
            seen = list(extra.get(SEEN, []))
            if sid in seen:
                raise DuplicateMessageError
            if sid:
                found.extra = {**extra, SEEN: [*seen, sid][-REMEMBERED:]}
            return found.id


def phone_chat(state: AppState, owner: str) -> PhoneChat:
    """Of this owner."""
    return PhoneChat(Store(state.database, owner), state.pseudonyms.of("conversation", owner))
