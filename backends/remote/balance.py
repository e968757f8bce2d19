"""Which of several servers gets the next request: the one with the fewest of ours; one that failed is left out a while.

Knows addresses, counts and kinds of failure; nothing of HTTP, of messages, or of who asks.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from langchain_core.exceptions import ModelError

from backends.remote.errors import briefly
from backends.remote.retry_after import retry_after

FIRST, LONGEST = 1.0, 60.0  # seconds that a server is left out: after its first failure, and at most
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Server:
    """One server as this process sees it; times are time.monotonic's."""

    address: str
    running: int = 0  # requests of ours that it has now
    asked: int = 0  # the number of the last request it got: who waited longest is next
    failures: int = 0  # in a row; a failure is over with the next answer
    failed: float = 0.0
    until: float = 0.0  # left out until then
    trial: bool = False  # a first request since its failure is under way
    cause: str = ""

    def open(self, now: float) -> bool:
        """Whether it takes requests. After a pause it gets one, and the others when that one is answered."""
        return not self.failures or (now >= self.until and not self.trial)


class Balance:
    """The servers and what they do now. Any thread and event loop may ask; nothing here waits."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.servers = [Server(address) for address in addresses]
        self._lock = threading.Lock()
        self._requests = 0

    def take(self, among: Iterable[Server], ours: Callable[[ModelError], bool], forced: bool) -> "Place | None":
        """A place at the least busy of those, in turn where they are level.

        Where all are left out: at the one whose pause ends first if `forced`, else None.
        """
        with self._lock:
            now, left = time.monotonic(), list(among)
            fit = [server for server in left if server.open(now)]
            if not fit and not (left and forced):
                return None
            chosen = min(fit, key=lambda s: (s.running, s.asked)) if fit else min(left, key=lambda s: s.until)
            self._requests += 1
            chosen.running, chosen.asked = chosen.running + 1, self._requests
            chosen.trial = chosen.failures > 0
            return Place(self, chosen, now, ours)

    def free(self, place: "Place") -> None:
        """The request is over."""
        with self._lock:
            place.server.running -= 1
            if place.trial:
                place.server.trial = False

    def answered(self, place: "Place") -> None:
        """It works (again). What was asked before its failure says nothing of now."""
        server = place.server
        with self._lock:
            if not server.failures or place.since < server.failed:
                return
            server.failures, server.until, server.trial = 0, 0.0, False
        log.warning("openai: %s answers again", server.address)

    def failed(self, place: "Place", error: ModelError) -> None:
        """Leave it out. Requests that began before its last failure tell of the same one: the pause does not grow."""
        server, now = place.server, time.monotonic()
        with self._lock:
            if server.failures and place.since < server.failed:
                return
            server.failures, server.failed, server.cause = server.failures + 1, now, briefly(error)
            grown = FIRST * 2 ** min(server.failures - 1, 10) * random.uniform(0.8, 1.2)
            pause = min(LONGEST, max(grown, retry_after(error) or 0.0))
            server.until = now + pause
        log.warning("openai: %s is left out for %.1f s: %s", server.address, pause, server.cause)


class Place:
    """A request's place at one server, given back where the block ends, however it ends.

    A failure of the server before its first chunk ends the block silently, so that the next server can be tried.
    """

    def __init__(self, balance: Balance, server: Server, since: float, ours: Callable[[ModelError], bool]) -> None:
        """`ours`: whether a failure is the request's own."""
        self.server, self.since, self.trial = server, since, server.trial
        self.begun = False
        self.error: ModelError | None = None
        self._balance, self._ours = balance, ours

    def answered(self) -> None:
        """The first chunk is there: from now on nothing is tried elsewhere."""
        self.begun = True
        self._balance.answered(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._balance.free(self)
        if not isinstance(error, ModelError):
            return False
        if self._ours(error):
            self._balance.answered(self)
            return False
        self.error = error
        self._balance.failed(self, error)
        return not self.begun


class Way:
    """One request's way from server to server: each is asked once at most."""

    def __init__(
        self, balance: Balance, servers: list[Server], ours: Callable[[ModelError], bool], patience: float
    ) -> None:
        """`patience`: seconds after which those that are left out are not tried as well, in case the others fail."""
        self._balance, self._servers, self._ours = balance, servers, ours
        self._places: list[Place] = []
        self._end = time.monotonic() + patience

    def next(self) -> Place:
        """A place at the next server. Raises what went wrong, server by server, where there is no other."""
        tried = [place.server for place in self._places]
        left = [server for server in self._servers if server not in tried]
        place = self._balance.take(left, self._ours, forced=not tried or time.monotonic() < self._end)
        if place is None:
            raise self._failure(left)
        self._places.append(place)
        return place

    def _failure(self, left: list[Server]) -> ModelError:
        """One error for all: of the last kind that a later try may mend, with every server's cause."""
        errors = [place.error for place in self._places if place.error is not None]
        if len(self._servers) == 1:
            return errors[-1]
        now = time.monotonic()
        causes = [str(error) for error in errors]
        causes += [f"openai ({s.address}): left out for {max(0.0, s.until - now):.0f} s more: {s.cause}." for s in left]
        last = ([error for error in errors if error.is_retryable] or errors)[-1]
        failure = type(last)("\n".join([f"openai: none of the {len(self._servers)} servers answers.", *causes]))
        failure.__cause__ = last
        return failure
