"""A chunk of LangChain's that stands for several rows of a server, and says for how many. Knows no server."""

from langchain_core.outputs import ChatGenerationChunk


class GatheredChunk(ChatGenerationChunk):
    """`pieces`: of how many chunks it is made. Whoever adds chunks up gets LangChain's own, without it."""

    pieces: int = 1


def gathered(chunk: ChatGenerationChunk, pieces: int) -> ChatGenerationChunk:
    """The chunk, with this number."""
    if pieces == 1:
        return chunk
    return GatheredChunk(message=chunk.message, generation_info=chunk.generation_info, pieces=pieces)


def count_pieces(chunk: ChatGenerationChunk) -> int:
    """Of how many chunks it is made."""
    return chunk.pieces if isinstance(chunk, GatheredChunk) else 1
