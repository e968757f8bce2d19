"""How many tokens a request took, however a server tells it: the largest figures hold, told once."""

from typing import Any

import pytest

from backends.remote.usage import LARGEST, read_count
from conversations.replies.metrics import reply_metrics
from tests.byte_server import (
    EVERY,
    STOP,
    STREAMED,
    TEXT,
    WORDS,
    ByteServer,
    Row,
    ask_chain,
    chunk,
    reply,
    stream,
    whole,
    words,
)


def usage(prompt: Any, completion: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


RUNNING = [chunk(word, usage=usage(1965, count)) for count, word in enumerate(WORDS, 1)]
END = chunk(STOP, usage=usage(1965, 5))
LAST = chunk(usage=usage(1965, 5))
TOLD: dict[str, list[Row]] = {
    "at the end": [*words(), chunk(STOP), LAST],
    "with the end": [*words(), END],
    "running totals": [*RUNNING, END],
    "running totals and once more": [*RUNNING, END, LAST],
    "totals in each": [*words(usage=usage(1965, 5)), END],
    "twice": [*words(), END, LAST],
    "first and last": [chunk("", usage=usage(1965, 1)), *words(), END],
    "falling": [chunk("", usage=usage(1965, 5)), *words(), chunk(STOP, usage=usage(3, 1))],
    "texts": [*words(), chunk(STOP, usage={"prompt_tokens": "1965", "completion_tokens": "5"})],
    "fractions": [*words(), chunk(STOP, usage={"prompt_tokens": 1965.0, "completion_tokens": 5.0})],
    "other names": [*words(), chunk(STOP, usage={"input_tokens": 1965, "output_tokens": 5})],
    "in the choice": [*words(), chunk({**STOP, "usage": usage(1965, 5)})],
    "Groq": [*words(), chunk(STOP, x_groq={"usage": usage(1965, 5)})],
    "all but the reply's": [*words(), chunk(STOP, usage={"prompt_tokens": 1965, "total_tokens": 1970})],
    "empty details": [*words(), chunk(STOP, usage={**usage(1965, 5), "prompt_tokens_details": None})],
}


@pytest.mark.parametrize("rows", TOLD.values(), ids=TOLD)
def test_the_largest_figures_hold(byte_server: ByteServer, rows: list[Row]) -> None:
    for ask in EVERY:
        byte_server.answer(stream(*rows))
        message = ask()
        assert message.text == TEXT
        assert message.usage_metadata is not None
        assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (1965, 5)
        assert message.usage_metadata["total_tokens"] == 1970


@pytest.mark.parametrize("rows", TOLD.values(), ids=TOLD)
def test_the_report_has_them_and_they_are_no_estimate(byte_server: ByteServer, rows: list[Row]) -> None:
    byte_server.answer(stream(*rows))
    text, report = ask_chain()
    assert (text, report.prompt_tokens, report.completion_tokens) == (TEXT, 1965, 5)
    assert (report.estimated, report.counted) == (False, True)
    assert len(byte_server.requests) == 1


BESIDE: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "DeepSeek": ({"prompt_cache_hit_tokens": 64}, {"cache_read": 64}),
    "Claude by OpenAI's names": (
        {"cache_read_input_tokens": 64, "cache_creation_input_tokens": 128},
        {"cache_read": 64, "cache_creation": 128},
    ),
}


@pytest.mark.parametrize(("beside", "told"), BESIDE.values(), ids=BESIDE)
def test_what_was_known_of_a_prompt_is_found_beside_the_figures(
    byte_server: ByteServer, beside: dict[str, int], told: dict[str, int]
) -> None:
    byte_server.answer(stream(*words(), chunk(STOP, usage={**usage(1965, 5), **beside})))
    found = STREAMED[0]().usage_metadata
    assert found is not None
    assert found.get("input_token_details") == told


def test_details_are_told_once_too(byte_server: ByteServer) -> None:
    told = {**usage(1965, 5), "prompt_tokens_details": {"cached_tokens": 64}}
    told["completion_tokens_details"] = {"reasoning_tokens": 3, "audio_tokens": None}
    byte_server.answer(stream(*words(usage=told), chunk(STOP, usage=told), chunk(usage=told)))
    found = STREAMED[0]().usage_metadata
    assert found is not None
    assert (found["input_token_details"], found["output_token_details"]) == ({"cache_read": 64}, {"reasoning": 3})


UNTOLD: list[Any] = [
    {},
    None,
    "N/A",
    [1965, 5],
    7,
    usage(0, 0),
    {"prompt_tokens": "N/A", "completion_tokens": "many", "total_tokens": ""},
    {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
    {"prompt_tokens": -3, "completion_tokens": True, "total_tokens": [9]},
    {"prompt_tokens": 10**12, "completion_tokens": 0.5},
    {"total_tokens": 9},
]


@pytest.mark.parametrize("told", UNTOLD, ids=str)
def test_what_is_no_figure_is_not_told_and_takes_no_text(byte_server: ByteServer, told: Any) -> None:
    byte_server.answer(stream(*words(usage=told), chunk(STOP, usage=told), chunk(usage=told)))
    text, report = ask_chain()
    assert text == TEXT
    assert report.estimated
    assert not report.counted
    assert report.prompt_tokens
    assert reply_metrics(report, with_first_token=False)[0] == "about 5 tokens"
    for ask in EVERY:
        message = ask()
        assert (message.text, message.usage_metadata) == (TEXT, None)


def test_one_figure_is_taken_and_the_other_estimated(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words(), chunk(STOP, usage={"prompt_tokens": 1965, "completion_tokens": None})))
    _, report = ask_chain()
    assert (report.prompt_tokens, report.estimated) == (1965, False)
    assert (report.completion_tokens, report.counted) == (5, False)


def test_a_reply_in_one_piece_is_no_single_token(byte_server: ByteServer) -> None:
    byte_server.answer(reply({**whole(content="word " * 100), "usage": None}))
    _, report = ask_chain()
    assert report.completion_tokens == 125, "a quarter of its letters"
    assert not report.counted


def test_a_figure() -> None:
    assert [read_count(value) for value in (5, 5.0, "5", " 5 ", "5.0")] == [5] * 5
    assert read_count(LARGEST) == LARGEST
    nothing: tuple[Any, ...] = (
        0,
        -5,
        5.5,
        "5.5",
        "",
        "five",
        "0",
        None,
        True,
        [5],
        {},
        float("nan"),
        float("inf"),
        LARGEST + 1,
        "9" * 400,
    )
    assert [read_count(value) for value in nothing] == [None] * len(nothing)
