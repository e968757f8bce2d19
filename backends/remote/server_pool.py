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

from backends.remote.errors import brief_cause
from backends.remote.retry_after import retry_after

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds that a server is left out: after its first failure, and at most
ErrorCheck = Callable[[ModelError], bool]
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Server:
    """One server as this process sees it; times are time.monotonic's, in seconds."""

    address: str
    running: int = 0  # requests of ours that it has now
    last_request: int = 0  # the number of the last request it got: who waited longest is next
    failures: int = 0  # in a row; a failure is over with the next answer
    failed_at: float = 0.0
    retry_at: float = 0.0  # left out until then
    probing: bool = False  # a first request since its failure is under way
    cause: str = ""

    def is_available(self, now: float) -> bool:
        """Whether it takes requests. After a pause it gets one, and the others when that one is answered."""
        return not self.failures or (now >= self.retry_at and not self.probing)


class ServerPool:
    """The servers and what they do now. Any thread and event loop may ask; nothing here waits."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.servers = [Server(address) for address in addresses]
        self._lock = threading.Lock()
        self._requests = 0

    def acquire(self, candidates: Iterable[Server], is_client_error: ErrorCheck, forced: bool) -> "Lease | None":
        """A lease of the least busy candidate, in turn where they are level.

        Where all are left out: of the one whose pause ends first if `forced`, else None.
        """
        with self._lock:
            now, servers = time.monotonic(), list(candidates)
            available = [server for server in servers if server.is_available(now)]
            if available:
                chosen = min(available, key=lambda server: (server.running, server.last_request))
            elif servers and forced:
                chosen = min(servers, key=lambda server: server.retry_at)
            else:
                return None
            self._requests += 1
            chosen.running, chosen.last_request = chosen.running + 1, self._requests
            chosen.probing = chosen.failures > 0
            return Lease(self, chosen, now, is_client_error)

    def release(self, lease: "Lease") -> None:
        """Count the request as over."""
        with self._lock:
            lease.server.running -= 1
            if lease.is_probe:
                lease.server.probing = False

    def mark_healthy(self, lease: "Lease") -> None:
        """Take the server in again. A request from before its failure says nothing of now."""
        server = lease.server
        with self._lock:
            if not server.failures or lease.acquired_at < server.failed_at:
                return
            server.failures, server.retry_at, server.probing = 0, 0.0, False
        log.warning("openai: %s answers again", server.address)

    def mark_failed(self, lease: "Lease", error: ModelError) -> None:
        """Leave the server out for a pause that doubles with each failure, or for as long as it asks.

        Requests that began before its last failure tell of the same one: the pause does not grow.
        """
        server, now = lease.server, time.monotonic()
        with self._lock:
            if server.failures and lease.acquired_at < server.failed_at:
                return
            server.failures, server.failed_at, server.cause = server.failures + 1, now, brief_cause(error)
            backoff = FIRST_PAUSE * 2 ** min(server.failures - 1, 10) * random.uniform(0.8, 1.2)
            pause = min(LONGEST_PAUSE, max(backoff, retry_after(error) or 0))
            server.retry_at = now + pause
        log.warning("openai: %s is left out for %.1f s: %s", server.address, pause, server.cause)


class Lease:
    """A request's place at one server, given back where the block ends, however it ends.

    A failure of the server before its first chunk ends the block silently, so that the next server can be tried.
    """

    def __init__(self, pool: ServerPool, server: Server, acquired_at: float, is_client_error: ErrorCheck) -> None:
        """`is_client_error`: whether a failure is the request's own, which no other server would mend."""
        self.server, self.acquired_at, self.is_probe = server, acquired_at, server.probing
        self.started = False
        self.error: ModelError | None = None
        self._pool, self._is_client_error = pool, is_client_error

    def mark_started(self) -> None:
        """Note that the first chunk is there: from now on nothing is tried elsewhere."""
        self.started = True
        self._pool.mark_healthy(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._pool.release(self)
        if not isinstance(error, ModelError):
            return False
        if self._is_client_error(error):
            self._pool.mark_healthy(self)
            return False
        self.error = error
        self._pool.mark_failed(self, error)
        return not self.started


class Failover:
    """One request's way from server to server: each is asked once at most."""

    def __init__(self, pool: ServerPool, servers: list[Server], is_client_error: ErrorCheck, timeout: float) -> None:
        """`timeout`: seconds after which those that are left out are not tried as well, in case the others fail."""
        self._pool, self._servers, self._is_client_error = pool, servers, is_client_error
        self._leases: list[Lease] = []
        self._deadline = time.monotonic() + timeout

    def next_lease(self) -> Lease:
        """A lease of the next server. Raises what went wrong, server by server, where there is no other."""
        tried = [lease.server for lease in self._leases]
        untried = [server for server in self._servers if server not in tried]
        forced = not tried or time.monotonic() < self._deadline
        lease = self._pool.acquire(untried, self._is_client_error, forced)
        if lease is None:
            raise self._error(untried)
        self._leases.append(lease)
        return lease

    def _error(self, untried: list[Server]) -> ModelError:
        """One error for all: of the last kind that a later try may mend, with every server's cause."""
        errors = [lease.error for lease in self._leases if lease.error is not None]
        if len(self._servers) == 1:
            return errors[-1]
        now = time.monotonic()
        causes = [str(error) for error in errors]
        for server in untried:
            pause = max(0.0, server.retry_at - now)
            causes.append(f"openai ({server.address}): left out for {pause:.0f} s more: {server.cause}.")
        last = ([error for error in errors if error.is_retryable] or errors)[-1]
        error = type(last)("\n".join([f"openai: none of the {len(self._servers)} servers answers.", *causes]))
        error.__cause__ = last
        return error
