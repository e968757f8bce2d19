"""The API's requests that wait or run for each backend, and when there are too many. Knows counts only."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.http.errors import ApiError

RETRY_AFTER = 5  # seconds after which a client may try again


class Queues:
    """Counts of one process; used in the server's event loop alone."""

    def __init__(self) -> None:
        self.busy: Counter[str] = Counter()

    @contextmanager
    def reserve(self, backend: str, limit: int, count: int = 1) -> Iterator[None]:
        """Hold `count` of `limit` places while the block runs. Raises ApiError 503 at once where they are too many."""
        if self.busy[backend] + count > limit:
            raise ApiError(
                503,
                f"{self.busy[backend]} requests wait for {backend} already. Try again in {RETRY_AFTER} seconds.",
                code="queue_full",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        self.busy[backend] += count
        try:
            yield
        finally:
            self.busy[backend] -= count
