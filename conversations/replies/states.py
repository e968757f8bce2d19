"""What models computed for a conversation goes when something of it is deleted. Knows where it lies; no model."""

import backends
from conversations.store.database import Database
from conversations.store.store import deletion_listeners
from settings import states_folder


def forget(database: Database, conversation_id: str) -> None:
    """Have no state of a conversation left in a file, nor written from what was computed until now."""
    backends.forget_states(states_folder(database.file), conversation_id)


deletion_listeners.append(forget)
