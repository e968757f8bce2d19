"""Which messages a chat template is given: those of a talk, merged where it would refuse them or leave one out.

Some templates know no system role, or no second message of it, and say nothing; some refuse two messages of one role in
turn; some of models that see write lists of parts alone, nothing of a text. What a template does is tried on it with
marks for contents, once for each order of roles.
Knows roles and templates; nothing of tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from backends.local.recall import THOUGHT
from prompts.template import Message, render

BREAK = "\n\n"  # between messages that are said in one
Turn = tuple[str, tuple[int, ...]]  # a role, and which messages of a talk are said in it


class Arranger:
    """Arranges talks for one template, which reads `variables` beside the messages."""

    def __init__(self, template: str, variables: Mapping[str, Any]) -> None:
        self._template, self._variables = template, dict(variables)
        self._turns = lru_cache(maxsize=256)(self._find_turns)  # a talk is counted and sent more than once

    @cached_property
    def is_typed(self) -> bool:
        """Whether the template writes what is said as a list of parts, and nothing of it as a text."""
        turns: tuple[Turn, ...] = (("user", (0,)),)
        return self._count_left_out(turns, is_typed=False) == 1 and self._count_left_out(turns, is_typed=True) == 0

    def type(self, rows: Sequence[Message]) -> Sequence[Message]:
        """The rows as the template takes them: with what is said as a text, or as a list of parts."""
        return [{**row, "content": _parts(row["content"])} for row in rows] if self.is_typed else rows

    def arrange(self, messages: Sequence[Message]) -> list[Message]:
        """The messages themselves, or merged ones with all that is said in them, in their order."""
        turns = self._turns(tuple(message["role"] for message in messages))
        rows: list[Message] = [
            {"role": role, "content": BREAK.join([messages[i]["content"] for i in parts])} for role, parts in turns
        ]
        if any(THOUGHT in message for message in messages):
            return [{**row, **_thought(messages, parts)} for row, (_, parts) in zip(rows, turns, strict=True)]
        return rows

    def _find_turns(self, roles: tuple[str, ...]) -> tuple[Turn, ...]:
        """The first way to merge messages in which none is left out, or the fewest are."""
        best: tuple[int, tuple[Turn, ...]] | None = None
        for turns in dict.fromkeys(_candidates(roles)):
            left_out = self._count_left_out(turns, is_typed=self.is_typed)
            if left_out == 0:
                return turns
            if left_out is not None and (best is None or left_out < best[0]):
                best = left_out, turns
        return best[1] if best else next(_candidates(roles))  # refused in any way: the template says why

    def _count_left_out(self, turns: Sequence[Turn], *, is_typed: bool) -> int | None:
        """How many messages of system and user a template does not write; None where it refuses them."""
        said = ((role, BREAK.join(map(_mark, parts))) for role, parts in turns)
        rows = [{"role": role, "content": _parts(text) if is_typed else text} for role, text in said]
        try:
            prompt = render(self._template, rows, (), **self._variables)
        except ValueError:
            return None
        text = "".join(segment.text for segment in prompt.segments)
        return sum(_mark(i) not in text for role, parts in turns if role != "assistant" for i in parts)


def _parts(said: Any) -> Any:
    """What is said, as a list of parts."""
    return [{"type": "text", "text": said}] if isinstance(said, str) else said


def _thought(messages: Sequence[Message], parts: Sequence[int]) -> dict[str, str]:
    """What was thought in the messages of a turn, as a field of it; none where nothing was."""
    thoughts = [messages[i][THOUGHT] for i in parts if THOUGHT in messages[i]]
    return {THOUGHT: BREAK.join(thoughts)} if thoughts else {}


def _candidates(roles: tuple[str, ...]) -> Iterator[tuple[Turn, ...]]:
    """Ways to say messages of these roles, from as they are to more and more merged."""
    yield tuple((role, (i,)) for i, role in enumerate(roles))
    yield _merged(roles)
    # A system message that stands elsewhere is said by the user, at its place.
    head = next((i for i, role in enumerate(roles) if role != "system"), len(roles))
    yield _merged([*roles[:head], *("user" if role == "system" else role for role in roles[head:])])
    without_system = _merged(["user" if role == "system" else role for role in roles])
    yield without_system
    if roles[:1] == ("assistant",):  # a greeting, where each talk has to be opened by the user
        yield (("user", ()), *without_system)


def _merged(roles: Sequence[str]) -> tuple[Turn, ...]:
    """Turns in which neighbours of one role are one."""
    groups = groupby(enumerate(roles), key=itemgetter(1))
    return tuple((role, tuple(i for i, _ in group)) for role, group in groups)


def _mark(number: int) -> str:
    """A content that is found again whatever a template does with it."""
    return f"\ue000{number}\ue001"
