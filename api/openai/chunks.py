"""The events of a streamed answer that may hold several replies, as chat and completions send them.

Knows an answer's frame; what a piece of text looks like in it says its route.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from api.openai.choices import Choices, FinishReason, finish_reason
from api.openai.request import CompletionRequest
from api.openai.sse import DONE, Line, merge_pieces, sse_event

RenderText = Callable[[str | None], dict[str, Any]]


async def completion_chunks(
    body: CompletionRequest,
    choices: Choices,
    top: dict[str, Any],
    said: RenderText,
    opening: dict[str, Any] | None = None,
) -> AsyncIterator[str]:
    """`top` stands in each; `said` gives what a choice holds of a text, or of none at its end. Raises ApiError.

    `opening` is what each choice holds before its first text; the last chunk of each tells the sources.
    """
    unknown = {"usage": None} if body.include_usage else {}

    def chunk(number: int, held: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        choice = {"index": number, **held, "logprobs": None, "finish_reason": finish}
        return {**top, "choices": [choice], **unknown}

    def last(number: int) -> dict[str, Any]:
        sources = choices.sources()
        shown = {} if sources is None else {"sources": [source.model_dump() for source in sources]}
        return {**chunk(number, said(None), finish_reason(choices.replies[number])), **shown}

    def piece_of(number: int, text: str) -> dict[str, Any]:
        return chunk(number, said(text))

    count = range(len(choices.replies))
    lines = [Line(partial(piece_of, number)) for number in count]
    if opening is not None:
        yield "".join(sse_event(chunk(number, opening)) for number in count)
    async for number, piece in merge_pieces(choices.job):
        yield lines[number].of(piece) if piece else sse_event(last(number))
    if body.include_usage:
        yield sse_event({**top, "choices": [], "usage": choices.usage().model_dump()})
    yield DONE
