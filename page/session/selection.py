"""What replies are made with, as the pickers of a page show it. Knows a generation's request; draws nothing."""

from dataclasses import dataclass, field
from typing import Any

import backends
from conversations.replies import GenerationRequest
from page.session.context import PageContext


@dataclass
class Selection:
    """The chosen backend, the sampling options that were moved, and the model where a server offers several.

    `problem` says why this backend cannot answer, `no_summary_reason` why old messages are dropped although the
    settings ask for a summary; None where that does not hold.
    """

    backend: str | None
    problem: str | None
    options: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    ready_backends: list[str] = field(default_factory=list)
    no_summary_reason: str | None = None

    @property
    def can_answer(self) -> bool:
        """Whether a message sent now gets a reply."""
        return self.backend is not None and self.problem is None

    @property
    def computes_here(self) -> bool:
        """Whether the model runs in this process."""
        return self.backend is not None and backends.computes_here(self.backend)

    def blindness(self, context: PageContext) -> str | None:
        """Why the model cannot see pictures; None where it can, or nobody knows."""
        if not self.can_answer:
            return None
        assert self.backend is not None
        return backends.vision_error(self.backend, context.settings, self.model)

    def request(self, context: PageContext, backend: str | None) -> GenerationRequest:
        """A request to this backend, or to another, which is sent no model: its name holds for one server only."""
        assert self.backend is not None
        model = self.model if backend in {None, self.backend} else None
        return GenerationRequest(context.settings, backend or self.backend, self.options, model)
