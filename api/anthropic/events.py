"""The events of a streamed message: its blocks one after another, each begun, grown and ended. Knows no route."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages.tool import ToolCallChunk

from api.anthropic.errors import shape
from api.anthropic.response import Message, stop_reason, usage
from api.anthropic.thinking import signature
from api.http.answers import Answers
from api.http.calls import joined
from api.http.errors import ApiError
from api.http.sse import Piece, encode, merge_pieces
from conversations.replies import ThinkingPart

Event = dict[str, Any]
TEXT, THINKING, TOOL_USE = "text", "thinking", "tool_use"


def write(event: Event) -> str:
    """An event with its type."""
    return f"event: {event['type']}\ndata: {encode(event)}\n\n"


def ping() -> str:
    """What says that a silent stream lives."""
    return write({"type": "ping"})


class BlockWriter:
    """The blocks of one message, as pieces come; `tells_thinking`: what is thought is one of them."""

    def __init__(self, tells_thinking: bool, omits: bool) -> None:
        self._tells_thinking, self._omits = tells_thinking, omits
        self._place = -1
        self._open: str | int | None = None  # the kind of the block that grows, of a call its number
        self._thought = ""

    def push(self, piece: Piece) -> Iterator[Event]:
        """The events of a piece."""
        if isinstance(piece, ThinkingPart):
            yield from self._think(piece.text) if self._tells_thinking else ()
        elif isinstance(piece, list):
            for each in joined(piece):
                yield from self._call(each)
        elif piece:
            yield from self._begin(TEXT, {"type": TEXT, "text": ""})
            yield self._delta({"type": "text_delta", "text": piece})

    def close(self) -> Iterator[Event]:
        """The end of the last block, which is a text of nothing where there was none but thinking."""
        if self._open in (None, THINKING):
            yield from self._begin(TEXT, {"type": TEXT, "text": ""})
        yield from self._end()

    def _think(self, text: str) -> Iterator[Event]:
        yield from self._begin(THINKING, {"type": THINKING, "thinking": "", "signature": ""})
        self._thought += text
        if not self._omits:
            yield self._delta({"type": "thinking_delta", "thinking": text})

    def _call(self, piece: ToolCallChunk) -> Iterator[Event]:
        number = piece["index"] or 0
        block = {"type": TOOL_USE, "id": piece["id"] or f"call_{number}", "name": piece["name"] or "", "input": {}}
        yield from self._begin(number, block)
        if piece["args"]:
            yield self._delta({"type": "input_json_delta", "partial_json": piece["args"]})

    def _begin(self, kind: str | int, block: Event) -> Iterator[Event]:
        """Another block, where another one than this grows."""
        if self._open == kind:
            return
        yield from self._end()
        self._open, self._place = kind, self._place + 1
        yield {"type": "content_block_start", "index": self._place, "content_block": block}

    def _end(self) -> Iterator[Event]:
        if self._open is None:
            return
        if self._open == THINKING:
            yield self._delta({"type": "signature_delta", "signature": signature(self._thought)})
            self._thought = ""
        self._open = None
        yield {"type": "content_block_stop", "index": self._place}

    def _delta(self, delta: Event) -> Event:
        return {"type": "content_block_delta", "index": self._place, "delta": delta}


async def message_events(begun: Message, answers: Answers, writer: BlockWriter) -> AsyncIterator[str]:
    """The events of a message that has `begun`; where it fails the last one says why."""
    yield write({"type": "message_start", "message": begun.model_dump()}) + ping()
    try:
        async for _, piece in merge_pieces(answers.job):
            if events := "".join(map(write, writer.push(piece))):
                yield events
    except ApiError as problem:
        yield write(shape(problem))
        return
    yield "".join(map(write, [*writer.close(), *_ending(answers)]))


def _ending(answers: Answers) -> Iterator[Event]:
    reply = answers.replies[0]
    ended = {"stop_reason": stop_reason(reply), "stop_sequence": reply.report.stop_sequence}
    notice = {"notice": text} if (text := answers.notice()) else {}
    yield {"type": "message_delta", "delta": ended, "usage": usage(answers).model_dump(), **notice}
    yield {"type": "message_stop"}
