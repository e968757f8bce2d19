"""Documents in a real Chromium: attached by its own chooser and by a drag, asked about, found in, deleted."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.loopback import Loopback
from tests.page.person import (
    assert_fits_phone,
    choose_files,
    click_button,
    close_popover,
    drag_file,
    messages,
    picture_folder,
    send_message,
    unfold_popover,
)
from tests.page.test_accessibility import NAMELESS, violations
from tests.pdf import pdf

pytestmark = pytest.mark.browser
UPDATE = bool(os.environ.get("UPDATE_DOCS"))  # makes the README's picture anew
QUESTION = "Who kept the lamp in the winter of 1871?"
ANSWER = "Ingrid Holm kept the lamp in the winter of 1871, after the keeper had fallen ill."
BOOK = [
    "The harbour was dug in 1820, and silted up again within ten years.",
    "The tower is of granite, thirty metres high, and leans a little to the east.",
    "The stairs have 142 steps. Nobody was allowed to run on them.",
    "The oil store stood apart from the house, for fear of fire.",
    "The fog bell was cast in Lübeck and could be heard four miles out at sea.",
    "Two boats belonged to the station: one for the post, one for wrecks.",
    f"The lamp was lit an hour before sunset. {ANSWER} She trimmed it every three hours.",
    "The garden gave potatoes and kale, and roses along the southern wall.",
    "The well ran dry in three summers, and water came by cart.",
    "The school had one room and at its fullest eleven children.",
    "The road to the village was under water at every spring tide.",
    "The mill ground the corn of four farms until the new one was built inland.",
    "The church keeps a model of the ship that was lost on the reef.",
    "The market was held on Thursdays on the quay.",
    "The ferry crossed twice a day, and not at all in ice.",
    "Stores were laid in by October: flour, peas, salt fish and candles.",
    "Letters took nine days from the capital.",
    "The storms of 1889 took the roof of the boat house.",
    "Visitors wrote their names into a book that is still there.",
    "The last keeper left when the light was made to burn by itself.",
]  # a page each


def ask(tab: Page, text: str) -> Locator:
    """Send a question and unfold the sources of its reply."""
    before = messages(tab).count()
    send_message(tab, text)
    expect(messages(tab)).to_have_count(before + 2)
    sources = messages(tab).last.get_by_test_id("stExpander")
    sources.locator("summary").click()
    return sources


def unfolded(tab: Page) -> Locator:
    """The popover with the documents."""
    return unfold_popover(tab, tab.locator(".st-key-documents").get_by_role("button").first)


def test_a_question_is_answered_with_page_and_words_and_without_the_document_no_more(
    talk: Loopback, tab: Page, tmp_path: Path
) -> None:
    (tmp_path / "station.pdf").write_bytes(pdf(BOOK))
    talk.reply = "Ingrid Holm did: the keeper had fallen ill, so she kept the lamp in the winter of 1871 [1]."
    choose_files(tab, tmp_path / "station.pdf")
    sources = ask(tab, QUESTION)
    expect(sources.locator("summary")).to_contain_text("station.pdf, page 7")
    expect(sources.get_by_text("[1] station.pdf, page 7")).to_be_visible()
    expect(sources.get_by_test_id("stText").first).to_contain_text("Ingrid Holm kept the lamp")
    assert ANSWER in " ".join(sources.get_by_test_id("stText").first.inner_text().split())
    assert ANSWER in " ".join(str(talk.requests[-1]["messages"]).replace("\\n", " ").split())
    assert tab.evaluate(NAMELESS) == []
    seen = [*violations(tab)]
    tab.set_viewport_size({"width": 1200, "height": 700})
    tab.mouse.move(600, 500)
    tab.wait_for_timeout(300)
    tab.screenshot(path=str(picture_folder(tmp_path, UPDATE) / "documents.png"))
    asked = len(talk.requests)
    body = unfolded(tab)
    expect(body.get_by_text("20 pages · 20 passages")).to_be_visible()
    body.get_by_label("Find in documents").fill("How far was the bell heard?")
    tab.keyboard.press("Enter")
    expect(body.get_by_text("[1] station.pdf, page 5")).to_be_visible()
    assert len(talk.requests) == asked, "nothing is asked of a model to find words"
    assert tab.evaluate(NAMELESS) == []
    assert [*seen, *violations(tab)] == []
    click_button(tab, "Delete")
    expect(tab.locator(".st-key-documents")).to_have_count(0)
    expect(tab.get_by_text("Sources:")).to_have_count(0)


def test_sources_that_were_unfolded_while_a_reply_grew_stay_so(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    (tmp_path / "station.pdf").write_bytes(pdf(BOOK))
    choose_files(tab, tmp_path / "station.pdf")
    talk.pause = 0.2
    talk.script.append("slow 60")
    sources = ask(tab, QUESTION)
    expect(sources.get_by_text("[1] station.pdf, page 7")).to_be_visible()
    expect(tab.get_by_role("button", name="Stop")).to_be_visible()
    expect(messages(tab).last.get_by_text("word59", exact=False)).to_be_visible()
    expect(tab.get_by_role("button", name="Regenerate", exact=True)).to_be_visible()
    expect(sources.get_by_text("[1] station.pdf, page 7")).to_be_visible()


def test_the_small_model_shows_the_passage_of_a_file_that_was_dragged_in(llamacpp: str, tab: Page) -> None:
    tab.goto(llamacpp)
    tab.get_by_placeholder("Write a message").wait_for()
    drag_file(tab, "station.pdf", pdf(BOOK))
    sources = ask(tab, QUESTION)
    expect(sources.locator("summary")).to_contain_text("station.pdf, page 7")
    expect(sources.get_by_text("[1] station.pdf, page 7")).to_be_visible()
    assert ANSWER in " ".join(sources.get_by_test_id("stText").first.inner_text().split())
    expect(messages(tab).last.get_by_text("trust the passages below")).to_be_visible()
    assert_fits_phone(tab)
    expect(unfolded(tab).get_by_text("Only two or three short passages fit")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_cannot_be_read_says_why(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    for name, data in (("photo.gif", b"GIF89a"), ("scan.pdf", pdf(["", ""]))):
        (tmp_path / name).write_bytes(data)
    choose_files(tab, tmp_path / "photo.gif")
    send_message(tab, QUESTION)
    expect(tab.get_by_text("photo.gif is a GIF picture; pictures are taken as PNG, JPEG")).to_be_visible()
    expect(tab.get_by_placeholder("Write a message")).to_have_value(QUESTION)
    expect(messages(tab)).to_have_count(0)
    assert talk.requests == []
    tab.get_by_placeholder("Write a message").fill("")
    choose_files(tab, tmp_path / "scan.pdf")
    tab.get_by_role("button", name="Send message").click()
    expect(tab.get_by_text("scan.pdf holds no text, ")).to_be_visible()
    click_button(tab, "Dismiss")
    expect(tab.get_by_text("scan.pdf holds no text")).to_have_count(0)


def test_no_name_and_no_word_of_a_document_makes_the_browser_fetch(talk: Loopback, tab: Page, tmp_path: Path) -> None:
    image = "![x](http://127.0.0.1:9/leak.png)"
    name = "![x](leak.png)<img src=leak.png>.md"
    (tmp_path / name).write_text(f"The roof: {image} <img src=http://127.0.0.1:9/leak.png> :material/home: done")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    choose_files(tab, tmp_path / name)
    tab.get_by_role("button", name="Send message").click()
    expect(tab.get_by_text("Ask something about the documents")).to_be_visible()
    assert tab.locator("h1").inner_text().replace("\u2060", "") == name
    sources = ask(tab, "the roof?")
    expect(sources.get_by_test_id("stText").first).to_have_text((tmp_path / name).read_text())
    assert sources.locator("summary").inner_text().replace("\u2060", "").endswith(f"Sources: {name}")
    body = unfolded(tab)
    body.get_by_label("Find in documents").fill("roof")
    tab.keyboard.press("Enter")
    expect(body.get_by_text("done")).to_be_visible()
    close_popover(tab)
    assert not [url for url in asked if "leak" in url]
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
