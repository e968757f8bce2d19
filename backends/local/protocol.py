"""What a model of this process has beside LangChain's methods. Knows no engine."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class LocalModel(Protocol):
    """What a loaded model has beside LangChain's methods where it computes in this process.

    Its call argument `max_tokens` may be REST_OF_WINDOW.
    """

    @property
    def template_origin(self) -> str:
        """Where its chat template comes from, for people."""

    @property
    def queue_length(self) -> int:
        """How many requests wait or run."""

    def close(self) -> None:
        """End what computes, and keep of it what is worth it for the next time. Requests that wait or run fail."""
