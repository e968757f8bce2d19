"""What fits into a window, on a model that counts exactly and on one that estimates."""

import itertools
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

import backends
from chains.assistant import build
from chains.cut import least_cut
from chains.report import Report
from chains.window import Fitted, count, counts_exactly, fit, room
from settings import Settings
from tests.loopback import Loopback


def turns(number: int, words: int = 30) -> list[BaseMessage]:
    made: list[BaseMessage] = []
    for i in range(number):
        made += [HumanMessage(f"question {i} " + "word " * words), AIMessage(f"answer {i}")]
    return made


@pytest.fixture
def model(settings: Settings) -> Any:
    return backends.load("llamacpp", settings)


def test_what_fits_is_left_alone(model: Any) -> None:
    messages = [SystemMessage("Be kind."), *turns(3), HumanMessage("hi")]
    assert fit(model, messages) == Fitted(messages, 0, 0, [], tokens=count(model, messages))


def test_the_oldest_whole_turns_go(model: Any) -> None:
    messages = [SystemMessage("Be kind."), *turns(60), HumanMessage("the newest")]
    least = fit(model, messages, cut=least_cut)
    for before in (None, 0, least.dropped_messages, least.dropped_messages + 2, 100):
        kept, dropped, dropped_messages, *_, tokens = fit(model, messages, before=before)
        assert dropped_messages == 2 * dropped
        assert kept[0] == messages[0]
        assert kept[-1] == messages[-1]
        assert kept[1].type == "human"
        assert kept[1:] == messages[1 + 2 * dropped :]
        assert tokens in {None, count(model, kept)}
        assert (768 - 50) / 2 < count(model, kept) <= 768
        assert dropped >= least.dropped
        assert dropped_messages == before or before not in {least.dropped_messages, least.dropped_messages + 2}
    with_one_more = [messages[0], *messages[1 + 2 * (least.dropped - 1) :]]
    assert count(model, with_one_more) > 1024 - 256


@pytest.mark.parametrize("remembers", [True, False])
def test_many_prompts_begin_alike(model: Any, remembers: bool) -> None:
    """The talk goes on, and what was computed for one prompt serves the next."""
    said, begins, before = turns(80), [], 0
    for number in range(40, 80):
        fitted = fit(model, [*said[: 2 * number], HumanMessage("hi")], before=before if remembers else None)
        before = fitted.dropped_messages
        begins.append(fitted.messages[0].text)
        assert fitted.messages == [*said[before : 2 * number], HumanMessage("hi")]
    in_a_row = [begin for begin, _ in itertools.groupby(begins)]
    assert len(in_a_row) == len(set(begins)) <= 8


def test_room_for_the_reply_is_kept(model: Any) -> None:
    messages = [*turns(60), HumanMessage("hi")]
    assert count(model, fit(model, messages, 500).messages) <= 1024 - 500
    assert count(model, fit(model, messages, 100_000).messages) <= 512


async def test_the_chain_reports_what_it_dropped(settings: Settings) -> None:
    report = Report()
    chain = build(settings, "llamacpp", options={"max_tokens": 5})
    await chain.ainvoke({"history": turns(60), "input": "hi"}, {"callbacks": [report]})
    assert report.dropped_turns > 30
    assert (report.window, report.estimated) == (1024, False)
    assert report.dropped_messages == 2 * report.dropped_turns


async def test_dropped_messages_are_counted_from_the_start_of_the_branch(settings: Settings) -> None:
    """Four more than the prompt's own, as where a summary stands for them."""
    report = Report()
    hidden = [4 + number for number in range(121)]
    chain = build(settings, "llamacpp", summary="Tom likes tea.", hidden=hidden, options={"max_tokens": 5})
    await chain.ainvoke({"history": turns(60), "input": "hi"}, {"callbacks": [report]})
    assert report.dropped_messages == 4 + 2 * report.dropped_turns
    await chain.ainvoke({"history": [], "input": "hi"}, {"callbacks": [report]})
    assert (report.dropped_turns, report.dropped_messages) == (0, 4)


async def test_a_turn_with_several_answers_counts_as_what_it_has(settings: Settings) -> None:
    report = Report()
    history = [message for turn in range(40) for message in [*turns(1), AIMessage(f"and again {turn}")]]
    chain = build(settings, "llamacpp", options={"max_tokens": 5})
    await chain.ainvoke({"history": history, "input": "hi"}, {"callbacks": [report]})
    assert report.dropped_messages == 3 * report.dropped_turns > 0


def test_room_is_what_a_reply_leaves(model: Any) -> None:
    assert (room(model), room(model, 100), room(model, 100_000)) == (1024 - 256, 924, 512)


async def test_a_reply_that_goes_on_is_counted_with_what_it_said(model: Any, settings: Settings) -> None:
    """Its beginning takes room from the history, and stays even where nothing else does."""
    partial = [AIMessage("so I said " * 60)]
    reports = [Report(), Report()]
    chain = build(settings, "llamacpp", options={"max_tokens": 5})
    inputs = {"history": turns(60), "input": "hi"}
    await chain.ainvoke(inputs, {"callbacks": [reports[0]]})
    await chain.ainvoke({**inputs, "partial": partial}, {"callbacks": [reports[1]]})
    assert reports[1].dropped_turns == reports[0].dropped_turns  # the cut left room for it, and is kept
    assert [report.prompt_tokens for report in reports] == sorted(report.prompt_tokens or 0 for report in reports)
    longer = [AIMessage("so I said " * 200)]
    await chain.ainvoke({**inputs, "partial": longer}, {"callbacks": [reports[1]]})
    assert reports[1].dropped_turns > reports[0].dropped_turns
    kept = fit(model, [*turns(60), HumanMessage("hi"), *partial], 5).messages
    assert kept[-1] == partial[0]
    assert count(model, kept) <= 1024 - 5
    with pytest.raises(ContextOverflowError, match="1024"):
        await chain.ainvoke({**inputs, "partial": [AIMessage("word " * 1100)]})


async def test_a_newest_message_that_cannot_fit_is_an_error(settings: Settings) -> None:
    with pytest.raises(ContextOverflowError, match="1024"):
        await build(settings, "llamacpp").ainvoke({"history": turns(3), "input": "word " * 1500})


async def test_an_estimate_is_marked_and_an_unknown_window_drops_nothing(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report()
    await build(Settings.read(), "openai").ainvoke({"history": turns(60), "input": "hi"}, {"callbacks": [report]})
    assert (report.window, report.dropped_turns) == (None, 0)
    assert len(loopback.requests[-1]["messages"]) == 122
    backends.unload()
    monkeypatch.setenv("OPENAI_N_CTX", "1000")
    await build(Settings.read(), "openai").ainvoke({"history": turns(60), "input": "hi"}, {"callbacks": [report]})
    assert (report.window, report.dropped_turns > 30) == (1000, True)
    assert not counts_exactly(backends.load("openai", Settings.read()))
