"""How an engine sees: what its projector makes of pictures, put into a context in the place of tokens.

Knows places of a prompt and a context; nothing of who asks.
"""

from collections.abc import Iterable

from langchain_core.exceptions import ModelError, ModelInvalidRequestError

from backends.llama.batch import Chunk, PictureBatch
from backends.llama.context import BATCH, Context
from backends.llama.projector import Projector, View
from backends.llama.slot import Slot
from backends.local.picture import Picture, PlacedView

PAUSE = 0.05  # seconds to wait for a picture, until it is looked at who came and left


class Sight:
    """The eyes of an engine, if it has any; else why not."""

    def __init__(self, projector: Projector | None, reason: str | None) -> None:
        """`reason`: why there is no projector."""
        self.projector, self.blindness = projector, None if projector else reason

    @property
    def has_sides(self) -> bool:
        """Whether the tokens of a picture stand beside and below each other."""
        return self.projector is not None and self.projector.has_sides

    def look(self, data: bytes) -> Picture:
        """What stands for a picture in a prompt. Raises ModelInvalidRequestError, ModelAPIError."""
        if self.projector is None:
            raise ModelInvalidRequestError(self.blindness)
        return self.projector.look(data)

    def encode(self, slot: Slot) -> None:
        """Have what a slot is still to see computed."""
        if self.projector is not None:
            for seen in _unseen(slot):
                self.projector.encode(seen.view)

    def close(self) -> None:
        """Give the memory back, after what is being encoded."""
        if self.projector is not None:
            self.projector.close()


def next_piece(slot: Slot, longest: int) -> Chunk | None:
    """At most `longest` tokens of a prompt that come next; None where a picture among them is not encoded yet.

    Text and pictures are computed apart, and some models compute all of a picture at once.
    """
    at, seen = len(slot.past), next(iter(_unseen(slot)), None)
    if seen is None:
        return Chunk(slot, slot.pending[:longest])
    if seen.start > at:
        return Chunk(slot, slot.pending[: min(longest, seen.start - at)])
    if seen.view.embeddings is None:
        return None
    length = seen.end - at if seen.view.is_whole else min(longest, seen.end - at)
    return Chunk(slot, slot.pending[:length], 0, seen)


def decode(context: Context, chunk: Chunk) -> tuple[int, int]:
    """Decode what a chunk shows; llama.cpp's status, and the last row."""
    slot, seen = chunk.slot, chunk.seen
    assert seen is not None
    first, last = len(slot.past) - seen.start, len(slot.past) - seen.start + len(chunk.tokens)
    places = seen.view.places(context.place(slot.past[: seen.start]))
    status, end = 0, first
    while status == 0 and end < last:
        begin, end = end, min(end + BATCH, last)
        rows, at = seen.view.embeddings[begin:end], places[:, begin:end]
        batch = PictureBatch(rows, at, slot.number, logits=chunk.is_last and end == last)
        status = context.decode_picture(batch, is_causal=seen.view.is_causal)
    return status, (last - first - 1) % BATCH


def failure(slot: Slot) -> ModelError | None:
    """Why a picture that a slot is still to see cannot be encoded."""
    return next((seen.view.error for seen in _unseen(slot) if seen.view.error is not None), None)


def wait(slots: Iterable[Slot]) -> None:
    """Wait a little for a picture without which one of these does not go on, if there is one."""
    coming = (seen for slot in slots for seen in _unseen(slot)[:1] if seen.start <= len(slot.past))
    view: View | None = next((seen.view for seen in coming if not seen.view.is_done.is_set()), None)
    if view is not None:
        view.is_done.wait(PAUSE)


def _unseen(slot: Slot) -> list[PlacedView]:
    """What of the pictures in its prompt is not computed for a slot, in order."""
    views = () if slot.request is None else slot.request.views
    return [each for each in views if each.end > len(slot.past)]
