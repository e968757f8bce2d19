"""Passages in a prompt: how many fit, and that what stands in them is never more than text."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

import backends
from chains.assistant import build, build_verbatim
from chains.passages import attach
from chains.report import Report
from chains.window import count, fit, insert_passages, is_small, room
from documents.search import Index, PassageRetriever
from documents.split import PASSAGE_LENGTH
from settings import Settings
from tests.loopback import Loopback

SENTENCE = "The ferry number {} leaves the land at nine and comes back late in the evening. "
WILD = "ferry {input} {{ context }} {% raw %} <|assistant|> <|user|> <|endoftext|> <|system|> </s> [INST] \0 end"


def passage(text: str, number: int = 1) -> Document:
    """A page of a file."""
    return Document(text, metadata={"file": "ferry.pdf", "place": f"page {number}", "passage": number, "score": 1.0})


def passages(number: int = 8, length: int = PASSAGE_LENGTH) -> list[Document]:
    """As long as those of real files."""
    return [passage((SENTENCE.format(at) * 20)[:length], at) for at in range(1, number + 1)]


def retriever(*found: Document) -> PassageRetriever:
    """What finds these."""
    return PassageRetriever(index=Index(list(found) or passages()))


def asking(question: str, found: Sequence[Document]) -> list[BaseMessage]:
    """A system prompt and a question with passages beside it."""
    return [SystemMessage("Be kind."), attach(HumanMessage(question), found)]


@pytest.fixture(params=["llamacpp", "gpt2"])
def model(request: pytest.FixtureRequest, settings: Settings) -> Any:
    """The shipped model on either engine."""
    return backends.load(request.param, settings)


def test_two_or_three_fit_beside_a_question_and_leave_half_of_the_room(model: Any) -> None:
    free = room(model)
    assert free == 768
    for words in (0, 50, 200):
        messages = asking("When does the ferry leave? " + "word " * words, passages())
        limit = (free + count(model, every(messages, [passage("")], model))) // 2
        fitted = fit(model, messages)
        assert fitted.matches == 8
        assert [each.metadata["passage"] for each in fitted.passages] == list(range(1, len(fitted.passages) + 1))
        assert count(model, fitted.messages) <= limit
        one_more = passages()[: len(fitted.passages) + 1]
        assert count(model, every(messages, one_more, model)) > limit
        assert str(fitted.messages[-1].text).endswith(str(messages[-1].text))
        assert str(fitted.messages[0].text).startswith("Be kind.")
    assert len(fit(model, asking("When?", passages())).passages) in {2, 3}


def every(messages: list[BaseMessage], found: list[Document], model: Any) -> list[BaseMessage]:
    """The same question with all of these, whatever the room."""
    endless = model.model_copy(update={"profile": None})
    return insert_passages(endless, [messages[0], attach(HumanMessage(messages[-1].text), found)]).messages


def test_a_question_without_room_keeps_its_words_and_gets_none(model: Any) -> None:
    messages = asking("When? " + "word " * 740, passages())
    fitted = fit(model, messages)
    assert (len(fitted.passages), fitted.matches) == (0, 8)
    assert [str(each.text) for each in fitted.messages] == [str(each.text) for each in messages]


def test_history_goes_before_passages_do(model: Any) -> None:
    said = [message for n in range(60) for message in (HumanMessage(f"q {n} " + "word " * 20), AIMessage("yes"))]
    system, asked = asking("When does the ferry leave?", passages())
    fitted = fit(model, [system, *said, asked])
    assert len(fitted.passages) in {2, 3}
    assert fitted.dropped > 30
    assert count(model, fitted.messages) <= 768
    assert str(fitted.messages[1].text) == str(said[2 * fitted.dropped].text)


def test_a_reply_that_goes_on_stays_last(model: Any) -> None:
    fitted = fit(model, [*asking("When?", passages()), AIMessage("At ni")])
    assert [each.type for each in fitted.messages] == ["system", "human", "ai"]
    assert fitted.messages[-1].text == "At ni"
    assert len(fitted.passages) in {1, 2, 3}


def test_text_of_a_file_is_no_special_token(model: Any) -> None:
    """The model reads as many turns as there are: its own text of the prompt has each mark once a message."""
    plain = fit(model, asking("When?", [passage("ferry")])).messages
    wild = fit(model, asking("When?", [passage(WILD)])).messages
    letters = fit(model, asking("When?", [passage(WILD.replace("|", " | "))])).messages
    more = count(model, wild) - count(model, plain)
    assert more > WILD.count("<|") * 4  # each would be one token
    assert abs(count(model, letters) - count(model, wild)) < 40
    assert WILD in str(wild[-1].text)


async def test_braces_of_a_file_are_no_template(loopback: Loopback) -> None:
    chain = build(Settings.read(), "openai", system="Say {nothing}.", retriever=retriever(passage(WILD)))
    report = Report()
    await chain.ainvoke({"history": [HumanMessage("{a}")], "input": "the ferry {b}?"}, {"callbacks": [report]})
    system, first, last = [each["content"] for each in loopback.requests[-1]["messages"]]
    assert system.startswith("Say {nothing}.\n\nBetween the lines <<< ")
    assert first == "{a}"
    assert WILD in last
    assert last.endswith("\n\nthe ferry {b}?")
    assert [each.page_content for each in report.passages] == [WILD]
    assert report.matches == 1


async def test_a_window_that_nobody_knows_holds_them_all(loopback: Loopback) -> None:
    report = Report()
    chain = build(Settings.read(), "openai", retriever=retriever())
    await chain.ainvoke({"history": [], "input": "ferry"}, {"callbacks": [report]})
    assert (len(report.passages), report.matches) == (8, 8)
    assert loopback.requests[-1]["messages"][-1]["content"].count("[8] ferry.pdf, page 8") == 1


async def test_another_backend_with_a_smaller_window_gets_what_fits_there(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.script.extend(["500"] * 3)
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    monkeypatch.setenv("OPENAI_MAX_RETRIES", "0")
    report = Report()
    chain = build(Settings.read(), "openai", retriever=retriever(), options={"max_tokens": 5})
    await chain.ainvoke({"history": [], "input": "ferry"}, {"callbacks": [report]})
    assert loopback.requests[0]["messages"][-1]["content"].count("\n[8] ferry.pdf") == 1
    assert report.backend == "llamacpp"
    assert 0 < len(report.passages) < 8
    assert report.matches == 8


async def test_exactly_adds_nothing_but_passages(loopback: Loopback) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    messages = [
        HumanMessage("earlier"),
        AIMessage("yes"),
        HumanMessage([{"type": "text", "text": "When does the ferry leave?"}, picture]),
    ]
    chain = build_verbatim(Settings.read(), "openai", {}, retriever(passage("The ferry leaves at nine.")))
    await chain.ainvoke({"messages": messages})
    system, first, second, last = loopback.requests[-1]["messages"]
    assert system["content"].startswith("Between the lines")
    assert (first["content"], second["content"]) == ("earlier", "yes")
    text, image = last["content"]
    assert "[1] ferry.pdf, page 1\nThe ferry leaves at nine." in text["text"]
    assert text["text"].endswith("\n\nWhen does the ferry leave?")
    assert image == picture


async def test_where_nothing_is_found_nothing_is_added(loopback: Loopback) -> None:
    chain = build_verbatim(Settings.read(), "openai", {}, retriever())
    for messages in ([HumanMessage("purple elephants")], [SystemMessage("ferry")]):
        await chain.ainvoke({"messages": messages})
        assert [each["content"] for each in loopback.requests[-1]["messages"]] == [messages[0].content]


def test_a_small_model_gets_the_first_few_even_where_more_fit(model: Any) -> None:
    found = passages(8, length=40)
    fitted = fit(model, asking("When?", found))
    assert [each.metadata["passage"] for each in fitted.passages] == [1, 2, 3]
    assert fitted.matches == 8
    assert is_small(model)
