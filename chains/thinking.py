"""What a model thought before it answered, as its chunks tell: text, tokens, seconds. Knows LangChain's chunks only."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from langchain_core.messages import BaseMessage

KEY = "reasoning_content"  # where LangChain looks for thinking in a message's additional_kwargs
BLOCKS = ("thinking", "reasoning")  # Anthropic's and others', OpenAI's and LangChain's own


def thought(message: BaseMessage | None) -> str:
    """What is thought in a message, or in a chunk of one: beside its text, or in blocks of its content."""
    if message is None:
        return ""
    found = message.additional_kwargs.get(KEY)
    if isinstance(found, str) and found:
        return found
    blocks = message.content if isinstance(message.content, list) else ()
    return "".join(_in_block(block) for block in blocks if isinstance(block, dict) and block.get("type") in BLOCKS)


def _in_block(block: Mapping[str, Any]) -> str:
    """The words of one block: what was thought, else its summary; what is encrypted has none."""
    told = (_words(block.get(name)) for name in ("thinking", "reasoning", "content", "summary"))
    return next(filter(None, told), "")


def _words(value: Any) -> str:
    """A text, or those of a list of parts, of which each but the first is a paragraph of its own."""
    if isinstance(value, str):
        return value
    parts = [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []
    return "".join(
        ("\n\n" if at or _begins(part) else "") + str(part.get("text") or "") for at, part in enumerate(parts)
    )


def _begins(part: Mapping[str, Any]) -> bool:
    """Whether a chunk tells that another part begins."""
    return not part.get("text") and bool(part.get("index"))


def reasoning_tokens(usage: Any) -> int:
    """The tokens of thinking that a server or an engine counted; 0 where it told none."""
    return int(((usage or {}).get("output_token_details") or {}).get("reasoning") or 0)


def kept(text: str) -> dict[str, Any]:
    """The additional_kwargs of a message before which this was thought; none for nothing."""
    return {KEY: text} if text else {}


@dataclass
class Thinking:
    """Grows while a reply is made. Times are monotonic seconds.

    `tokens_before` and `seconds_before` are those of what was thought before calls of tools, and by a try that this
    one goes on with.
    """

    text: str = ""
    tokens: int = 0
    began: float | None = None
    ended: float | None = None
    counted: bool = False  # whether the tokens are the server's or the engine's own count
    tokens_before: int = 0
    seconds_before: float | None = None

    @classmethod
    def going_on(cls, text: str, tokens: int, seconds: float, *, inside: bool) -> Self:
        """What an earlier try has thought, to be gone on with: in the middle where `inside`, else behind its end."""
        ended = None if inside else time.monotonic()
        return cls(text, tokens, ended=ended, tokens_before=tokens, seconds_before=seconds)

    def add(self, text: str, tokens: int) -> None:
        """Add a piece."""
        if self.ended is not None and self.text:  # it thinks again, as after a call of a tool
            self.text += "\n\n"
        if self.ended is not None:
            self.seconds_before, self.began, self.ended = self.seconds, None, None
        self.began = self.began or time.monotonic()
        self.text += text
        self.tokens += tokens

    def end(self) -> None:
        """Note that the answer has begun, or that the reply has ended; a second time nothing happens."""
        if self.began is not None and self.ended is None:
            self.ended = time.monotonic()

    def begin_round(self) -> None:
        """Note that the model is asked again: what it counts from now on comes to what there is."""
        self.tokens_before = self.tokens

    def count(self, usage: Any) -> None:
        """Take the tokens that the server or the engine counted, where it did."""
        if told := reasoning_tokens(usage):
            self.tokens, self.counted = self.tokens_before + told, True

    @property
    def seconds(self) -> float | None:
        """How long it thought, or has thought so far; None where it did not."""
        if self.began is None:
            return self.seconds_before
        return (self.seconds_before or 0.0) + (self.ended or time.monotonic()) - self.began

    @property
    def is_open(self) -> bool:
        """Whether it thinks at the moment."""
        return self.began is not None and self.ended is None
