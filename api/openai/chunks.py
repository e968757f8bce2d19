"""The events of a streamed answer that may hold several replies, as chat and completions send them.

Knows an answer's frame; its route says what a piece of text looks like in it.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

from api.http.sse import DONE, merge_pieces, sse_event
from api.openai.choices import Choices, FinishReason, finish_reason
from api.openai.request import CompletionRequest

RenderText = Callable[[str | None], dict[str, Any]]


async def completion_chunks(
    body: CompletionRequest,
    choices: Choices,
    envelope: dict[str, Any],
    render: RenderText,
    opening: dict[str, Any] | None = None,
) -> AsyncIterator[str]:
    """The chunks of all choices, then usage where it is wanted, then `[DONE]`.

    Each chunk has the fields of `envelope`; `render` gives a choice's fields for a piece of text, or for None at its
    end; `opening` are those before its first text. The last chunk of a choice has the sources. Raises ApiError.
    """
    no_usage = {"usage": None} if body.include_usage else {}

    def chunk(number: int, fields: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        choice = {"index": number, **fields, "logprobs": None, "finish_reason": finish}
        return {**envelope, "choices": [choice], **no_usage}

    def last_chunk(number: int) -> dict[str, Any]:
        sources = choices.sources()
        extra: dict[str, Any] = {} if sources is None else {"sources": [source.model_dump() for source in sources]}
        if notice := choices.notice():
            extra["notice"] = notice
        return {**chunk(number, _annotate(render(None), number), finish_reason(choices.replies[number])), **extra}

    def _annotate(fields: dict[str, Any], number: int) -> dict[str, Any]:
        annotations = choices.annotations(number)
        if annotations is None:
            return fields
        return {**fields, "delta": {"annotations": [each.model_dump() for each in annotations]}}

    if opening is not None:
        yield "".join(sse_event(chunk(number, opening)) for number in range(len(choices.replies)))
    async for number, piece in merge_pieces(choices.job):
        yield sse_event(chunk(number, render(piece)) if piece else last_chunk(number))
    if body.include_usage:
        yield sse_event({**envelope, "choices": [], "usage": choices.usage().model_dump()})
    yield DONE
