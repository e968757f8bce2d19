"""What an engine tells of one reply, as LangChain's chunks: its text, its calls of tools, its tokens, its end.

Knows events and chunks; nothing of how a reply is made.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from backends.local.engine import Event, Request
from backends.local.thinking import Begun
from backends.local.tools.reading import CallPiece, CallReader, Piece
from backends.thinking.reader import Thought

STOP_SEQUENCE = "stop_sequence"  # where it says which of the asked texts ended the reply
CACHE_BLOCK = 64  # tokens of a prompt that are told as known before all at once: nobody learns single ones of another's
NOT_HELD = "not_held"  # where a reply's metadata says what of the tools' schemas was left to the model


class ChunkWriter:
    """Writes the chunks of one request; `thinking` and `reader` find what it thinks and calls, if it may do so.

    `not_held` is told in the metadata of the last one: what of the tools' schemas was left to the model.
    """

    def __init__(
        self,
        request: Request,
        model: str,
        reader: CallReader | None = None,
        thinking: Begun | None = None,
        not_held: str | None = None,
    ) -> None:
        self.request, self._model, self._reader, self._thinking = request, model, reader, thinking
        self._not_held = {} if not_held is None else {NOT_HELD: not_held}

    def write(self, event: Event) -> Iterator[ChatGenerationChunk]:
        """The chunks of an event. Raises its error."""
        if event.error is not None:
            raise event.error
        if event.text:
            for piece in self._read(event.text):
                fresh, self.request.reported = event.tokens - self.request.reported, event.tokens
                yield _chunk(piece, fresh)
        if event.finish is not None:
            for piece in self._close():
                yield _chunk(piece, 0)
            yield self._last(event.finish)

    def _read(self, text: str) -> list[Piece | Thought]:
        found: list[str | Thought] = [text] if self._thinking is None else self._thinking.reader.push(text)
        return self._read_calls(found)

    def _read_calls(self, found: Iterable[str | Thought]) -> list[Piece | Thought]:
        pieces: list[Piece | Thought] = []
        for piece in found:
            if isinstance(piece, str) and self._reader is not None:
                pieces += self._reader.push(piece)
            else:
                pieces.append(piece)
        return pieces

    def _close(self) -> list[Piece | Thought]:
        """What was held back until the end."""
        pieces = self._read_calls(self._thinking.reader.close()) if self._thinking is not None else []
        return [*pieces, *(self._reader.close() if self._reader is not None else ())]

    def _last(self, finish: str) -> ChatGenerationChunk:
        request = self.request
        if finish == "stop" and self._reader is not None and self._reader.count:
            finish = "tool_calls"
        sequence = request.decoder.stop_sequence
        ended = {} if sequence is None else {STOP_SEQUENCE: sequence}
        usage = usage_metadata(len(request.prompt), request.tokens - request.reported)
        if reused := request.reused // CACHE_BLOCK * CACHE_BLOCK:
            usage["input_token_details"] = InputTokenDetails(cache_read=reused)
        if self._thinking is not None and self._thinking.counter.thought:
            usage["output_token_details"] = OutputTokenDetails(reasoning=self._thinking.counter.thought)
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                chunk_position="last",
                usage_metadata=usage,
                response_metadata={"model_name": self._model, "finish_reason": finish, **ended, **self._not_held},
            ),
            generation_info={"finish_reason": finish},
        )


def _chunk(piece: Piece | Thought, tokens: int) -> ChatGenerationChunk:
    usage = usage_metadata(0, tokens)
    if isinstance(piece, Thought):
        beside = {"reasoning_content": piece.text}
        return ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs=beside, usage_metadata=usage))
    if isinstance(piece, str):
        return ChatGenerationChunk(message=AIMessageChunk(content=piece, usage_metadata=usage))
    message = AIMessageChunk(content="", tool_call_chunks=[_call_chunk(piece)], usage_metadata=usage)
    return ChatGenerationChunk(message=message)


def _call_chunk(piece: CallPiece) -> ToolCallChunk:
    return tool_call_chunk(name=piece.name, args=piece.arguments, id=piece.id, index=piece.place)


def cut_call_told(result: ChatResult, chunks: Sequence[ChatGenerationChunk]) -> ChatResult:
    """A whole reply whose last call, where the reply was cut within it, is an invalid one: LangChain completes it."""
    message = result.generations[0].message
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return result
    pieces = [piece for each in chunks for piece in getattr(each.message, "tool_call_chunks", ())]
    last = message.tool_calls[-1]
    arguments = "".join(piece["args"] or "" for piece in pieces if piece["index"] == pieces[-1]["index"])
    try:
        json.loads(arguments)
    except ValueError:
        error = "The reply was cut within this call: raise max_tokens."
        cut = invalid_tool_call(name=last["name"], args=arguments, id=last["id"], error=error)
        message.tool_calls, message.invalid_tool_calls = message.tool_calls[:-1], [cut]
    return result


def usage_metadata(prompt_tokens: int, reply_tokens: int) -> UsageMetadata:
    """The usage of one chunk; LangChain adds up those of all chunks."""
    return UsageMetadata(
        input_tokens=prompt_tokens, output_tokens=reply_tokens, total_tokens=prompt_tokens + reply_tokens
    )
