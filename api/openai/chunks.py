"""The events of a streamed answer that may hold several replies, as chat and completions send them.

Knows an answer's frame; its route says what a piece of text looks like in it.
"""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from api.http.sse import DONE, Piece, merge_pieces, sse_event
from api.openai.choices import Choices, FinishReason, finish_reason
from api.openai.request import CompletionRequest


class Writer(Protocol):
    """What a route makes of the pieces of its replies, which are known by their number."""

    def render(self, number: int, piece: Piece) -> dict[str, Any] | None:
        """A choice's fields in a chunk, for None those of its last one; None where nothing is told of a piece."""

    def offset(self, number: int) -> int:
        """How many characters stand in a reply's text before its answer."""


async def completion_chunks(
    body: CompletionRequest,
    choices: Choices,
    envelope: dict[str, Any],
    writer: Writer,
    opening: dict[str, Any] | None = None,
) -> AsyncIterator[str]:
    """The chunks of all choices, then usage where it is wanted, then `[DONE]`.

    Each chunk has the fields of `envelope`, `opening` are a choice's before its first text. The last chunk of a choice
    has the sources.

    Raises ApiError.
    """
    no_usage = {"usage": None} if body.include_usage else {}

    def chunk(number: int, fields: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        choice = {"index": number, **fields, "logprobs": None, "finish_reason": finish}
        return {**envelope, "choices": [choice], **no_usage}

    async def last_chunk(number: int) -> dict[str, Any]:
        sources = await choices.sources()
        extra: dict[str, Any] = {} if sources is None else {"sources": [source.model_dump() for source in sources]}
        if notice := choices.notice():
            extra["notice"] = notice
        fields = writer.render(number, None) or {}
        if (annotations := await choices.annotations(number, writer.offset(number))) is not None:
            fields = {
                **fields,
                "delta": {**fields["delta"], "annotations": [each.model_dump() for each in annotations]},
            }
        return {**chunk(number, fields, finish_reason(choices.replies[number])), **extra}

    if opening is not None:
        yield "".join(sse_event(chunk(number, opening)) for number in range(len(choices.replies)))
    async for number, piece in merge_pieces(choices.job):
        fields = writer.render(number, piece) if piece else {}
        if fields is not None:
            yield sse_event(chunk(number, fields) if piece else await last_chunk(number))
    if body.include_usage:
        yield sse_event({**envelope, "choices": [], "usage": choices.usage().model_dump()})
    yield DONE
