"""One sequence of a context, and the request that it is computed for. Computes nothing."""

from dataclasses import dataclass, field

from backends.llama.draft import Draft
from backends.llama.sampler import Sampler
from backends.local.engine import Request


@dataclass(eq=False)
class Slot:
    """A sequence of the context: `past` are the tokens computed for it, `pending` those still to compute.

    `conversation` is the one that `past` belongs to, and that came `began` (seconds of the epoch); None where it may be
    kept in memory alone. Its last request `ended` then, by the monotonic clock, or a try to write what it left.
    """

    number: int
    past: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    request: Request | None = None
    sampler: Sampler | None = None
    draft: Draft | None = None  # None where none may be made
    last_used: int = 0
    conversation: str | None = None
    began: float = 0.0
    ended: float = 0.0

    def count_prompt(self, tokens: int) -> None:
        """Count what is computed of its request's prompt."""
        if self.request is not None and not self.is_decoding:
            self.request.computed += tokens

    @property
    def reserved(self) -> int:
        """Tokens of the context that are set aside for its request."""
        return 0 if self.request is None else max(self.request.need, self.held)

    @property
    def held(self) -> int:
        """Tokens of the context that it has, and needs for its next step."""
        return len(self.past) + len(self.pending)

    @property
    def is_decoding(self) -> bool:
        """Whether the next step computes the token that was drawn last, and nothing else."""
        return self.request is not None and self.request.tokens > 0 and len(self.pending) == 1
