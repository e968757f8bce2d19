"""What fits: drops the oldest whole turns, keeps the system prompt and the newest message, and says how many went.

Passages of files take up to half of the room.

Knows messages and counts; nothing of the model but its window and how it counts.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableLambda

from chains.passages import insert

REPLY = 256  # tokens kept free for the reply where nobody set MAX_TOKENS


class Fitted(NamedTuple):
    """The messages that go to the model; how many turns, and messages, of the conversation do not.

    `passages` are those of files that stand in them, of `found` ones.
    """

    messages: list[BaseMessage]
    dropped: int
    dropped_messages: int = 0
    passages: Sequence[Document] = ()
    found: int = 0


Fit = Callable[[BaseChatModel, Sequence[BaseMessage], int | None], Fitted]


def size(model: BaseChatModel) -> int | None:
    """The window in tokens, None where it is not known."""
    found = (model.profile or {}).get("max_input_tokens")
    return int(found) if found else None


def counts_exactly(model: BaseChatModel) -> bool:
    """Whether `count` is the model's own; otherwise it is an estimate."""
    return bool(getattr(model, "exact_count", False))


def prompt_tokens(model: BaseChatModel | None, messages: Sequence[BaseMessage], reported: int | None) -> int:
    """Tokens of a prompt as its reply reported them, else as `model` counts them; 0 where it is not loaded."""
    if reported or model is None:
        return reported or 0
    return count(model, messages)


def count(model: BaseChatModel, messages: Sequence[BaseMessage]) -> int:
    """Tokens of a prompt; nothing is fetched for it."""
    return (
        model.get_num_tokens_from_messages(list(messages))
        if counts_exactly(model)
        else count_tokens_approximately(messages)
    )


def room(model: BaseChatModel, reply: int | None = None) -> int | None:
    """Tokens for the prompt beside a reply of `reply` (at most half of the window); None where nobody knows."""
    window = size(model)
    return None if window is None else window - min(reply or REPLY, window // 2)


def insert_passages(model: BaseChatModel, messages: Sequence[BaseMessage], reply: int | None = None) -> Fitted:
    """All messages, with as many passages as leave half of the room to what was said, and `reply` tokens free."""
    written = insert(messages, partial(count, model), room(model, reply))
    return Fitted(written.messages, 0, 0, written.passages, written.found)


def fit(model: BaseChatModel, messages: Sequence[BaseMessage], reply: int | None = None) -> Fitted:
    """The newest turns that leave `reply` tokens free (at most half of the window), and the best passages."""
    free, quoted = room(model, reply), insert_passages(model, messages, reply)
    if free is None:
        return quoted
    messages = quoted.messages
    head = [m for m in messages[:1] if m.type == "system"]
    body = list(messages[len(head) :])
    turns = sorted({0, *(i for i, m in enumerate(body) if m.type == "human")})

    def fits(turn: int) -> bool:
        return count(model, [*head, *body[turns[turn] :]]) <= free

    first, step = len(turns) - 1, 1  # the newest turn is kept whatever it takes
    while first and fits(max(0, first - step)):  # back from the end: what was said long ago is never counted
        first, step = max(0, first - step), step * 2
    first = bisect_left(range(first), True, max(0, first - step + 1), key=fits)
    return quoted._replace(messages=[*head, *body[turns[first] :]], dropped=first, dropped_messages=turns[first])


def window(
    model: BaseChatModel, reply: int | None = None, fit: Fit = fit
) -> RunnableLambda[PromptValue, list[BaseMessage]]:
    """The runnable before the model; it reports a `window` event with `dropped_turns` and `window`."""

    def plain(prompt: PromptValue, config: RunnableConfig) -> list[BaseMessage]:
        fitted = fit(model, prompt.to_messages(), reply)
        dispatch_custom_event("window", _event(model, fitted), config=config)
        return fitted.messages

    async def awaited(prompt: PromptValue, config: RunnableConfig) -> list[BaseMessage]:
        fitted = fit(model, prompt.to_messages(), reply)
        await adispatch_custom_event("window", _event(model, fitted), config=config)
        return fitted.messages

    return RunnableLambda(plain, afunc=awaited, name="window")


def _event(model: BaseChatModel, fitted: Fitted) -> dict[str, Any]:
    used = count(model, fitted.messages)
    return {
        "dropped_turns": fitted.dropped,
        "dropped_messages": fitted.dropped_messages,
        "window": size(model),
        "prompt_tokens": used,
        "estimated": not counts_exactly(model),
        "passages": fitted.passages,
        "found": fitted.found,
    }
