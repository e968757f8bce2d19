"""What fits: drops the oldest whole turns, keeps the system prompt and the newest message, and says how many went.

Knows messages and counts; nothing of the model but its window and how it counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableLambda

REPLY = 256  # tokens kept free for the reply where nobody set MAX_TOKENS


class Fitted(NamedTuple):
    """The messages that go to the model, and how many turns of the conversation do not."""

    messages: list[BaseMessage]
    dropped: int


def size(model: BaseChatModel) -> int | None:
    """The window in tokens, None where it is not known."""
    found = (model.profile or {}).get("max_input_tokens")
    return int(found) if found else None


def exact(model: BaseChatModel) -> bool:
    """Whether `count` is the model's own; otherwise it is an estimate."""
    return bool(getattr(model, "exact_count", False))


def count(model: BaseChatModel, messages: Sequence[BaseMessage]) -> int:
    """Tokens of a prompt; nothing is fetched for it."""
    return model.get_num_tokens_from_messages(list(messages)) if exact(model) else count_tokens_approximately(messages)


def fit(model: BaseChatModel, messages: Sequence[BaseMessage], reply: int | None = None) -> Fitted:
    """The newest turns that leave `reply` tokens free (at most half of the window)."""
    window = size(model)
    if window is None:
        return Fitted(list(messages), 0)
    room = window - min(reply or REPLY, window // 2)
    head = [m for m in messages[:1] if m.type == "system"]
    body = list(messages[len(head) :])
    turns = sorted({0, *(i for i, m in enumerate(body) if m.type == "human")})
    low, high = 0, len(turns) - 1
    while low < high:  # the count falls with every turn dropped
        middle = (low + high) // 2
        if count(model, [*head, *body[turns[middle] :]]) <= room:
            high = middle
        else:
            low = middle + 1
    return Fitted([*head, *body[turns[low] :]], low)


def window(model: BaseChatModel, reply: int | None = None) -> RunnableLambda[PromptValue, list[BaseMessage]]:
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


def _event(model: BaseChatModel, fitted: Fitted) -> dict[str, int | bool | None]:
    used = count(model, fitted.messages)
    return {
        "dropped_turns": fitted.dropped,
        "window": size(model),
        "prompt_tokens": used,
        "estimated": not exact(model),
    }
