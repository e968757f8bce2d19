"""Who leaves, leaves nothing behind: at any moment, from any thread, and when the engine itself is closed."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from langchain_core.exceptions import ModelAPIError

from backends.local.engine import Event
from tests.backends.llama.chats import PATIENCE, Ear, Watching, opened

WORDS = tuple(range(300, 4000))
STATM = Path("/proc/self/statm")
LEEWAY = 8 * 2**20  # bytes


@pytest.fixture
def engine() -> Iterator[Watching]:
    """Four chats together."""
    with opened(4, 2048, cache=2**21) as engine:
        yield engine


def idle(engine: Watching) -> None:
    """Wait until nobody waits or runs."""
    pause = threading.Event()
    for _ in range(PATIENCE * 1000):
        if not engine.pending_count():
            return
        pause.wait(0.001)
    raise AssertionError("requests are left")


def resident() -> int:
    """Bytes of memory of this process."""
    return int(STATM.read_text().split()[1]) * 4096


def crowd(engine: Watching, chance: random.Random, count: int) -> None:
    """Requests, at most 12 at a time, of which most leave: at once, soon, in the reply, or after the end."""
    asked: list[tuple[Ear, int]] = []
    for number in range(count):
        begin = chance.choice((0, 0, 100, chance.randrange(3000)))
        prompt = WORDS[begin : begin + chance.randint(1, 60)]
        ear = Ear(engine, prompt, max_tokens=chance.randint(1, 8), repetition_penalty=chance.choice((1.0, 1.2)),
                  temperature=chance.choice((0.0, 0.9)), ignore_eos=True)  # fmt: skip
        asked.append((ear.ask(), chance.choice((-1, 0, 1, 3, 99))))
        if asked[-1][1] == -1:
            engine.cancel(ear.request)
        while len(asked) > 11 or (asked and number == count - 1):
            ear, after = asked.pop(chance.randrange(len(asked)))
            if after >= 0:
                ear.heard(after) if after < 99 else ear.end()
            engine.cancel(ear.request)
    idle(engine)
    engine.drawn.clear()
    engine.watched.batches.clear()


def test_a_thousand_requests_leave_nothing_behind(engine: Watching) -> None:
    chance = random.Random(6)
    crowd(engine, chance, 400)
    threads, memory = threading.active_count(), resident() if STATM.exists() else 0
    crowd(engine, chance, 600)
    assert threading.active_count() == threads
    assert not engine._running
    assert not engine._queue
    assert engine.watched.samplers == 0
    for slot in engine._slots:
        assert slot.request is None
        assert slot.sampler is None
        assert engine.left(slot) == len(slot.past) - 1
    assert engine._cache.bytes <= engine._cache.limit
    if STATM.exists():
        assert resident() - memory < LEEWAY


def elsewhere(act: Callable[[], object]) -> None:
    """Do it in another thread, to its end."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("after", [1, 5])
def test_a_reply_ends_within_one_token(engine: Watching, after: int) -> None:
    def hear(event: Event) -> None:
        if event.tokens == after:
            elsewhere(lambda: engine.cancel(leaving.request))

    leaving = Ear(engine, "I like music and", max_tokens=900, ignore_eos=True, hear=hear)
    leaving.ask().end()
    assert leaving.request.tokens == after
    assert len(engine.drawn[leaving.request]) <= after + 1


def test_a_prompt_ends_within_one_piece(engine: Watching) -> None:
    """While another chat is being written, which goes on."""
    pieces: list[int] = []

    def hear(event: Event) -> None:
        large = [batch for batch in engine.watched.batches if max(batch.values()) > 10]
        if len(large) == 2 and not pieces:
            pieces.append(2)
            elsewhere(lambda: engine.cancel(leaving.request))

    writing = Ear(engine, "I like music and", max_tokens=200, ignore_eos=True, hear=hear).ask()
    assert writing.heard(1)
    leaving = Ear(engine, WORDS[:900], max_tokens=20).ask()
    leaving.end()
    writing.reply()
    assert pieces
    assert sum(1 for batch in engine.watched.batches if max(batch.values()) > 10) <= 3
    assert leaving.request.tokens == 0
    assert writing.request.tokens == 200


def test_who_leaves_the_middle_of_the_line_moves_up_those_behind(engine: Watching) -> None:
    running = [Ear(engine, "I like", max_tokens=900, ignore_eos=True) for _ in range(2)]
    for ear in running:
        ear.ask()
    waiting = [Ear(engine, WORDS[:900], max_tokens=100) for _ in range(3)]  # no room beside the two
    for ear in waiting:
        ear.ask()
        while not ear.request.position:
            time.sleep(0.001)
    engine.cancel(waiting[1].request)
    engine.cancel(waiting[1].request)
    assert waiting[1].request not in engine._queue
    for ear in running:
        engine.cancel(ear.request)
    assert waiting[2].end().error is None
    for ear in (waiting[0], waiting[2]):
        places = [event.position for event in ear.events if event.position is not None]
        assert places == sorted(places, reverse=True)
        assert not places or places[-1] == 0
    assert waiting[1].request not in engine.drawn


def test_nobody_who_runs_is_told_that_it_waits(engine: Watching) -> None:
    """Eight threads come and go at once: the last place that one who got text heard of is none."""
    heard: list[Ear] = []

    def visit(number: int) -> None:
        chance = random.Random(number)
        for _ in range(30):
            ear = Ear(engine, "hi", max_tokens=chance.randint(1, 3), ignore_eos=True).ask()
            if chance.random() < 0.3:
                engine.cancel(ear.request)
            else:
                ear.end()
                heard.append(ear)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(heard) > 100
    for ear in heard:
        places = [event.position for event in ear.events if event.position is not None]
        assert not places or places[-1] == 0
        assert ear.events[-1].finish == "length"


def test_closing_tells_everybody() -> None:
    with opened(8, 4096) as engine:
        ears = [Ear(engine, "I like music and", max_tokens=300, ignore_eos=True).ask() for _ in range(13)]
        assert ears[7].heard(1)
        closing = [threading.Thread(target=engine.close) for _ in range(3)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(PATIENCE)
        for ear in ears:
            last = ear.end()
            assert last.finish == "length" or "was closed; start it again" in str(last.error)
        assert any(ear.end().error for ear in ears[:8])
        assert all(ear.end().error for ear in ears[8:])
        assert not engine._thread.is_alive()
        assert engine.watched.samplers == 0
        engine.close()
        with pytest.raises(ModelAPIError, match="llamacpp model was closed; start it again"):
            Ear(engine, "hi").ask()


def test_the_line_may_be_closed_at_any_moment() -> None:
    """Requests come from four threads while it closes: each one is refused or hears an end."""
    for attempt in range(6):
        with opened(2, 1024) as engine:
            ears: list[Ear] = []
            begun = threading.Barrier(5)

            def visit(engine: Watching = engine, ears: list[Ear] = ears, begun: threading.Barrier = begun) -> None:
                begun.wait()
                while True:
                    try:
                        ear = Ear(engine, "hi there", max_tokens=10, ignore_eos=True).ask()
                    except ModelAPIError:
                        return
                    ears.append(ear)
                    ear.heard(1)

            threads = [threading.Thread(target=visit) for _ in range(4)]
            for thread in threads:
                thread.start()
            begun.wait()
            threading.Event().wait(0.003 * attempt)
            engine.close()
            for thread in threads:
                thread.join(PATIENCE)
                assert not thread.is_alive()
            for ear in ears:
                ear.end()
