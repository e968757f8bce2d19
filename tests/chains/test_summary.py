"""The chain that sums up, and how a conversation is dealt out to its calls."""

from itertools import pairwise
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelAPIError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

import backends
from chains.report import Report
from chains.summary import MAX_TOKENS, build, max_summary_tokens, prompt, split_batch, transcript
from chains.window import count
from prompts.summary import introduce
from settings import Settings
from tests.loopback import Loopback

SAID: list[BaseMessage] = [HumanMessage("I am Tom {and} {{more}}"), AIMessage("Hello\n\nTom")]


@pytest.fixture
def model(settings: Settings) -> Any:
    return backends.load("llamacpp", settings)


def dealt(model: Any, window: int, messages: list[BaseMessage], earlier: str | None = None) -> list[list[BaseMessage]]:
    """All calls that `messages` need."""
    pieces = []
    while messages:
        piece, messages = split_batch(model, window, 60, earlier, messages)
        pieces.append(piece)
    return pieces


def test_it_is_prompt_model_parser(settings: Settings) -> None:
    steps: Any = build(settings, "llamacpp", 60)
    assert [type(step).__name__ for step in steps.steps] == ["ChatPromptTemplate", "FallbackModel", "StrOutputParser"]


async def test_who_said_what_is_sent_as_data(loopback: Loopback) -> None:
    report = Report()
    chain = build(Settings.read(), "openai", 60, "another")
    reply = await chain.ainvoke({"text": transcript("Tom is {old}.", SAID)}, {"callbacks": [report]})
    sent = loopback.requests[-1]
    assert reply.strip() == loopback.reply
    assert (sent["model"], sent["max_tokens"]) == ("another", 60)
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    assert "at most 30 words" in sent["messages"][0]["content"]
    said = f"{introduce('Tom is {old}.')}\n\nUser: I am Tom {{and}} {{{{more}}}}\n\nAssistant: Hello\n\nTom"
    assert sent["messages"][1]["content"] == said
    assert (report.prompt_tokens, report.completion_tokens, report.counted) == (7, 6, True)


async def test_no_other_backend_reads_it(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    loopback.script.extend(["500"] * 3)
    with pytest.raises(ModelAPIError, match="server had an error"):
        await build(Settings.read(), "openai", 60).ainvoke({"text": "User: hi"})
    assert backends.loaded_model("llamacpp") is None


@pytest.mark.parametrize(("window", "tokens"), [(4, 1), (400, 50), (8192, 1024), (400_000, MAX_TOKENS)])
def test_a_summary_takes_an_eighth_of_the_window(window: int, tokens: int) -> None:
    assert max_summary_tokens(window) == tokens


def test_what_fits_is_one_call(model: Any) -> None:
    assert dealt(model, 1024, SAID) == [SAID]
    assert dealt(model, 1024, []) == []


def test_every_call_fits_and_none_could_take_another_message(model: Any) -> None:
    messages: list[BaseMessage] = [HumanMessage(f"message {n} " + "word " * (n % 7 * 5)) for n in range(60)]
    pieces = dealt(model, 500, messages, "Before that they talked.")
    assert [m for piece in pieces for m in piece] == messages
    assert len(pieces) > 3

    def tokens(piece: list[BaseMessage]) -> int:
        asked = prompt(60).invoke({"text": transcript("Before that they talked.", piece)}).to_messages()
        return count(model, asked)

    for piece, after in pairwise(pieces):
        assert tokens(piece) <= 500 - 60 < tokens([*piece, after[0]])


def test_a_message_longer_than_the_window_is_parted_between_words(model: Any) -> None:
    long = AIMessage(" ".join(f"word{n}" for n in range(600)))
    pieces = dealt(model, 500, [SAID[0], long, SAID[1]])
    assert len(pieces) > 4
    assert pieces[0] == [SAID[0]]
    assert pieces[-1][-1] == SAID[1]
    parts = [m for piece in pieces for m in piece][1:-1]
    assert {m.type for m in parts} == {"ai"}
    assert "".join(str(m.text) for m in parts) == long.content
    assert all(str(m.text).endswith(" ") for m in parts[:-1])


def test_a_text_without_spaces_is_parted_as_well(model: Any) -> None:
    pieces = dealt(model, 400, [HumanMessage("x" * 3000)])
    assert "".join(str(m.text) for piece in pieces for m in piece) == "x" * 3000


def test_a_window_without_room_for_a_word_is_refused(model: Any) -> None:
    with pytest.raises(ContextOverflowError, match="window of 100 tokens is too small"):
        split_batch(model, 100, 12, None, SAID)


async def test_the_small_model_takes_it_as_it_takes_any_prompt(settings: Settings) -> None:
    """Its summary makes no sense; that it comes, and is as short as asked, is what is tested."""
    report = Report()
    text = await build(settings, "llamacpp", 20).ainvoke({"text": transcript(None, SAID)}, {"callbacks": [report]})
    assert text.strip()
    assert report.completion_tokens is not None
    assert 0 < report.completion_tokens <= 20
