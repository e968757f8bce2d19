"""What fits: drops the oldest whole turns, keeps the system prompt and the newest message, and says how many went.

More go at once than have to (`chains/cut.py` says which), so that the next prompts begin as this one does. Passages of
files take up to half of the room; whole files, where somebody asks for them, all that the newest question leaves.

Knows messages and counts; nothing of the model but its window and how it counts.
"""

import asyncio
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool

import backends
from backends import RemoteModel, vision
from chains.cut import Cut, lasting_cut
from chains.passages import insert, place_whole
from chains.results import cut_results, tool_tokens

SMALL = 10**9  # parameters up to which a model is small
FEW = 3  # passages that a small model reads: docs/figures.md has how often it answers rightly from more
REPLY = 256  # tokens kept free for the reply where nobody set MAX_TOKENS


class Fitted(NamedTuple):
    """The messages that go to the model; how many turns, and messages, of the conversation do not.

    `passages` are those of files that stand in them, of `matches`; `tokens` are the prompt's, where it was counted.
    `whole`: they are the whole files; `excess` is how many tokens these are too long for that, where somebody asked.
    """

    messages: list[BaseMessage]
    dropped: int = 0
    dropped_messages: int = 0
    passages: Sequence[Document] = ()
    matches: int = 0
    tokens: int | None = None
    whole: bool = False
    excess: int | None = None


Fit = Callable[[BaseChatModel, Sequence[BaseMessage], int | None], Fitted]


def size(model: BaseChatModel) -> int | None:
    """The window in tokens, None where it is not known."""
    limit = (model.profile or {}).get("max_input_tokens")
    return int(limit) if limit else None


def is_small(model: BaseChatModel) -> bool:
    """Whether a model in this process is known to have few parameters."""
    parameters = getattr(model, "parameters", None)
    return isinstance(parameters, int) and parameters < SMALL


def counts_exactly(model: BaseChatModel) -> bool:
    """Whether `count` is the model's own; otherwise it is an estimate."""
    return bool(getattr(model, "exact_count", False))


def prompt_tokens(model: BaseChatModel | None, messages: Sequence[BaseMessage], reported: int | None) -> int:
    """Tokens of a prompt as its reply reported them, else as `model` counts them; 0 where it is not loaded."""
    if reported or model is None:
        return reported or 0
    return estimate(model, messages)


def count(model: BaseChatModel, messages: Sequence[BaseMessage]) -> int:
    """Tokens of a prompt; of a model at a server the server may be asked, and the thread waits for it."""
    return model.count_tokens(messages) if isinstance(model, RemoteModel) else estimate(model, messages)


def count_with_tools(model: BaseChatModel, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> int:
    """Tokens of a prompt with these tools in it, as OpenAI has them; the thread may wait as for `count`."""
    if counts_exactly(model):
        return model.get_num_tokens_from_messages(list(messages), tools=[dict(tool) for tool in tools] or None)
    beside = sum(estimate_tokens(json.dumps(tool, ensure_ascii=False)) for tool in tools)
    return count(model, messages) + beside


def estimate(model: BaseChatModel, messages: Sequence[BaseMessage]) -> int:
    """Tokens of a prompt, exactly where the model is here; nothing is fetched for it."""
    if counts_exactly(model) or isinstance(model, RemoteModel):
        return model.get_num_tokens_from_messages(list(messages))
    return count_tokens_approximately(messages, tokens_per_image=0) + vision.picture_tokens(messages)


def estimate_tokens(text: str) -> int:
    """An estimate of the tokens of a text: a quarter of its bytes, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def room(model: BaseChatModel, reply: int | None = None) -> int | None:
    """Tokens for the prompt beside a reply of `reply` (at most half of the window); None where nobody knows."""
    window = size(model)
    return None if window is None else window - min(reply or REPLY, window // 2)


def insert_passages(model: BaseChatModel, messages: Sequence[BaseMessage], reply: int | None = None) -> Fitted:
    """All messages, with as many passages as leave half of the room to earlier messages, and `reply` tokens free."""
    fitted = _inserted(model, messages, room(model, reply))
    return fitted._replace(messages=place_whole(fitted.messages, fitted.passages)) if fitted.whole else fitted


def _inserted(model: BaseChatModel, messages: Sequence[BaseMessage], free: int | None) -> Fitted:
    inserted = insert(messages, partial(count, model), free, FEW if is_small(model) else None)
    _, passages, matches, whole, excess = inserted
    return Fitted(inserted.messages, passages=passages, matches=matches, whole=whole, excess=excess)


def fit(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    reply: int | None = None,
    *,
    before: int | None = None,
    cut: Cut = lasting_cut,
) -> Fitted:
    """The newest turns that leave `reply` tokens free (at most half of the window), and the best passages.

    `before`: how many messages of the history the prompt before was without; None where nobody remembers.
    """
    free = room(model, reply)
    if free is None:
        return insert_passages(model, messages, reply)
    fitted = _inserted(model, messages, free)
    head = [m for m in fitted.messages[:1] if m.type == "system"]
    body = fitted.messages[len(head) :]
    turns = sorted({0, *(i for i, m in enumerate(body) if m.type == "human")})
    counted: dict[int, int] = {}

    def prompt(turn: int) -> list[BaseMessage]:
        said = body[turns[turn] :]
        return [*head, *(place_whole(said, fitted.passages) if fitted.whole else said)]

    def fits(turn: int) -> bool:
        counted[turn] = count(model, prompt(turn))
        return counted[turn] <= free

    # 1. The newest turn is kept whatever it takes; from it back in growing steps: what is long ago is never counted.
    first, step = len(turns) - 1, 1
    while first and fits(max(0, first - step)):
        first, step = max(0, first - step), step * 2
    # 2. Between the last step that fitted and the first that did not, the oldest turn that fits.
    first = bisect_left(range(first), True, max(0, first - step + 1), key=fits)
    # 3. From there on, a turn at which the next prompts can be cut as well.
    if first:
        ends = [*turns[first + 1 :], len(body)]
        sizes = [_text_tokens(body[start:end]) for start, end in zip(turns[first:], ends, strict=True)]
        first = cut(first, sizes, None if before is None else bisect_left(turns, before))
    kept, tokens = prompt(first), counted.get(first)
    return fitted._replace(messages=kept, dropped=first, dropped_messages=turns[first], tokens=tokens)


def _text_tokens(messages: Sequence[BaseMessage]) -> int:
    """An estimate of the tokens of what messages say and show."""
    return sum(estimate_tokens(str(message.text)) for message in messages) + vision.picture_tokens(messages)


def window(
    model: BaseChatModel,
    reply: int | None = None,
    fit: Fit = fit,
    hidden: Sequence[int] = (),
    name: str | None = None,
    tools: Sequence[BaseTool] = (),
) -> RunnableLambda[PromptValue, list[BaseMessage]]:
    """The runnable before the model; it reports a `window` event with `dropped_turns` and `window`.

    `hidden` are the messages of the conversation that the model does not see where the first 0, 1, 2… of the prompt's
    are dropped: a summary stands for some, and others (a failed reply) are in no prompt. Without it they are those
    dropped. `name` is that of another model at the model's server. `tools` stand in the prompt as well, and results of
    calls that do not fit are cut. Runs in an event loop only, as every reply does.
    """
    kept_free = tool_tokens(tools) if tools else 0

    async def cut(prompt: PromptValue, config: RunnableConfig) -> list[BaseMessage]:
        measured = await backends.measured(model, name)
        messages = prompt.to_messages()
        if tools:
            messages = cut_results(messages, room(measured, (reply or REPLY) + kept_free), partial(estimate, measured))
        fitting = partial(_fit_counted, measured, fit, messages, reply, kept_free)
        fitted = await asyncio.to_thread(fitting) if isinstance(measured, RemoteModel) else fitting()
        await adispatch_custom_event("window", _event(measured, fitted, hidden), config=config)
        return fitted.messages

    return RunnableLambda(cut, name="window")


def _fit_counted(
    model: BaseChatModel, fit: Fit, messages: Sequence[BaseMessage], reply: int | None, beside: int
) -> Fitted:
    """What fits beside so many tokens of tools, with its tokens."""
    fitted = fit(model, messages, (reply or REPLY) + beside if beside else reply)
    tokens = count(model, fitted.messages) if fitted.tokens is None else fitted.tokens
    return fitted._replace(tokens=tokens + beside)


def _event(model: BaseChatModel, fitted: Fitted, hidden: Sequence[int]) -> dict[str, Any]:
    return {
        "dropped_turns": fitted.dropped,
        "dropped_messages": hidden[fitted.dropped_messages] if hidden else fitted.dropped_messages,
        "window": size(model),
        "prompt_tokens": fitted.tokens,
        "estimated": not counts_exactly(model),
        "passages": fitted.passages,
        "matches": fitted.matches,
        "whole": fitted.whole,
        "excess": fitted.excess,
    }
