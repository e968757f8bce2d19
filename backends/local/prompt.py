"""A prompt of one local model: messages as its chat template writes them, then as its tokenizer's ids.

Its pieces, tokenized one by one, are the tokens of the whole text. Knows templates and tokens; nothing of LangChain.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, pairwise, product
from typing import Any, Protocol

from backends.local.arrangement import Arranger
from backends.local.picture import Drawn
from backends.local.recall import THOUGHT, Recall
from backends.local.template import ChatTemplate
from prompts.special_tokens import SpecialToken, SpecialTokens
from prompts.template import Message, RenderedPrompt, Segment, render

ANCHORS = ("\n", "a", "0", ".", "\u3002")  # texts to stand before another one, so that it is in the middle


class Vocabulary(Protocol):
    """What a prompt asks of a model's tokenizer."""

    @property
    def special_tokens(self) -> tuple[SpecialToken, ...]:
        """All tokens that are more than a piece of text."""

    @property
    def template_variables(self) -> Mapping[str, Any]:
        """What a chat template may name."""

    @property
    def bos_ids(self) -> tuple[int, ...]:
        """The ids that every prompt begins with."""

    @property
    def starts_anew(self) -> bool:
        """Whether text after a special token is tokenized as at the start of a prompt."""

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""

    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token."""


class PromptBuilder:
    """Builds prompts for one model and one template."""

    def __init__(self, vocabulary: Vocabulary, template: ChatTemplate) -> None:
        self._vocabulary, self._template = vocabulary, template
        self._arranger = Arranger(template.text, vocabulary.template_variables)
        self._recall = Recall(template.text, vocabulary.template_variables)
        self._specials = template.special_tokens(vocabulary.special_tokens, vocabulary.template_variables)
        self._ids = {token.text: vocabulary.special_id(token.text) for token in self._specials}
        # The tokenizer finds these in plain text as well: there they are taken apart.
        self._breakable = SpecialTokens(token for token in self._specials if token.in_plain_text)
        self._broken = {self._ids[token.text]: token.text for token in self._breakable}
        # A space that SentencePiece puts before a text.
        self._has_prefix = b"".join(map(vocabulary.token_bytes, vocabulary.encode("x"))) != b"x"
        self.turn_ends = template.turn_ends(self._specials, vocabulary.template_variables)

    def render(
        self, messages: Sequence[Message], options: Mapping[str, Any] | None = None, *, is_arranged: bool = True
    ) -> RenderedPrompt:
        """The prompt in segments, no message left out. Raises ValueError where the template refuses them.

        `is_arranged`: messages may be merged, where each has a role, a text, and at most what was thought before it.
        """
        rows = self._arranger.arrange(messages) if is_arranged else messages
        ways = self._recall.write(rows) if any(THOUGHT in row for row in rows) else (rows,)
        text, variables = self._template.text, self._vocabulary.template_variables
        # Hidden: gpt-oss' refuses a reply that spells its channels, as replies of gpt-oss do.
        *tries, (least, hidden) = product(map(self._arranger.type, ways), (False, True))
        for way, is_hidden in tries:
            with suppress(ValueError):
                return render(text, way, self._specials, options=options, hidden=is_hidden, **variables)
        return render(text, least, self._specials, options=options, hidden=hidden, **variables)

    def split(self, text: str) -> list[tuple[str, int | None]]:
        """The pieces of a text that the template might write, with the id of those that are special tokens."""
        return [(piece, self._ids[piece] if special else None) for piece, special in self._specials.split(text)]

    def silent_tokens(self, texts: Iterable[str]) -> dict[int, bytes]:
        """The special tokens in some texts that have no letters of their own, with those that spell them."""
        pieces = (piece for text in texts for piece in self.split(text))
        return {i: text.encode() for text, i in pieces if i is not None and not self._vocabulary.token_bytes(i)}

    def encode_written(self, text: str) -> list[int]:
        """Ids of a text as a model writes it in the middle of a reply: tokens that have letters stand for them."""
        ids: list[int] = []
        for piece, token in self.split(text):
            has_letters = token is not None and bool(self._vocabulary.token_bytes(token))
            ids += [token] if token is not None and has_letters else self._encode_inside(piece)
        return ids

    def continuation(self, text: str) -> list[Segment]:
        """The segments of a reply that was cut. Where it thinks, the tags around that are its own tokens."""
        pieces = self._breakable.split(text)
        start = next((piece for piece, _ in pieces if piece.strip()), "")
        tags = [start, f"{start[:1]}/{start[1:]}"] if "think" in start.lower() and (start, True) in pieces else []
        segments: list[Segment] = []
        for piece, special in pieces:
            own = special and piece in tags
            if own:
                tags.remove(piece)
            if own or not segments or segments[-1].special:
                segments.append(Segment(piece, own))
            else:
                segments[-1] = Segment(segments[-1].text + piece, special=False)
        return segments

    def tokenize(self, segments: Sequence[Segment]) -> list[int]:
        """The ids of a prompt, after those that every prompt begins with."""
        ids: list[int] = []
        before: Segment | None = None
        for segment in segments:
            if isinstance(segment, Drawn):
                ids += segment.picture.tokens
            elif segment.special:
                ids.append(self._ids[segment.text])
            else:
                # A reply that goes on behind a word of the prompt began with a space.
                starts = before is None or (
                    self._vocabulary.starts_anew if before.special else not before.text[-1].isspace()
                )
                ids += self._encode(segment.text, starts)
            before = segment
        start = list(self._vocabulary.bos_ids)
        return ids if not ids or ids[: len(start)] == start else start + ids

    def _encode(self, text: str, starts: bool) -> list[int]:
        """Ids of plain text, at the start of a text or in its middle, of which none is a token that it spells."""
        if not self._broken:
            return self._vocabulary.encode(text) if starts else self._encode_inside(text)
        ids = self._encode_broken(text, starts)
        if self._broken.keys().isdisjoint(ids):
            return ids
        # What its tokenizer takes for the token, though it is written in another way (as full width letters).
        return [part for i in ids for part in (self._encode_broken(self._broken[i]) if i in self._broken else [i])]

    def _encode_broken(self, text: str, starts: bool = False) -> list[int]:
        """Ids of a text that is cut behind the first letter of each token that it spells."""
        bounds = [0, *(position + 1 for position in self._breakable.find(text)), len(text)]
        first, *others = (text[start:end] for start, end in pairwise(bounds))
        ids = self._vocabulary.encode(first) if starts else self._encode_inside(first)
        return [*ids, *chain.from_iterable(map(self._encode_inside, others))]

    def _encode_inside(self, text: str) -> list[int]:
        """Ids of a text in the middle of another one."""
        encode = self._vocabulary.encode
        for anchor in ANCHORS if self._has_prefix else ():
            before, ids = encode(anchor), encode(anchor + text)
            if ids[: len(before)] == before:
                return ids[len(before) :]
        return encode(text)
