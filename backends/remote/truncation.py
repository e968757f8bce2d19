"""Whether a server read less than it was sent: some cut a prompt that is too long, and say nothing of it.

Knows prompts and the number that a server tells. Both are compared with room for any tokenizer: who is told that the
model did not see all has to be able to rely on it.
"""

import logging
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from backends.remote.estimate import estimate_tokens, fewest_tokens

log = logging.getLogger(__name__)
LARGE = 700  # tokens of a prompt: what is smaller fits everywhere
SHARE = 0.75  # of the fewest tokens that it can have
NOTICE = "notice"  # where a reply's metadata says what its reader has to know


class PromptCheck:
    """The check of one server's replies; it knows how much the server read before."""

    def __init__(self) -> None:
        self._most_read: dict[str, int] = {}  # by model

    def check(self, model: str, messages: Sequence[BaseMessage], read: int) -> str | None:
        """What the reader of a reply has to know where the server read much less than it was sent; else None.

        A server that read as much before has no smaller window: some tell only the part of a prompt that was new.
        """
        before = self._most_read.get(model, 0)
        self._most_read[model] = max(before, read)
        if read <= 0 or not was_truncated(messages, max(before, read)):
            return None
        notice = describe(read, estimate_tokens(messages))
        log.warning("openai: %s: %s", model, notice)
        return notice


def was_truncated(messages: Sequence[BaseMessage], read: int) -> bool:
    """Whether a server that read so many tokens cannot have seen all of a prompt."""
    if read >= estimate_tokens(messages):
        return False
    fewest = fewest_tokens(messages)
    return fewest >= LARGE and read < fewest * SHARE


def describe(read: int, sent: int) -> str:
    """That it did, in words for people."""
    return (
        f"The server read {read:,} of about {sent:,} tokens: its window is smaller. "
        "Give it a larger one, or set OPENAI_N_CTX."
    )
