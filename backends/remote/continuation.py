"""A reply of the model's own that it goes on with: what the request says of it, and what its answer may repeat.

Some servers take up a last message of the assistant by themselves, others begin a new one, and need to be told. Knows
server software by its name; nothing of connections.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from backends.remote.gathered import count_pieces, gathered

# The instruction to a server that would begin a new message.
CONTINUE_PROMPT = (
    "Your last message was cut off. Go on exactly after its last character; repeat nothing and explain nothing."
)
CONTINUES: dict[str, Any] = {"continue_final_message": True, "add_generation_prompt": False}
# The servers that go on, and the fields that they need for it. llama-server does by itself, and older ones refuse to
# where the model might think first.
GOES_ON: dict[str, dict[str, Any]] = {
    "llama-server": {"chat_template_kwargs": {"enable_thinking": False}},
    "koboldcpp": {},
    "tgi": {},
    "vllm": CONTINUES,
    "sglang": CONTINUES,
}


def said_so_far(messages: Sequence[BaseMessage]) -> str | None:
    """What the model has said of the message that it goes on with; None where it begins a new one."""
    return str(messages[-1].text) if messages and messages[-1].type == "ai" else None


def prepare(payload: dict[str, Any], software: str) -> None:
    """Have a request that ends with a message of the assistant go on with it, the way the server's software does."""
    messages = payload.get("messages")
    if not messages or messages[-1].get("role") != "assistant":
        return
    if software in GOES_ON:
        if fields := {**GOES_ON[software], **payload.get("extra_body", {})}:
            payload["extra_body"] = fields
    else:
        payload["messages"] = [*messages, {"role": "user", "content": CONTINUE_PROMPT}]


class RepetitionCutter:
    """Cuts a beginning off that repeats what was already said; holds back as long as it may be one."""

    def __init__(self, said: str) -> None:
        self._said, self._text = said, ""
        self._held: list[ChatGenerationChunk] = []
        self._is_decided = not said.strip()

    def feed(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """Yield what may go out now."""
        if self._is_decided:
            yield chunk
            return
        self._text += chunk.text
        self._held.append(chunk)
        if len(self._text) < len(self._said) and self._said.startswith(self._text):
            return
        self._is_decided = True
        yield from self._release()

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield what was held back and is no repetition, since it ended before."""
        if not self._is_decided:
            self._is_decided = True
            yield from self._release()

    def _release(self) -> Iterator[ChatGenerationChunk]:
        rest = cut_repetition(self._text, self._said)
        unchanged = rest == self._text
        for number, chunk in enumerate(self._held, 1):
            yield chunk if unchanged else with_text(chunk, rest if number == len(self._held) else "")
        self._held.clear()


def cut_repetition(text: str, said: str) -> str:
    """The text without what was already said at its beginning, where all of that is repeated there.

    White space at its end may be missing: chat templates strip messages.
    """
    for repeated in (said, said.rstrip()):
        if repeated and text.startswith(repeated):
            return text[len(repeated) :]
    return text


def with_text(chunk: ChatGenerationChunk, text: str) -> ChatGenerationChunk:
    """The chunk with another text; all that stands beside it stays."""
    message = chunk.message.model_copy(update={"content": text})
    changed = ChatGenerationChunk(message=message, generation_info=chunk.generation_info)
    return gathered(changed, count_pieces(chunk))


def cut_chunks(chunks: Iterator[ChatGenerationChunk], said: str) -> Iterator[ChatGenerationChunk]:
    """The chunks of a reply without the repetition at its beginning."""
    cutter = RepetitionCutter(said)
    for chunk in chunks:
        yield from cutter.feed(chunk)
    yield from cutter.end()


async def acut_chunks(chunks: AsyncIterator[ChatGenerationChunk], said: str) -> AsyncIterator[ChatGenerationChunk]:
    """The same as they come."""
    cutter = RepetitionCutter(said)
    async for chunk in chunks:
        for each in cutter.feed(chunk):
            yield each
    for each in cutter.end():
        yield each


def cut_generation(generation: ChatGeneration, said: str) -> ChatGeneration:
    """A whole reply without it."""
    if isinstance(generation.message.content, str) and said.strip():
        text = cut_repetition(generation.message.content, said)
        message = generation.message.model_copy(update={"content": text})
        return ChatGeneration(message=message, generation_info=generation.generation_info)
    return generation
