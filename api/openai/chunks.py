"""The events of a streamed answer that may hold several replies, as chat and completions send them.

Knows an answer's frame; what a piece of text looks like in it says its route.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from api.openai.choices import Choices, Finish, finish
from api.openai.request import Order
from api.openai.sse import DONE, Line, event, pieces

Said = Callable[[str | None], dict[str, Any]]


async def chunks(
    order: Order, choices: Choices, top: dict[str, Any], said: Said, opening: dict[str, Any] | None = None
) -> AsyncIterator[str]:
    """`top` stands in each; `said` gives what a choice holds of a text, or of none at its end. Raises Problem.

    `opening` is what each choice holds before its first text; the last chunk of each tells the sources.
    """
    unknown = {"usage": None} if order.usage_wanted else {}

    def chunk(number: int, held: dict[str, Any], finish: Finish | None = None) -> dict[str, Any]:
        choice = {"index": number, **held, "logprobs": None, "finish_reason": finish}
        return {**top, "choices": [choice], **unknown}

    def last(number: int) -> dict[str, Any]:
        sources = choices.sources()
        shown = {} if sources is None else {"sources": [source.model_dump() for source in sources]}
        return {**chunk(number, said(None), finish(choices.replies[number])), **shown}

    def piece_of(number: int, text: str) -> dict[str, Any]:
        return chunk(number, said(text))

    count = range(len(choices.replies))
    lines = [Line(partial(piece_of, number)) for number in count]
    if opening is not None:
        yield "".join(event(chunk(number, opening)) for number in count)
    async for number, piece in pieces(choices.work):
        yield lines[number].of(piece) if piece else event(last(number))
    if order.usage_wanted:
        yield event({**top, "choices": [], "usage": choices.usage().model_dump()})
    yield DONE
