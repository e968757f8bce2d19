"""What a model is asked: conversations of one turn or several, with the passages of a turn and the rule for its reply.

Knows messages, as the chain has them before a window is known; no model and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from benchmarks.answers.judge import Judge
from chains.passages import attach


@dataclass(frozen=True)
class Turn:
    """A message, the passages that the app would give with it (best first), and whether a reply counts."""

    message: str
    judge: Judge
    passages: tuple[Document, ...] = ()


@dataclass(frozen=True)
class Case:
    """A conversation of a `part` of the table under its system prompt."""

    part: str
    system: str
    turns: tuple[Turn, ...]

    def messages(self, replies: Sequence[str]) -> list[BaseMessage]:
        """The prompt of the turn after these replies; its passages wait with it until the window is known."""
        earlier = [
            message
            for turn, reply in zip(self.turns, replies, strict=False)
            for message in (HumanMessage(turn.message), AIMessage(reply))
        ]
        turn = self.turns[len(replies)]
        newest = HumanMessage(turn.message)
        return [SystemMessage(self.system), *earlier, attach(newest, turn.passages) if turn.passages else newest]
