"""Dialogues, questions about passages and plain texts as sources hand them over, and the views training takes of them.

Knows no file format and no tokens.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

Message = dict[str, str]


@dataclass(frozen=True)
class Dialogue:
    """Turns of two alternating speakers.

    `personas` describe the first and the second; either may be empty. `two_sided`: both are people, so each becomes the
    assistant once; otherwise `assistant` is, 1 being the second speaker. `candidates` has, where a source brings them,
    one entry per turn: the distractors beside the true reply, the empty tuple where a turn has none. `conversation` is
    equal for several views that a source brings of one conversation, so that they are held out together.
    """

    source: str
    turns: tuple[str, ...]
    personas: tuple[tuple[str, ...], ...] = ()
    two_sided: bool = False
    candidates: tuple[tuple[str, ...], ...] = ()
    conversation: str = ""
    assistant: int = 1

    @property
    def key(self) -> int:
        """64 bits that are equal for equal text, whatever the source."""
        return _key("\n".join(self.turns))


@dataclass(frozen=True)
class Text:
    """Plain text for language modelling: an article, a chapter, a paragraph."""

    source: str
    text: str

    @property
    def key(self) -> int:
        """64 bits that are equal for equal text, whatever the source."""
        return _key(self.text)


@dataclass(frozen=True)
class Reading:
    """Questions about the same passages of files, each the first of a chat of its own.

    `passages` are (location, text), best first, as prompts.passages takes them; `questions` are (question, answer).
    """

    source: str
    passages: tuple[tuple[str, str], ...]
    questions: tuple[tuple[str, str], ...]

    @property
    def key(self) -> int:
        """64 bits that are equal for equal text, whatever the source."""
        return _key("\n".join(text for pair in (*self.passages, *self.questions) for text in pair))


Item = Dialogue | Reading | Text


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def sides(dialogue: Dialogue) -> tuple[int, ...]:
    """The speakers (0 or 1) who are the assistant, one view each."""
    return (1, 0) if dialogue.two_sided else (dialogue.assistant,)


def messages(dialogue: Dialogue, assistant: int, system: str = "") -> list[Message]:
    """A view: `assistant` speaks for the model; its persona, or else `system`, is the system prompt ("": none)."""
    persona = dialogue.personas[assistant] if len(dialogue.personas) == 2 else ()
    prompt = " ".join(persona) or system
    view = [{"role": "system", "content": prompt}] if prompt else []
    for i, turn in enumerate(dialogue.turns):
        view.append({"role": "assistant" if i % 2 == assistant else "user", "content": turn})
    return view


def replies(dialogue: Dialogue, assistant: int) -> Iterator[int]:
    """The turns that answer something in that view: every assistant turn but an opening one."""
    yield from (i for i in range(1, len(dialogue.turns)) if i % 2 == assistant)
