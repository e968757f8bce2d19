"""What tests of conversations say: whose store, with what, and waiting for the end."""

import time
from collections.abc import Callable
from typing import Any

from conversations.replies import watch
from conversations.replies.request import GenerationRequest
from conversations.store import store as stores
from conversations.store.schema import Message
from conversations.store.store import Store
from settings import Settings


def mine(owner: str = "me") -> Store:
    """The store of DATABASE_URL as this owner sees it."""
    return stores.open_store(Settings.read(), owner)


def ask(backend: str = "llamacpp", **options: Any) -> GenerationRequest:
    """What a page would ask with."""
    return GenerationRequest(Settings.read(), backend, options)


def wait_for(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """Its first true answer."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)
    return found


def over(store: Store, row: Message) -> Message:
    """The reply after its end."""
    wait_for(lambda: not watch.snapshot(store.database, row.id).live)  # type: ignore[union-attr]
    return store.message(row.id)


def grown(store: Store, row: Message, longer_than: int = 0) -> str:
    """The text of a running reply once it is longer."""

    def text() -> str | None:
        found = watch.snapshot(store.database, row.id)
        return found.text if found is not None and len(found.text) > longer_than else None

    found: str = wait_for(text)
    return found


def texts(store: Store, identity: str) -> list[str]:
    """What is said on the shown branch."""
    return [message.text for message in store.thread(identity, 10_000).messages]
