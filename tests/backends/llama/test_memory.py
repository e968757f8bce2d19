"""What is computed once stays: second turns, shared beginnings, least use; and what does not fit waits its turn."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.backends.llama.chats import Alone, Ear, Watching, opened

WORDS = tuple(range(300, 4000))


def told(engine: Watching, prompt: Sequence[int], longest: int = 5) -> tuple[list[int], int]:
    """A prompt with its whole reply, and how many tokens were computed for it."""
    before = engine.watched.computed
    ear = Ear(engine, prompt, max_tokens=longest, ignore_eos=True).ask()
    ear.reply()
    return [*prompt, *engine.drawn[ear.request]], engine.watched.computed - before


def talks(count: int, size: int = 100) -> list[tuple[int, ...]]:
    """Prompts that begin differently."""
    return [WORDS[at * size : (at + 1) * size] for at in range(count)]


@pytest.mark.parametrize("between", [0, 3])
def test_the_second_turn_computes_only_what_is_new(between: int) -> None:
    """Also after others had the only place. The last token drawn was not computed before; of 5 drawn, 4 are."""
    first, *others = talks(4)
    with opened(1, 1024) as engine:
        said, cold = told(engine, first, 30)
        assert cold == 100 + 29
        for other in others[:between]:
            told(engine, other)
        new = engine.encode(" And you?")
        assert told(engine, [*said, *new])[1] == 1 + len(new) + 4


def test_a_reply_that_was_changed_is_computed_from_there() -> None:
    (first,) = talks(1)
    with opened(2, 2048) as engine:
        said, _ = told(engine, first, 30)
        assert told(engine, [*said[:110], *WORDS[900:910]])[1] == 10 + 4


@pytest.mark.parametrize("cache", [0, 2**26])
def test_the_same_prompt_again_computes_its_last_token(cache: int) -> None:
    (first,) = talks(1)
    with opened(1, 1024, cache=cache) as engine:
        told(engine, first)
        assert told(engine, first)[1] == 1 + 4


@pytest.mark.parametrize("runs", [True, False])
def test_a_shared_beginning_is_computed_once(runs: bool) -> None:
    """Taken from one that runs, or from one that ended and whose place another has."""
    shared, one, other = talks(3)
    with opened(2, 2048) as engine:
        long = Ear(engine, [*shared, *one], max_tokens=600, ignore_eos=True).ask()
        assert long.heard(1)
        if not runs:
            engine.cancel(long.request)
            told(engine, talks(5)[4])
        seen = len(engine.watched.batches)
        ear = Ear(engine, [*shared, *other], max_tokens=1, ignore_eos=True).ask()
        ear.reply()
        alone = Alone(engine.model)
        assert alone.same(ear.request, engine.drawn[ear.request], alone.greedy(ear.request))
        alone.close()
        pieces = [count for batch in engine.watched.batches[seen:] for count in batch.values() if count > 1]
        assert sum(pieces) == len(other)
        engine.cancel(long.request)


def test_who_was_not_used_for_longest_is_forgotten() -> None:
    a, b, c, d, e = talks(5)
    with opened(1, 1024) as engine:
        told(engine, a)
        told(engine, b)
        each = engine._cache.bytes
    with opened(1, 1024, cache=each * 7 // 2) as engine:
        first, _ = told(engine, a)
        second, _ = told(engine, b)
        told(engine, c)
        first, again = told(engine, first)
        assert again == 1 + 4
        told(engine, d)
        told(engine, e)
        assert engine._cache.bytes <= engine._cache.limit
        assert told(engine, first)[1] == 1 + 4
        assert told(engine, second)[1] == len(second) + 4


def test_without_room_in_the_cache_all_is_computed_again() -> None:
    first, other = talks(2)
    with opened(1, 1024, cache=1000) as engine:
        said, _ = told(engine, first)
        told(engine, other)
        assert engine._cache.bytes == 0
        assert told(engine, said)[1] == len(said) + 4


def test_a_conversation_longer_than_the_room_left_is_computed_again() -> None:
    """It was put aside whole, and only its beginning is wanted, beside somebody who needs the rest of the context."""
    with opened(2, 1024) as engine:
        said, _ = told(engine, WORDS[:700], 5)
        busy = Ear(engine, WORDS[2000:2300], max_tokens=600, ignore_eos=True).ask()
        assert busy.heard(1)
        ear = Ear(engine, [*said[:60], 2500], max_tokens=20, ignore_eos=True).ask()
        assert ear.reply() != ""
        alone = Alone(engine.model)
        assert alone.same(ear.request, engine.drawn[ear.request], alone.greedy(ear.request))
        alone.close()
        assert busy.request.tokens > 0
        engine.cancel(busy.request)
        assert busy.end().error is None


def test_a_beginning_that_is_no_longer_whole_is_not_gone_on_from() -> None:
    """As in models with a sliding window, which forget what lies far behind, and say so nowhere else."""
    with opened(2, 1024) as engine:
        said, _ = told(engine, WORDS[:100])
        (slot,) = (slot for slot in engine._slots if slot.past)
        engine.api.llama_memory_seq_rm(engine._context.memory, slot.number, 0, 10)
        again = Ear(engine, [*said[:50], 3000], max_tokens=20, ignore_eos=True).ask()
        again.reply()
        alone = Alone(engine.model)
        assert alone.same(again.request, engine.drawn[again.request], alone.greedy(again.request))
        alone.close()


def test_the_window_is_filled_exactly() -> None:
    with opened(2, 1024) as engine:
        ear = Ear(engine, WORDS[:1000], max_tokens=24, ignore_eos=True).ask()
        assert ear.end().finish == "length"
        drawn = engine.drawn[ear.request]
        assert len(drawn) == 24
        alone = Alone(engine.model)
        assert alone.same(ear.request, drawn, alone.greedy(ear.request))
        alone.close()


def test_what_needs_more_than_there_is_waits_in_order() -> None:
    """Three fit together by number, two by need; a small one that would fit does not overtake a large one."""
    order: list[int] = []
    needs = [(300, 100), (300, 100), (900, 20), (10, 5), (300, 100)]
    with opened(3, 1024) as engine:
        ears = []
        for number, (size, longest) in enumerate(needs):

            def hear(event: object, number: int = number) -> None:
                if getattr(event, "text", "") and number not in order:
                    order.append(number)

            prompt = WORDS[number * 700 : number * 700 + size]
            ears.append(Ear(engine, prompt, max_tokens=longest, ignore_eos=True, hear=hear).ask())
            while number == 2 and not ears[2].request.position:
                time.sleep(0.001)
        for ear, (_, longest) in zip(ears, needs, strict=True):
            ear.reply()
            assert ear.request.tokens == longest
        places = [[event.position for event in ear.events if event.position is not None] for ear in ears]
    assert order == sorted(order)
    assert max(len(batch) for batch in engine.watched.batches) == 2
    assert places[4] == sorted(places[4], reverse=True)
    assert places[4][-1] == 0


def test_a_long_prompt_stalls_nobody() -> None:
    """Each piece of it is computed after a token of the chat that is being written."""
    with opened(2, 2048) as engine:
        writing = Ear(engine, "I like music and", max_tokens=600, ignore_eos=True).ask()
        assert writing.heard(3)
        (first,) = engine.watched.batches[-1]
        coming = Ear(engine, WORDS[:900], max_tokens=1, ignore_eos=True).ask()
        coming.reply()
        read = [at for at, batch in enumerate(engine.watched.batches) if set(batch) - {first}]
        assert sum(engine.watched.batches[at].total() for at in read) == 900
        assert len(read) >= 3
        assert all(engine.watched.batches[at - 1] == {first: 1} for at in read)
        engine.cancel(writing.request)


@pytest.mark.parametrize("cache", [0, 2**26])
def test_replies_without_a_bound_run_together_and_who_came_last_gives_way(cache: int) -> None:
    """Each may fill the whole context. What was drawn when the memory went is neither lost nor told twice."""
    prompts = talks(4, 40)
    with opened(4, 256, window=256, cache=cache) as engine:
        ears = [Ear(engine, p, max_tokens=216, ignore_eos=True, expected=20).ask() for p in prompts]
        assert [ear.end().finish for ear in ears] == ["length"] * 4
        alone = Alone(engine.model)
        for ear in ears:
            drawn = engine.drawn[ear.request]
            assert len(drawn) == ear.request.tokens == 216
            assert alone.same(ear.request, drawn, alone.greedy(ear.request))
            assert ear.text == b"".join(map(engine.token_bytes, drawn)).decode(errors="replace")
        alone.close()
        places = [[event.position for event in ear.events if event.position is not None] for ear in ears]
        assert max(len(batch) for batch in engine.watched.batches) == 4
        assert (places[0], places[3][-1]) == ([], 0)
        assert max(places[3]) > 0, "it waited until there was room again"
        assert engine.watched.samplers == 0
        assert not engine.pending_count()


def test_what_a_reply_said_is_penalised_after_it_gave_way_too() -> None:
    """With such penalties hardly anything comes twice."""
    first, second = talks(2, 40)
    options: dict[str, Any] = {"max_tokens": 300, "ignore_eos": True, "presence_penalty": 2.0, "frequency_penalty": 2.0}
    with opened(2, 512, window=512) as engine:
        busy = Ear(engine, first, **{**options, "max_tokens": 472}, expected=50).ask()
        assert busy.heard(1)
        ear = Ear(engine, second, **options, expected=50).ask()
        ear.reply()
        assert ear.request.drawn, "it gave way"
        drawn = engine.drawn[ear.request]
        assert sum(drawn.count(token) > 1 for token in set(drawn)) < 35


def test_who_gave_way_may_leave() -> None:
    first, second = talks(2, 40)
    with opened(2, 512, window=512) as engine:
        busy = Ear(engine, first, max_tokens=472, ignore_eos=True, expected=50).ask()
        assert busy.heard(1)
        ear = Ear(engine, second, max_tokens=472, ignore_eos=True, expected=50).ask()
        while not ear.request.position:
            time.sleep(0.001)
        engine.cancel(ear.request)
        assert busy.end().finish == "length"
        assert ear.request.tokens < 472
        told(engine, [*second, 5])
        assert engine.watched.samplers == 0
