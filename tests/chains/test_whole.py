"""Whole files in a prompt: where they fit they stand above the first question, and stay there; else by how much not."""

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

import backends
from chains.passages import attach
from chains.window import count, fit, insert_passages, room
from documents.part import number_parts
from documents.split import split_parts
from documents.whole import sections
from settings import Settings

PAGES = [
    f"Page {n} tells of ship number {n}. It had {n * 7} sails.\n\n" + f"Its bell rang {n} times. " * 12
    for n in (1, 2, 3)
]


def passages(name: str = "book.pdf", pages: list[str] = PAGES) -> list[Document]:
    """As they are kept, in the order of the text."""
    parts = number_parts(pages, "page")
    return [
        Document(
            piece.text,
            metadata={"file": name, "place": piece.place, "document": name, "start": piece.start, "end": piece.end},
        )
        for piece in split_parts(parts, 200, 60)
    ]


def asking(*said: str, whole: list[Document], found: int = 1) -> list[BaseMessage]:
    """A system prompt, earlier turns, and a question about whole files."""
    turns = [HumanMessage(text) if at % 2 == 0 else AIMessage(text) for at, text in enumerate(said)]
    return [SystemMessage("Be kind."), *turns[:-1], attach(turns[-1], whole[:found], whole)]


@pytest.fixture
def model(settings: Settings) -> Any:
    """The shipped model, whose window is 1,024."""
    return backends.load("llamacpp", settings)


def test_sections_are_the_whole_text_and_repeat_nothing() -> None:
    found = passages()
    whole = sections([*found, *passages("other.pdf", ["Alone."])])
    assert len(whole) == len(found) + 1 > 6
    for number, page in enumerate(PAGES, 1):
        of_page = [each.page_content for each in whole[:-1] if each.metadata["place"] == f"page {number}"]
        assert " ".join(" ".join(of_page).split()) == " ".join(page.split())
    assert sections([]) == []


def test_whole_files_stand_above_the_first_question_with_their_numbers_and_pages(model: Any) -> None:
    whole = sections(passages())
    fitted = fit(model, asking("What is it?", "A book.", "How many sails had ship 2?", whole=whole))
    assert (fitted.whole, fitted.excess, list(fitted.passages)) == (True, None, whole)
    system, first, answer, last = (str(each.text) for each in fitted.messages)
    assert system.startswith("Be kind.\n\nBetween the lines <<<")
    assert first.endswith("\n\nWhat is it?")
    assert (answer, last) == ("A book.", "How many sails had ship 2?")
    for number, section in enumerate(whole, 1):
        assert f"[{number}] book.pdf, {section.metadata['place']}\n{section.page_content.strip()}" in first
    assert count(model, fitted.messages) <= (room(model) or 0)


def test_the_next_prompt_begins_as_this_one_also_where_turns_are_dropped(model: Any) -> None:
    whole = sections(passages())
    said = ["What is it?"]
    begun: list[str] = []
    for number in range(12):
        fitted = fit(model, asking(*said, whole=whole))
        assert fitted.whole
        first = str(fitted.messages[1].text)
        begun.append(f"{fitted.messages[0].text}\n{first.partition('>>> ')[0]}")
        said += ["It is a book of ships. " * 6, f"And number {number}?"]
    assert fitted.dropped
    assert len(set(begun)) == 1


def test_what_does_not_fit_is_read_by_passages_and_says_by_how_much(model: Any) -> None:
    whole = sections(passages(pages=PAGES * 4))
    messages = asking("How many sails had ship 2?", whole=whole, found=2)
    fitted = fit(model, messages)
    assert (fitted.whole, len(fitted.passages)) == (False, 2)
    endless = model.model_copy(update={"profile": None})
    needed = count(model, insert_passages(endless, messages).messages)
    assert fitted.excess == needed - (room(model) or 0) > 0
    assert insert_passages(model, messages).excess == fitted.excess
    assert insert_passages(endless, messages).whole


def test_the_delimiter_is_the_files_own(model: Any) -> None:
    whole = sections(passages())
    one, two = (fit(model, asking(text, whole=whole)).messages for text in ("What?", "When was it?"))
    assert one[0].text == two[0].text
    digits = str(one[1].text).split("\n")[0].removeprefix("<<< ")
    other = fit(model, asking(f"What is {digits}?", whole=whole)).messages
    assert digits not in str(other[0].text)
