"""A dialogue as one model is given it: token ids, where each reply stands in them, and what of a prompt fits.

Builds everything with `prompts.template`; knows tokenizers, nothing of weights.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompts import template
from prompts.template import Segment
from training.dialogue import Message

PLAIN = Path(template.__file__).with_name("plain.jinja")


@dataclass(frozen=True)
class EncodedDialogue:
    """Token ids of a dialogue, and first and past-the-last position of every assistant's turn with what ends it."""

    ids: list[int]
    spans: list[tuple[int, int]]


class ChatEncoder:
    """A tokenizer with its chat template (`prompts/plain.jinja` where it has none) and the model's window in tokens."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self.tokenizer, self.window = tokenizer, window
        self.template = tokenizer.chat_template or PLAIN.read_text(encoding="utf-8")
        added = tokenizer.added_tokens_decoder.items()
        self.specials = {str(token): int(i) for i, token in added if token.special}
        self.names: dict[str, Any] = {"bos_token": tokenizer.bos_token or "", "eos_token": tokenizer.eos_token or ""}
        self._replies: dict[str, list[int]] = {}

    def encode_dialogue(self, messages: Sequence[Message]) -> EncodedDialogue:
        """The whole dialogue up to its last assistant's turn. Raises ValueError where the template refuses it."""
        ids: list[int] = []
        spans, consumed = [], ""
        for i, message in enumerate(messages):
            if message["role"] == "assistant":
                prompt = self._pieces(messages[:i], reply=True)
                prefix = self._pieces(messages[: i + 1], reply=False)
                if i == 0 and not _text(prefix).startswith(_text(prompt)):
                    continue  # an opening, before which the template puts a system prompt of its own: nobody's reply
                ids += self._ids(_after(prompt, consumed))
                reply = self._ids(_after(prefix, _text(prompt)))
                if not ids:
                    raise ValueError("the model's chat template writes nothing before a reply that opens a dialogue")
                spans.append((len(ids), len(ids) + len(reply)))
                ids, consumed = ids + reply, _text(prefix)
        return EncodedDialogue(ids, spans)

    def encode_head(self, messages: Sequence[Message]) -> list[int]:
        """Messages that stand before a dialogue, a system prompt most of all."""
        return self._ids(self._pieces(messages, reply=False))

    def encode_reply(self, text: str) -> list[int]:
        """A reply with what ends it, cut to half of the window."""
        if text not in self._replies:
            read = self.encode_dialogue([{"role": "user", "content": "hi"}, {"role": "assistant", "content": text}])
            self._replies[text] = read.ids[slice(*read.spans[-1])][: self.window // 2]
        return self._replies[text]

    def encode_prompt(self, messages: Sequence[Message], room: int) -> list[int]:
        """What asks for the next reply, at most `room` tokens: the oldest turns are dropped, the system prompt stays.

        A last turn that alone is longer is cut at its start.
        """
        head = [m for m in messages[:1] if m["role"] == "system"]
        body = messages[len(head) :]
        starts = sorted({0, *(i for i, m in enumerate(body) if m["role"] == "user")})

        def ids(k: int) -> list[int]:
            return self._ids(self._pieces([*head, *body[starts[k] :]], reply=True))

        fitting = bisect.bisect_left(range(len(starts) - 1), True, key=lambda k: len(ids(k)) <= room)
        return ids(fitting)[-room:]

    def decode_reply(self, ids: Sequence[int]) -> str:
        """A generated reply, up to what its template says ends a turn."""
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        for stop in self.stop:
            text = text.split(stop)[0]
        return text.strip()

    @property
    def stop(self) -> tuple[str, ...]:
        """The strings that end a turn where no token does."""
        return template.render(self.template, [{"role": "user", "content": "hi"}], self.specials, **self.names).stop

    def _pieces(self, messages: Sequence[Message], *, reply: bool) -> tuple[Segment, ...]:
        return template.render(self.template, messages, self.specials, reply=reply, **self.names).segments

    def _ids(self, pieces: Sequence[Segment]) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            if piece.special:
                ids.append(self.specials[piece.text])
            else:
                ids += self.tokenizer.encode(piece.text, add_special_tokens=False, split_special_tokens=True)
        return ids


def _text(pieces: Sequence[Segment]) -> str:
    return "".join(piece.text for piece in pieces)


def _after(pieces: Sequence[Segment], prefix: str) -> list[Segment]:
    """The pieces behind the text `shown`, which they begin with."""
    if not _text(pieces).startswith(prefix):
        raise ValueError("the model's chat template rewrites earlier turns: its replies cannot be told apart")
    rest, left = [], len(prefix)
    for piece in pieces:
        if left < len(piece.text):
            rest.append(Segment(piece.text[left:], piece.special))
        left = max(0, left - len(piece.text))
    return rest
