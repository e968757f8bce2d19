"""The chain that sums up: `prompt | model | StrOutputParser()`, and how much of a conversation goes into one call.

Stateless. Knows messages, counts and one backend by name; nothing of tables, and nothing of when it is asked.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from chains.fallback import FallbackModel
from chains.window import count
from prompts.summary import instruction, introduce
from settings import Settings

SHARE = 8  # a summary may fill this part of the window
MAX_TOKENS = 2048  # tokens, however large the window is
SPEAKERS = {"human": "User", "ai": "Assistant"}


def max_summary_tokens(window: int) -> int:
    """Tokens that a summary may have in a window of that many."""
    return max(1, min(MAX_TOKENS, window // SHARE))


def prompt(tokens: int) -> ChatPromptTemplate:
    """`{"text": str}` to what the model is asked; two tokens for a word leave it room to end its sentence."""
    max_words = max(1, tokens // 2)
    return ChatPromptTemplate.from_messages([("system", instruction()), ("human", "{text}")]).partial(
        words=str(max_words)
    )


def build(settings: Settings, backend: str, tokens: int, model: str | None = None) -> Runnable[dict[str, Any], str]:
    """The chain over `backend` alone: no other one gets to read what it did not answer."""
    alone = settings.model_copy(update={"llm_fallback": ()})
    return prompt(tokens) | FallbackModel(alone, backend, {"max_tokens": tokens}, model=model) | StrOutputParser()


def transcript(earlier: str | None, messages: Sequence[BaseMessage]) -> str:
    """What is to be summed up, as one text: the summary so far, and the messages after it with their speakers."""
    before = [introduce(earlier)] if earlier else []
    return "\n\n".join([*before, *(f"{SPEAKERS[m.type]}: {m.text}" for m in messages)])


def split_batch(
    model: BaseChatModel, window: int, tokens: int, earlier: str | None, messages: Sequence[BaseMessage]
) -> tuple[list[BaseMessage], list[BaseMessage]]:
    """As many messages as one call can read beside `earlier`, and the others; one that is too long is parted.

    Raises ContextOverflowError for a window that has no room for any.
    """

    def fits(some: Sequence[BaseMessage]) -> bool:
        request = prompt(tokens).invoke({"text": transcript(earlier, some)}).to_messages()
        return count(model, request) + tokens <= window

    fitting = _largest(len(messages), lambda number: fits(messages[:number]))
    if fitting:
        return list(messages[:fitting]), list(messages[fitting:])
    text = str(messages[0].text)
    length = _largest(len(text), lambda number: fits([_with_text(messages[0], text[:number])]))
    if not length:
        raise ContextOverflowError(f"A window of {window} tokens is too small to sum up in.")
    cut = text.rfind(" ", 0, length) + 1 or length
    return [_with_text(messages[0], text[:cut])], [_with_text(messages[0], text[cut:]), *messages[1:]]


def _with_text(message: BaseMessage, text: str) -> BaseMessage:
    return message.model_copy(update={"content": text})


def _largest(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `limit` that fits, doubling first, so that nothing much too large is counted."""
    high = 1
    while high <= limit and fits(high):
        high *= 2
    return high // 2 + bisect_left(range(high // 2 + 1, min(high, limit + 1)), True, key=lambda n: not fits(n))
