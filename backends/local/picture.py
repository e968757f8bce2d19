"""Pictures in a prompt: their bytes in LangChain's blocks, and the tokens that stand for what a model sees of them.

Those tokens are negative and follow from the picture alone, so that whatever compares prompts finds a picture that was
computed before, and knows another one. Knows blocks and tokens; decodes no picture and computes nothing.
"""

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import BaseMessage

from prompts.template import RenderedPrompt, Segment

KINDS = ("image", "image_url")  # the types of blocks that are pictures
OPEN, CLOSE = "\ufdd0", "\ufdd1"  # no characters: no text of this world has them
BITS = 30  # of a token's hash; one more says whether it moves on


@dataclass(frozen=True)
class Picture:
    """What stands for a picture in a prompt: `tokens`, and for each run of negative ones, in order, what is seen."""

    tokens: tuple[int, ...]
    views: tuple[Any, ...] = field(repr=False)


class PlacedView(NamedTuple):
    """What is seen, and where in a prompt it begins and ends."""

    start: int
    end: int
    view: Any


@dataclass(frozen=True)
class Drawn(Segment):
    """A picture between the segments of a prompt."""

    picture: Picture = field(default=Picture((), ()))


class Eye(Protocol):
    """What an engine tells of pictures."""

    @property
    def blindness(self) -> str | None:
        """Why the model sees none, with the remedy; None where it does."""

    def look(self, data: bytes) -> Picture:
        """What stands for a picture in a prompt. Raises ModelInvalidRequestError."""


def stand_ins(name: str, length: int, steps: int) -> tuple[int, ...]:
    """The tokens for what is seen of a picture of this name; `steps` of them move on to another place of the text."""
    hashed = array("I", hashlib.shake_256(name.encode()).digest(4 * length))
    return tuple(-1 - 2 * (each & (2**BITS - 1)) - (at < steps) for at, each in enumerate(hashed))


def moves_on(token: int) -> bool:
    """Whether the token after this one stands at another place of the text."""
    return token >= 0 or token % 2 == 0


def place(tokens: Sequence[int], pictures: Sequence[Picture]) -> tuple[PlacedView, ...]:
    """Where in a prompt what is seen of its pictures stands, which it holds in this order."""
    placed, at = list[PlacedView](), 0
    for view in (view for picture in pictures for view in picture.views):
        start = next(place for place in range(at, len(tokens)) if tokens[place] < 0)
        at = start + len(view.tokens)
        placed.append(PlacedView(start, at, view))
    return tuple(placed)


class Album:
    """The pictures of one prompt: a mark for each, which nobody can have typed, and what it is replaced with."""

    def __init__(self, eye: Eye) -> None:
        self._eye, self._name = eye, secrets.token_hex(8)
        self._pictures: list[Picture] = []
        self._mark = re.compile(f"{OPEN}{self._name}\\.(\\d+){CLOSE}")

    def add(self, block: Mapping[str, Any]) -> str:
        """The mark of one more picture. Raises ModelInvalidRequestError where the model, or the block, has none."""
        if self._eye.blindness is not None:
            raise ModelInvalidRequestError(self._eye.blindness)
        self._pictures.append(self._eye.look(picture_bytes(block)))
        return f"{OPEN}{self._name}.{len(self._pictures) - 1}{CLOSE}"

    def fill(self, prompt: RenderedPrompt) -> RenderedPrompt:
        """The prompt with its pictures in it. Raises ModelInvalidRequestError where its template left one out."""
        if not self._pictures:
            return prompt
        segments = tuple(part for segment in prompt.segments for part in self._split(segment))
        if sum(isinstance(part, Drawn) for part in segments) < len(self._pictures):
            raise ModelInvalidRequestError(
                "The chat template leaves out a message with a picture: send it as a message of the user."
            )
        return RenderedPrompt(segments, prompt.stop)

    def _split(self, segment: Segment) -> Iterator[Segment]:
        for at, piece in enumerate(self._mark.split(segment.text)):
            if at % 2:
                yield Drawn("", True, self._pictures[int(piece)])
            elif piece:
                yield Segment(piece, segment.special)


def pictures_of(prompt: RenderedPrompt) -> list[Picture]:
    """The pictures of a prompt, in order."""
    return [segment.picture for segment in prompt.segments if isinstance(segment, Drawn)]


async def look_at(eye: Eye, messages: Sequence[BaseMessage]) -> None:
    """Have the pictures of messages cut by another thread, so that a loop of events waits for none."""
    for block in _picture_blocks(messages) if eye.blindness is None else ():
        await asyncio.to_thread(eye.look, picture_bytes(block))


def _picture_blocks(messages: Sequence[BaseMessage]) -> Iterator[dict[str, Any]]:
    """The blocks of messages that are pictures."""
    for message in messages:
        for block in message.content if isinstance(message.content, list) else ():
            if isinstance(block, dict) and block.get("type") in KINDS:
                yield block


def picture_bytes(block: Mapping[str, Any]) -> bytes:
    """The bytes in a block of LangChain's, OpenAI's or Anthropic's form. Raises ModelInvalidRequestError."""
    try:
        return base64.b64decode(_encoded(block), validate=True)
    except binascii.Error as error:
        raise ModelInvalidRequestError(f"A picture of the message is no base64: {error}.") from error


def _encoded(block: Mapping[str, Any]) -> str:
    """The picture as base64."""
    source = block.get("source") if isinstance(block.get("source"), Mapping) else block
    for name in ("base64", "data"):
        if isinstance(source, Mapping) and isinstance(found := source.get(name), str):
            return found
    held = block.get("image_url") or block.get("url")
    address = held.get("url") if isinstance(held, Mapping) else held
    if isinstance(address, str) and address.startswith("data:"):
        head, _, data = address.partition(",")
        if head.endswith(";base64"):
            return data
    told = f"is named by an address ({address[:60]})" if isinstance(address, str) else "has no bytes"
    raise ModelInvalidRequestError(f"A picture of the message {told}: send it as base64, or as a data: URL of base64.")
