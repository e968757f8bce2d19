"""Figures checked by hand."""

import math

import pytest

from training import metrics


def test_perplexity_is_the_exponent_of_the_mean() -> None:
    assert metrics.perplexity(4 * math.log(8), 4) == pytest.approx(8)
    assert metrics.perplexity(0.0, 0) is None


def test_token_f1_weighs_words_said_and_words_wanted() -> None:
    assert metrics.token_f1("I have a dog.", "i have the DOG") == 1.0
    assert metrics.token_f1("I have two dogs", "no pets") == 0.0
    assert metrics.token_f1("yes yes yes", "yes we do") == pytest.approx(1 / 3)
    assert metrics.token_f1("", "") == 0.0


def test_distinct_counts_over_all_replies() -> None:
    assert metrics.distinct(["a b", "a c"], 1) == pytest.approx(3 / 4)
    assert metrics.distinct(["a b", "a b", "a c"], 2) == pytest.approx(2 / 3)
    assert metrics.distinct([""], 2) is None


def test_repeated_4grams_are_those_their_own_reply_has_said() -> None:
    assert metrics.repeated(["one two three four", "one two three four"]) == 0.0
    # 9 words have 6 runs of four, 3 of them different.
    assert metrics.repeated(["a b c a b c a b c"]) == pytest.approx(0.5)
    assert metrics.repeated(["too short"]) is None


def test_echoed_4grams_stand_in_the_prompt() -> None:
    assert metrics.echoed(["I like red cars a lot"], ["do i like red cars?"]) == pytest.approx(1 / 3)


def test_wilson_interval() -> None:
    low, high = metrics.wilson(8, 10) or (0, 0)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert metrics.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert metrics.wilson(0, 0) is None


def test_a_description_has_every_figure() -> None:
    found = metrics.reply_metrics(["hello there", " "], ["hello", "bye"], ["hi", "hi"])
    assert found["replies"] == 2
    assert found["words"] == 1.0
    assert found["empty"] == 0.5
    assert found["f1"] == pytest.approx(1 / 3)
    assert metrics.reply_metrics([], [], [])["f1"] is None
