"""Where a conversation is cut: among the turns that fit, at one for long, whether one remembers or not."""

import random

import pytest

from chains.cut import STEP, Cut, lasting_cut, least_cut


def first_fitting(sizes: list[int], room: int) -> int:
    """The oldest turn from which on all fit; the newest one is kept whatever it takes."""
    first = len(sizes) - 1
    while first and sum(sizes[first - 1 :]) <= room:
        first -= 1
    return first


def cuts(sizes: list[int], room: int, *, remembers: bool, cut: Cut = lasting_cut) -> list[int]:
    """The cut after each turn of a conversation, from the one on that fills the room."""
    made: list[int] = []
    for newest in range(len(sizes)):
        first = first_fitting(sizes[: newest + 1], room)
        before = None if not remembers else made[-1] if made else 0
        if first:
            made.append(cut(first, sizes[first : newest + 1], before))
    return made


def drawn(seed: int, mean: int, spread: float, number: int = 200) -> list[int]:
    rng = random.Random(seed)
    return [max(1, round(mean * (1 + spread * rng.uniform(-1, 1)))) for _ in range(number)]


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("mean", [10, 40, 90, 160, 240, 400, 2000])
def test_a_cut_is_one_of_the_turns_that_fit_and_keeps_the_turn_before_the_newest(mean: int, remembers: bool) -> None:
    for seed in range(5):
        sizes, before = drawn(seed, mean, 0.6), 0
        for newest in range(1, len(sizes)):
            first = first_fitting(sizes[: newest + 1], 950)
            if not first:
                continue
            kept = sizes[first : newest + 1]
            before = lasting_cut(first, kept, before if remembers else None)
            assert first <= before <= newest
            assert before < newest or first == newest
            earlier, stays = sum(kept[:-1]), sum(sizes[before:newest])
            assert stays >= earlier / 2 or before - first < STEP


@pytest.mark.parametrize("remembers", [True, False])
def test_it_moves_once_in_four_turns_where_five_fit(remembers: bool) -> None:
    made = cuts([183] * 200, 950, remembers=remembers)
    assert len(set(made)) <= len(made) / 4 + 1
    assert len(set(cuts([183] * 200, 950, remembers=remembers, cut=least_cut))) == len(made)


@pytest.mark.parametrize("spread", [0, 0.5, 0.9])
@pytest.mark.parametrize("mean", [10, 40, 90, 160])
def test_it_never_goes_back_and_moves_seldom(mean: int, spread: float) -> None:
    for seed in range(5):
        sizes = drawn(seed, mean, spread, 400)
        for remembers, share in ((True, 0.45), (False, 0.6)):
            made = cuts(sizes, 950, remembers=remembers)
            assert made == sorted(made)
            assert len(set(made)) <= share * len(made) + 1


def test_the_same_conversation_is_cut_alike_where_nobody_remembers() -> None:
    """From any turn on: what was asked of this process before plays no part."""
    sizes = drawn(1, 60, 0.5)
    whole = cuts(sizes, 950, remembers=False)
    for newest in (50, 111, 199):
        first = first_fitting(sizes[: newest + 1], 950)
        assert lasting_cut(first, sizes[first : newest + 1]) == whole[newest - len(sizes)]


@pytest.mark.parametrize(
    ("first", "turns", "before", "cut"),
    [
        (1, 5, None, 4), (4, 5, None, 4), (5, 5, None, 8),  # the roundest of four
        (5, 1, None, 5), (5, 1, 3, 5), (6, 2, 3, 6), (6, 2, None, 6),  # nothing to choose from
        (10, 20, 12, 12), (10, 20, 9, 19), (10, 20, 29, 19), (10, 20, 0, 19), (13, 20, 12, 22),
        (1, 3, None, 2), (2, 4, None, 4), (100, 41, None, 112), (128, 41, None, 128), (129, 41, None, 144),
    ],
)  # fmt: skip
def test_some_cuts(first: int, turns: int, before: int | None, cut: int) -> None:
    assert lasting_cut(first, [50] * turns, before) == cut


def test_a_long_turn_stays_as_long_as_it_is_half_of_what_there_is() -> None:
    assert lasting_cut(3, [10, 10, 10, 900, 10, 10], 0) == 6
    assert lasting_cut(3, [900, 10, 10, 10, 10, 10], 0) == 6  # fewer than four to choose from otherwise
    assert lasting_cut(3, [10, 10, 10, 10, 900], 0) == 6
    assert lasting_cut(3, [900, 10, 10], 0) == 4
