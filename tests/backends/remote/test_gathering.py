"""What a server says is gathered: the first words and the end at once, all between in beats, in order and complete."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from backends.remote import gathering
from backends.remote.chunk import Chunk
from backends.remote.gathering import gather, interval, merge

WORDS = [f"word{number} " for number in range(200)]


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat so long that whatever comes before its end did not wait for it."""
    monkeypatch.setattr(gathering, "interval", lambda _: 3600.0)


async def saying(*chunks: Chunk | None) -> AsyncGenerator[Chunk | None]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)


async def take(chunks: AsyncIterator[Chunk | None]) -> list[Chunk | None]:
    return [chunk async for chunk in chunks]


async def test_the_first_words_and_the_end_wait_for_nothing(long_pause: None) -> None:
    gathered = await take(gather(saying(Chunk(), *map(Chunk, WORDS), None)))
    assert gathered[-1] is None
    texts = [chunk for chunk in gathered if chunk is not None]
    assert "".join(chunk.text for chunk in texts) == "".join(WORDS)
    assert sum(chunk.pieces for chunk in texts if chunk.text) == len(WORDS)
    assert len(texts) < 5, "what came after the first words is one chunk"


async def test_words_do_not_wait_for_the_ones_after_them() -> None:
    more = asyncio.Event()

    async def silent_after_two() -> AsyncGenerator[Chunk | None]:
        yield Chunk("One ")
        yield Chunk("two ")
        await more.wait()
        yield Chunk("three")

    told = ""
    async for chunk in gather(silent_after_two()):
        assert chunk is not None
        told += chunk.text
        if told == "One two ":
            more.set()
    assert told == "One two three"


async def test_a_failure_comes_after_the_words_before_it(long_pause: None) -> None:
    async def broken() -> AsyncGenerator[Chunk | None]:
        for word in WORDS[:9]:
            yield Chunk(word)
            await asyncio.sleep(0)
        raise ConnectionError("cut")

    told: list[Chunk | None] = []

    async def read() -> None:
        async for chunk in gather(broken()):
            told.append(chunk)

    with pytest.raises(ConnectionError, match="cut"):
        await read()
    assert "".join(chunk.text for chunk in told if chunk is not None) == "".join(WORDS[:9])


@pytest.mark.parametrize("by", ["leaving", "a cancellation"])
async def test_who_leaves_ends_the_reading(by: str) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[Chunk | None]:
        try:
            while True:
                yield Chunk("word ")
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def read() -> None:
        chunks = gather(endless())
        try:
            async for _ in chunks:
                if by == "leaving":
                    return
        finally:
            await chunks.aclose()

    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait({task})
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1


def test_only_what_loses_nothing_is_joined() -> None:
    call = Chunk(tool_calls=[{"index": 0}])
    probable = Chunk("a", logprobs={"content": [{}]})
    thought = [Chunk(reasoning="I "), Chunk(reasoning="think")]
    chunks = [*thought, Chunk("so"), Chunk(" do"), Chunk(reasoning="again"), call, call, probable, probable, None]
    assert list(merge(chunks)) == [
        Chunk(reasoning="I think", pieces=2), Chunk("so do", pieces=2), Chunk(reasoning="again"),
        call, call, probable, probable, None,
    ]  # fmt: skip


def test_many_replies_are_told_less_often() -> None:
    assert interval(1) == interval(3) == gathering.PAUSE
    assert gathering.PAUSE < interval(5) < interval(200) == gathering.CROWDED_PAUSE
