"""What is told of backends: which one answers and why, and which are ready. Knows none of them."""

from typing import NamedTuple


class BackendChoice(NamedTuple):
    """The backend that answers and why; `name` is None where none can."""

    name: str | None
    reason: str


class BackendStatus(NamedTuple):
    """One backend: `problem` is None where it is ready."""

    name: str
    problem: str | None
