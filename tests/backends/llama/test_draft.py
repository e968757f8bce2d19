"""Guesses win time and change no text: with them and without, greedy and with a seed, alone and in company."""

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import llama_library
from backends.llama.draft import Draft
from backends.llama.pace import MOST_ROWS, SIZES, TRIES, WAIT, Pace
from backends.local.engine import Event
from backends.local.grammar import Grammars
from backends.local.response_format import ResponseFormat
from tests.backends.llama.chats import Alone, Ear, Watching, opened
from tests.conftest import GGUF

REFRAIN = "The ship sails at noon, and the old captain sings of the sea. " * 4
TEXTS = (REFRAIN, "one two three four five six one two three", "I like music and I like music and", "My dog is")
SEEDED: dict[str, Any] = {"temperature": 0.4, "top_k": 50, "top_p": 1.0, "seed": 5}
TALKS: tuple[dict[str, Any], ...] = (
    {},
    {"ignore_eos": True, "max_tokens": 90},
    {"stop": ("sea", " and")},
    {"repetition_penalty": 1.3, "repeat_last_n": -1},
    {"frequency_penalty": 0.6, "presence_penalty": 0.4, "ignore_eos": True},
    {**SEEDED, "ignore_eos": True},
    {**SEEDED, "temperature": 1.0, "repetition_penalty": 1.2, "stop": ("the", "\n")},
)


class Eager(Pace):
    """Guesses as far as can be."""

    def draft(self, shares: Sequence[float], longest: int, least: int = 1) -> int:
        return min(longest, MOST_ROWS // len(shares) - 1)


class Sober(Pace):
    """Guesses nothing."""

    def draft(self, shares: Sequence[float], longest: int, least: int = 1) -> int:
        return 0


@pytest.fixture(scope="module")
def q8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model in 8 bits, of which one row is computed as two are."""
    path = tmp_path_factory.mktemp("q8") / "model.gguf"
    api = llama_library.load()
    params = api.llama_model_quantize_default_params()
    params.ftype = api.LLAMA_FTYPE_MOSTLY_Q8_0
    assert api.llama_model_quantize(os.fsencode(GGUF), os.fsencode(path), ctypes.byref(params)) == 0
    return path


@pytest.fixture(scope="module", params=[(4, 4096), (4, 2048)], ids=["parts", "shared"])
def engines(request: pytest.FixtureRequest, q8: Path) -> Iterator[tuple[Watching, Watching]]:
    """One that guesses as far as can be, and one that never does."""
    with opened(*request.param, path=q8, pace=Eager()) as eager, opened(*request.param, path=q8, pace=Sober()) as sober:
        yield eager, sober


def drawn(engine: Watching, texts: Sequence[str], options: dict[str, Any]) -> tuple[list[list[int]], list[str], int]:
    """What is drawn and heard for texts asked together, and how many batches that took."""
    before = len(engine.watched.batches)
    ears = [Ear(engine, text, **{"max_tokens": 60, **options}) for text in texts]
    for ear in ears:
        ear.ask()
    heard = [ear.reply() for ear in ears]
    return [engine.drawn[ear.request] for ear in ears], heard, len(engine.watched.batches) - before


@pytest.mark.parametrize("options", TALKS, ids=lambda options: " ".join(options) or "plain")
def test_a_reply_alone_is_the_same_token_by_token(engines: tuple[Watching, Watching], options: dict[str, Any]) -> None:
    eager, sober = engines
    if "seed" in options and not eager.limits.is_partitioned:
        pytest.skip("with a seed nothing is guessed where all share one memory")
    for text in TEXTS:
        guessed, plain = drawn(eager, [text], options), drawn(sober, [text], options)
        assert guessed[:2] == plain[:2]
        if options.get("ignore_eos") and "presence_penalty" not in options:
            assert guessed[2] < plain[2], "some guesses came true"


def test_together_each_gets_what_it_gets_alone(engines: tuple[Watching, Watching]) -> None:
    """Chats that decode together are guessed equally far."""
    eager, _ = engines
    if not eager.limits.is_partitioned:
        pytest.skip("beside others all rounds otherwise where all share one memory")
    options = {**SEEDED, "ignore_eos": True}
    alone = [drawn(eager, [text], options)[0][0] for text in TEXTS]
    assert drawn(eager, TEXTS, options)[0] == alone


def test_a_reply_of_a_form_is_the_same(engines: tuple[Watching, Watching]) -> None:
    form, found = ResponseFormat("regex", "The ship sails( and sails| at noon){3,9}[.]", "pattern"), []
    for engine in engines:
        before = len(engine.watched.batches)
        ear = Ear(engine, REFRAIN, max_tokens=60)
        ear.request.matcher = Grammars(engine, engine.encode).matcher(form)
        found.append((ear.ask().reply(), len(engine.watched.batches) - before))
    (guessed, fewer), (plain, more) = found
    assert guessed == plain
    assert guessed.startswith("The ship sails")
    assert fewer < more


def test_greedy_text_is_left_alone_where_one_row_rounds_otherwise() -> None:
    """As in half precision; with a seed no row is ever alone, so guesses may be made."""
    with opened(2, 2048, pace=Eager()) as engine:
        assert not engine._context.rounds_alike
        options = {"ignore_eos": True, "max_tokens": 40}
        assert drawn(engine, [REFRAIN], options)[2] == 1 + 39
        assert drawn(engine, [REFRAIN], {**options, "seed": 1})[2] < 1 + 39


def test_a_guess_goes_no_further_than_reply_and_window(q8: Path) -> None:
    with opened(1, 256, window=256, path=q8, pace=Eager()) as engine, opened(1, 256, window=256, path=q8) as other:
        ids = engine.encode(REFRAIN * 3)[:200]
        for longest in (1, 2, 3, 56):
            ear = Ear(engine, ids, max_tokens=longest, ignore_eos=True).ask()
            assert ear.end().finish == "length"
            alone = Alone(other.model)
            drawn = engine.drawn[ear.request]
            assert len(drawn) == longest
            # Rows of a prompt that was kept, and rows that came together, may round otherwise on another CPU.
            assert alone.same(ear.request, drawn, alone.greedy(ear.request), tie=0.1)
            alone.close()
            slot = next(slot for slot in engine._slots if slot.past)
            assert engine.left(slot) == len(slot.past) - 1 == len(ids) + longest - 2


def test_who_leaves_in_the_middle_of_a_guess_leaves_nothing(q8: Path) -> None:
    with opened(2, 2048, path=q8, pace=Eager()) as engine, opened(2, 2048, path=q8, pace=Sober()) as sober:
        ears: list[Ear] = []

        def leave(event: Event) -> None:
            if event.tokens > 3:
                ears[0].request.cancel()

        ears.append(Ear(engine, REFRAIN, max_tokens=400, ignore_eos=True, hear=leave))
        assert ears[0].ask().end().tokens < 400
        slot = next(slot for slot in engine._slots if slot.past)
        assert engine.left(slot) == len(slot.past) - 1
        drawn(sober, [REFRAIN], {"max_tokens": 4})
        options = {"max_tokens": 20, "ignore_eos": True}
        assert drawn(engine, [REFRAIN], options)[0] == drawn(sober, [REFRAIN], options)[0]


def test_what_stood_before_is_guessed_and_how_often_it_comes_true_is_known() -> None:
    draft = Draft([1, 2, 3, 4, 5, 9, 9, 1, 2, 3])
    assert draft.guess(3) == [4, 5, 9]
    before = draft.share
    for token in (4, 5, 9, 9, 1):
        draft.add(token)
    assert draft.share > before
    assert draft.guess(2) == [2, 3]
    before = draft.share
    draft.add(77)
    assert draft.share < before
    assert draft.guess(4) == []
    draft.add(9)
    draft.add(9)
    assert draft.guess(1) == [1]
    assert Draft([5]).guess(4) == Draft([]).guess(4) == []


def paced(kind: type[Pace] = Pace, **seconds: float) -> Pace:
    """A pace that has seen steps of so many rows often."""
    pace = kind()
    for rows, each in seconds.items():
        for _ in range(TRIES):
            pace.note(int(rows.removeprefix("r")), each)
    return pace


def test_guesses_are_made_only_where_they_pay() -> None:
    dear = paced(Pace, **{f"r{size}": float(size) for size in SIZES})
    cheap = paced(Pace, **{f"r{size}": 1 + size / 10 for size in SIZES})
    assert dear.draft([0.9], 15) == 0
    assert cheap.draft([0.95], 15) == 15
    assert cheap.draft([0.95], 6) == 5
    assert cheap.draft([0.05], 15) == 0
    assert cheap.draft([0.9, 0.9], 15) == 7
    assert cheap.draft([0.9] * 9, 15) == 0
    assert 0 < cheap.draft([0.5], 15) < 15


def test_two_rows_and_odd_ones_are_computed_as_is_faster() -> None:
    assert paced(r1=1, r2=2.5).is_split(2)
    assert not paced(r1=1, r2=1.5).is_split(2)
    assert not paced(r2=1.5).is_split(2)
    assert paced(r3=4, r4=3).is_padded(3)
    assert not paced(r3=3, r4=4).is_padded(3)
    assert paced(r3=3).is_padded(3), "to learn how long four take"
    assert not any(paced(r4=4, r5=1).is_padded(rows) for rows in (1, 2, 4))


def test_a_piece_of_a_prompt_lasts_no_longer_than_others_wait() -> None:
    pace = Pace()
    assert pace.piece(200) == 200
    pace.note_prompt(100, 2.0)
    assert pace.piece(200) * 2.0 / 100 == WAIT
    assert pace.piece(20) == 20
    pace.note_prompt(100, 0.2)
    assert WAIT * 100 / 2.0 < pace.piece(200) < 200


def test_three_chats_are_computed_as_four_where_that_is_faster() -> None:
    options: dict[str, Any] = {"max_tokens": 30, "ignore_eos": True, "seed": 2}
    with opened(4, 4096) as engine:
        alone = [drawn(engine, [text], options)[0][0] for text in TEXTS[:3]]
    pace = paced(Sober, r1=1, r2=2, r3=40, r4=3)
    with opened(4, 4096, pace=pace) as engine:
        assert drawn(engine, TEXTS[:3], options)[0] == alone
        assert any(len(batch) == 4 for batch in engine.watched.batches)
        assert not any(len(batch) == 3 for batch in engine.watched.batches)


def test_where_all_share_one_memory_a_step_is_one_batch() -> None:
    """A token of who is answered, and pieces of both newcomers; what these two begin with is computed once."""
    words = tuple(range(300, 4000))
    with opened(4, 2048, pace=Sober()) as engine:
        writing = Ear(engine, "I like music and", max_tokens=900, ignore_eos=True).ask()
        assert writing.heard(3)
        (first,) = engine.watched.batches[-1]
        seen = len(engine.watched.batches)
        with engine._changed:  # both come between two steps
            shared = [Ear(engine, [*words[:300], *end], max_tokens=1) for end in (words[500:520], words[600:630])]
            for ear in shared:
                ear.ask()
        for ear in shared:
            ear.reply()
        read = [batch for batch in engine.watched.batches[seen:] if set(batch) - {first}]
        assert all(batch[first] == 1 for batch in read)
        assert sum(batch.total() - 1 for batch in read) == 300 + 20 + 30
        assert len(read) > 2
        alone = Alone(engine.model)
        for ear in shared:
            assert alone.same(ear.request, engine.drawn[ear.request], alone.greedy(ear.request))
        alone.close()
        engine.cancel(writing.request)
        while engine.pending_count():
            time.sleep(0.001)
