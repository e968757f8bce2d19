"""An item of what a model thought, growing: its events by the names that OpenAI has for thoughts and for summaries.

Knows events; no route, no reply, and nothing of the other items.
"""

from collections.abc import Iterator
from typing import Any

from api.openai.items import new_id
from api.openai.response import ReasoningOutput, ReasoningText, Status, SummaryText

SUMMARIES = ("auto", "concise", "detailed")  # values of `reasoning.summary` that ask for one


class ReasoningGrowth:
    """One item: in its `content` what was thought, or in its `summary` where the client reads that."""

    def __init__(self, as_summary: bool, text: str = "") -> None:
        self.id = new_id("rs")
        self.has_ended = False
        self._as_summary, self._text, self._place = as_summary, text, 0

    def item(self, status: Status) -> ReasoningOutput:
        """The item as it stands."""
        if status == "in_progress":
            return ReasoningOutput(id=self.id, status=status, content=None if self._as_summary else [])
        if self._as_summary:
            return ReasoningOutput(id=self.id, status=status, summary=[SummaryText(text=self._text)])
        return ReasoningOutput(id=self.id, status=status, content=[ReasoningText(text=self._text)])

    def begin(self, place: int) -> dict[str, Any]:
        """The event of its one part, at this place of the response."""
        self._place = place
        return self._event("part.added", part=self._part(""))

    def grow(self, piece: str) -> dict[str, Any]:
        """The event of a piece."""
        self._text += piece
        return self._event("text.delta", delta=piece)

    def end(self) -> Iterator[dict[str, Any]]:
        """The events of its end."""
        self.has_ended = True
        yield self._event("text.done", text=self._text)
        yield self._event("part.done", part=self._part(self._text))

    def _part(self, text: str) -> dict[str, Any]:
        return (SummaryText(text=text) if self._as_summary else ReasoningText(text=text)).model_dump()

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        position = {"item_id": self.id, "output_index": self._place}
        if self._as_summary:
            return {"type": f"response.reasoning_summary_{kind}", **position, "summary_index": 0, **fields}
        name = "content" if kind.startswith("part") else "reasoning"
        return {"type": f"response.{name}_{kind}", **position, "content_index": 0, **fields}
