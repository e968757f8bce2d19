"""Each option does what its name says, a seed gives the same text again, and a value that means nothing is one line."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from langchain_core.exceptions import ModelInvalidRequestError

import backends
from backends.llama.context import Limits
from backends.llamacpp import BackendSettings, limits
from backends.local.sampling import Sampling
from settings import Settings
from tests.backends.llama.chats import TIE, Alone, Ear, Watching, opened

PROMPT = "I like music and"
WHOLE: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, "ignore_eos": True}
FIFTY = {**WHOLE, "temperature": 0.8, "top_k": 50}


@pytest.fixture(scope="module")
def engine() -> Iterator[Watching]:
    """Eight chats together."""
    with opened(8, 8192) as engine:
        yield engine


@pytest.fixture(scope="module")
def shares(engine: Watching) -> Any:
    """The probability of each token after the prompt, the likeliest first, and the tokens in that order."""
    alone = Alone(engine.model)
    logits = alone.logits(engine.encode(PROMPT))
    alone.close()
    logits[list(engine.model.end_ids)] = -np.inf
    order = np.argsort(-logits)
    share = np.exp(logits[order] - logits.max())
    return share / share.sum(), order.tolist()


def firsts(engine: Watching, times: int, **options: Any) -> set[int]:
    """The first tokens drawn with as many seeds."""
    ears = [Ear(engine, PROMPT, **{**WHOLE, **options}, max_tokens=1, seed=seed) for seed in range(times)]
    for ear in ears:
        ear.ask().reply()
    return {engine.drawn[ear.request][0] for ear in ears}


def test_temperature_flattens(engine: Watching, shares: Any) -> None:
    cold, warm, hot = (firsts(engine, 60, temperature=heat) for heat in (0.02, 1.0, 2.0))
    assert cold == {shares[1][0]} == firsts(engine, 2, temperature=0)
    assert len(cold) < len(warm) < len(hot)


def test_top_k_draws_from_the_k_likeliest(engine: Watching, shares: Any) -> None:
    assert firsts(engine, 80, top_k=3, temperature=2.0) == set(shares[1][:3])
    assert firsts(engine, 5, top_k=1, temperature=2.0) == set(shares[1][:1])


def test_top_p_draws_from_the_smallest_set_of_that_share(engine: Watching, shares: Any) -> None:
    share, order = shares
    nucleus = set(order[: int(np.searchsorted(np.cumsum(share), 0.3)) + 1])
    assert 1 < len(nucleus) < 20
    assert firsts(engine, 80, top_p=0.3) <= nucleus
    assert len(firsts(engine, 80, top_p=0.3)) > 1
    assert not firsts(engine, 30) <= nucleus
    assert firsts(engine, 5, top_p=1e-6) == {order[0]}


def test_repetition_penalty_lowers_what_was_said(engine: Watching) -> None:
    def variety(penalty: float) -> int:
        ear = Ear(engine, PROMPT, max_tokens=60, ignore_eos=True, repetition_penalty=penalty).ask()
        ear.reply()
        return len(set(engine.drawn[ear.request]))

    assert variety(0.3) < variety(1.0) < variety(1.5)


@pytest.mark.parametrize("seed", [0, 1, -1, 2**32 - 1, 2**32, -(2**63), 2**63 - 1])
def test_any_seed_gives_the_same_text_again(engine: Watching, seed: int) -> None:
    """-1 and 4294967295, which llama.cpp takes for a random one, too."""
    texts = {Ear(engine, PROMPT, **WHOLE, max_tokens=12, seed=seed).ask().reply() for _ in range(3)}
    assert len(texts) == 1


def test_another_seed_gives_another_text(engine: Watching) -> None:
    for seeds in (range(8), [None] * 8):
        assert len({Ear(engine, PROMPT, **WHOLE, max_tokens=12, seed=seed).ask().reply() for seed in seeds}) == 8


def seeded(engine: Watching, longest: int = 40, count: int = 6) -> list[Ear]:
    """Requests with seeds."""
    return [Ear(engine, PROMPT, **FIFTY, max_tokens=longest, seed=seed) for seed in range(count)]


def noise(engine: Watching) -> list[Ear]:
    """Requests that leave something computed behind, of the same beginning too."""
    texts = (PROMPT, "My dog is " * 20, PROMPT + " books")
    return [Ear(engine, text, **WHOLE, max_tokens=at * 9 + 1) for at, text in enumerate(texts)]


def test_where_one_chat_runs_at_a_time_a_seed_gives_the_same_text_whoever_waits() -> None:
    with opened(1, 1024) as engine:
        alone = [ear.ask().reply() for ear in seeded(engine)]
        crowd = [ear.ask() for pair in zip(seeded(engine), noise(engine) * 2, strict=True) for ear in pair]
        assert [ear.reply() for ear in crowd[::2]] == alone
        assert len(set(alone)) == len(alone)


def test_alone_a_seed_gives_the_same_text_whatever_was_computed_before(engine: Watching) -> None:
    alone = [ear.ask().reply() for ear in seeded(engine)]
    for each, ear in zip(alone, seeded(engine), strict=True):
        for other in [other.ask() for other in noise(engine)]:
            other.reply()
        assert ear.ask().reply() == each


def gap(logits: Any, one: int, other: int) -> float:
    """How far the number drawn must move to choose the other of two tokens: 0 where they are neighbours.

    Tokens of nearly the same logit may stand in either order, as rounding has it.
    """
    kept = np.sort(logits)[::-1][: FIFTY["top_k"]]
    shares = np.exp((kept - logits.max()) / FIFTY["temperature"])
    first, second = sorted((float(logits[token]) for token in (one, other)), reverse=True)
    latest_end, earliest_start = shares[kept >= first - TIE].sum(), shares[kept > second + TIE].sum()
    return float(max(0.0, earliest_start - latest_end) / shares.sum())


def test_a_seed_gives_the_same_text_in_whatever_company(engine: Watching) -> None:
    """Beside others with seeds and without, long prompts, and some that leave."""
    before = [ear.ask().reply() for ear in seeded(engine, 60, 24)]
    together = seeded(engine, 60, 24)
    for at, ear in enumerate(together):
        ear.ask()
        other = Ear(engine, PROMPT * (at % 5 * 20 + 1), **WHOLE, max_tokens=1 + at).ask()
        if at % 3 == 0:
            engine.cancel(other.request)
    assert [ear.reply() for ear in together] == before


def test_with_memory_of_its_own_each_of_twenty_gets_the_text_it_gets_alone(engine: Watching) -> None:
    """Not one token is another, greedy as well as drawn: each looks at a part of its own."""
    assert engine.limits.is_partitioned
    options: dict[str, Any] = {"max_tokens": 40, "repetition_penalty": 1.0, "ignore_eos": True, "seed": 3}
    chats = [(f"{PROMPT} number {at} " + "very " * (at % 7 * 9), at % 2 * 0.8) for at in range(20)]
    alone = [Ear(engine, text, **options, temperature=heat).ask().reply() for text, heat in chats]
    together = [Ear(engine, text, **options, temperature=heat).ask() for text, heat in chats]
    assert [ear.reply() for ear in together] == alone


def test_chats_have_memory_of_their_own_where_there_is_a_window_for_each(settings: Settings) -> None:
    """By default with the shipped model; a window of 8,192 tokens for each of eight is more than is set aside."""
    engine: Any = backends.load("llamacpp", settings).engine  # type: ignore[attr-defined]
    assert engine.limits == Limits(1024, 8, 8192, engine.limits.threads)
    assert engine.limits.is_partitioned
    assert not Limits(8192, 8, 8192, 1).is_partitioned
    fewer = backends.with_settings(settings, "llamacpp", kv_tokens=4096).group(BackendSettings)
    assert not limits(fewer, engine.model).is_partitioned


def test_where_all_share_one_context_it_parts_only_at_a_rounding() -> None:
    """There is no window for each, and others' tokens lie between. Where a reply parts from itself, it was close."""
    with opened(8, 4096) as engine:
        before, together = seeded(engine, 60, 24), seeded(engine, 60, 24)
        for ear in before:
            ear.ask().reply()
        for ear in [ear.ask() for ear in together]:
            ear.reply()
        alone, equal = Alone(engine.model), 0
        for one, other in zip(before, together, strict=True):
            equal += parting(alone, one, engine.drawn[one.request], engine.drawn[other.request]) is None
        alone.close()
        assert equal > len(before) / 3


def parting(alone: Alone, ear: Ear, expected: list[int], drawn: list[int]) -> int | None:
    """The first token at which two replies to one request part, which must have been a near thing."""
    parted = next((at for at, pair in enumerate(zip(drawn, expected, strict=True)) if pair[0] != pair[1]), None)
    if parted is not None:
        logits = alone.logits([*ear.request.prompt, *expected[:parted]])
        assert gap(logits, drawn[parted], expected[parted]) < 0.01
    return parted


NUMBER, WHOLE_NUMBER = "it must be a number ", "it must be a whole number "


@pytest.mark.parametrize(
    ("option", "values", "span"),
    [
        ("temperature", (-0.1, 2.1, float("nan"), float("inf"), "hot", None, True, [1]), NUMBER + "from 0 to 2."),
        ("top_p", (0, -0.5, 1.01, float("nan"), "0.9"), NUMBER + "above 0 and up to 1."),
        ("repetition_penalty", (0, -1, 2.5, float("nan"), ()), NUMBER + "above 0 and up to 2."),
        ("top_k", (-2, 2.5, 2**31, "50", False), WHOLE_NUMBER + "from 0 to 2147483647."),
        ("max_tokens", (0, -5, 1.5, 2**31, "many"), WHOLE_NUMBER + "from 1 to 2147483647."),
        ("seed", (2**63, -(2**63) - 1, 1.5, "lucky", True), WHOLE_NUMBER + f"from {-(2**63)} to {2**63 - 1}."),
        ("min_p", (-0.1, 1.1, float("nan")), NUMBER + "from 0 to 1."),
        ("frequency_penalty", (-2.1, 2.1, "no"), NUMBER + "from -2 to 2."),
        ("presence_penalty", (-2.1, 2.1, float("-inf")), NUMBER + "from -2 to 2."),
    ],
)
def test_a_value_that_means_nothing_is_one_line(settings: Settings, option: str, values: Any, span: str) -> None:
    model = backends.load("llamacpp", settings)
    for value in values:
        with pytest.raises(ModelInvalidRequestError) as caught:
            Sampling(**{option: value})
        assert str(caught.value) == f"{option}={value}: {span}"
        if value is not None:
            with pytest.raises(ModelInvalidRequestError, match=f"^{option}="):
                model.invoke("hi", **{"max_tokens": 2, option: value})
    assert model.invoke("hi", max_tokens=2).text


@pytest.mark.parametrize(
    "options",
    [{"temperature": 2}, {"temperature": 0, "top_p": 1, "top_k": 0}, {"repetition_penalty": 2}, {"seed": None},
     {"top_p": 1e-6, "top_k": 2**31 - 1}, {"max_tokens": 2**31 - 1}, {"repetition_penalty": 0.01}, {"min_p": 1}],
)  # fmt: skip
def test_the_ends_of_a_range_belong_to_it(settings: Settings, options: dict[str, Any]) -> None:
    reply = backends.load("llamacpp", settings).invoke("hi", **{"max_tokens": 3, **options}, stop=["e"])
    assert reply.response_metadata["finish_reason"] in ("stop", "length")
