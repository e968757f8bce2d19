"""A reply in OpenAI's own form, as its SDK and LangChain read it: chunks of a stream, or one whole answer.

What they would join or add up (the end, the model's name, usage) stands in the last chunk alone. Knows what a reader
gives; nothing of what the server sent.
"""

import json
from collections.abc import Sequence
from typing import Any

from backends.remote import stop
from backends.remote.chunk import Chunk
from backends.remote.reader import ReplyReader
from backends.remote.tool_calls import ToolCalls, merge_tool_calls

DONE = b"data: [DONE]\n\n"
PIECES = "pieces"  # the field, no other server has it, that says how many of a server's rows one of ours stands for


class Renderer:
    """The form of one reply; `is_chat`: an answer to messages, else to a text that is continued."""

    def __init__(self, reader: ReplyReader, is_chat: bool) -> None:
        self._reader, self._is_chat = reader, is_chat
        self._calls = ToolCalls()

    def chunk(self, chunk: Chunk) -> bytes:
        """A server-sent event with what a chunk adds."""
        if self._is_chat:
            part: dict[str, Any] = {"delta": self._delta(chunk)}
        else:
            part = {"text": chunk.text}
        pieces = {PIECES: chunk.pieces} if chunk.pieces > 1 else {}
        return self._event([{"index": 0, **part, "logprobs": chunk.logprobs, "finish_reason": None}], **pieces)

    def end(self) -> bytes:
        """The last events: why the reply ended and what it cost, and that nothing follows."""
        part: dict[str, Any] = {"delta": {}} if self._is_chat else {"text": ""}
        choice = {"index": 0, **part, "logprobs": None, **self._end}
        return self._event([choice], usage=self._reader.usage.as_dict(), **self._reader.names) + DONE

    def whole(self, chunks: Sequence[Chunk]) -> bytes:
        """All of the reply in one JSON object."""
        text = "".join(chunk.text for chunk in chunks)
        part = {"message": self._message(text, chunks)} if self._is_chat else {"text": text}
        logprobs = next((chunk.logprobs for chunk in chunks if chunk.logprobs), None)
        choice = {"index": 0, **part, "logprobs": logprobs, **self._end}
        kind = "chat.completion" if self._is_chat else "text_completion"
        usage = self._reader.usage.as_dict()
        return json.dumps(self._envelope(kind, [choice], usage=usage, **self._reader.names)).encode()

    @property
    def _end(self) -> dict[str, str]:
        """Why the reply ended, and with which text where the server says so."""
        told, sequence = self._reader.finish_reason or "stop", self._reader.stop_sequence
        return {"finish_reason": told, **({} if sequence is None else {stop.KEY: sequence})}

    def _delta(self, chunk: Chunk) -> dict[str, Any]:
        delta: dict[str, Any] = {"role": "assistant", "content": chunk.text}
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if calls := self._calls.read(chunk.tool_calls):
            delta["tool_calls"] = calls
        return delta

    def _message(self, text: str, chunks: Sequence[Chunk]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if reasoning := "".join(chunk.reasoning for chunk in chunks):
            message["reasoning_content"] = reasoning
        if calls := merge_tool_calls([piece for chunk in chunks for piece in self._calls.read(chunk.tool_calls)]):
            message["tool_calls"] = calls
        return message

    def _event(self, choices: list[dict[str, Any]], **fields: Any) -> bytes:
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        return f"data: {json.dumps(self._envelope(kind, choices, **fields))}\n\n".encode()

    @staticmethod
    def _envelope(kind: str, choices: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        return {"id": "", "object": kind, "created": 0, "model": None, "choices": choices, **fields}
