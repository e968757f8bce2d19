"""Pictures in a real Chromium: chosen, dragged and pasted, seen by a model that sees, read where none does."""

import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.documents.scan.drawing import needs_scans
from tests.loopback import Loopback
from tests.page.person import (
    assert_fits_phone,
    choose_files,
    click_button,
    drag_file,
    expect_uploaded,
    messages,
    picture_folder,
    send_message,
    wait_until_drawn,
)
from tests.page.test_accessibility import NAMELESS, violations
from tests.page.test_browser_scans import receipt
from tests.pictures import drawn, look

pytestmark = pytest.mark.browser
UPDATE = bool(os.environ.get("UPDATE_DOCS"))  # makes the picture of docs/pictures.md anew
CLIPBOARD = ["clipboard-read", "clipboard-write"]
COPY = """async data => navigator.clipboard.write([new ClipboardItem({
    'image/png': new Blob([Uint8Array.from(atob(data), c => c.charCodeAt(0))], {type: 'image/png'})
})])"""


@pytest.fixture
def addresses(tab: Page) -> Iterator[list[str]]:
    """What the browser asks for; nothing of it elsewhere."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    yield asked
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]


def paste(tab: Page, data: bytes) -> None:
    """Copy a picture, and press Ctrl-V where messages are written."""
    tab.context.grant_permissions(CLIPBOARD)
    tab.evaluate(COPY, b64encode(data).decode())
    tab.get_by_placeholder("Write a message").focus()
    tab.keyboard.press("Control+V")
    expect_uploaded(tab, "image.png")


def shown(message: Locator, name: str) -> Locator:
    """A picture of a message, which is in the page itself."""
    picture = message.get_by_role("img", name=f"Picture: {name}")
    expect(picture).to_be_visible()
    assert str(picture.get_attribute("src")).startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
    return picture


def test_pictures_that_are_chosen_and_pasted_are_seen_and_stay(
    talk: Loopback, tab: Page, tmp_path: Path, addresses: list[str]
) -> None:
    talk.answer = look
    (tmp_path / "receipt.jpg").write_bytes(receipt())
    choose_files(tab, tmp_path / "receipt.jpg")
    paste(tab, drawn("blue", (120, 160)))
    expect(tab.get_by_test_id("stFileChipImagePreview")).to_have_count(2)
    send_message(tab, "What do you see?")
    expect(messages(tab)).to_have_count(2)
    expect(tab.get_by_text("openai ·")).to_be_visible()
    answer = look(talk.requests[0])
    assert "blue 120 x 160" in answer
    expect(messages(tab).last).to_contain_text(answer)
    expect(tab.get_by_role("button", name="Good reply")).to_be_visible()
    tab.mouse.move(5, 5)
    wait_until_drawn(tab)
    tab.screenshot(path=str(picture_folder(tmp_path, UPDATE) / "pictures.png"))
    tab.reload()
    small = shown(messages(tab).first, "receipt.jpg")
    shown(messages(tab).first, "image.png")
    width = (small.bounding_box() or {"width": 0})["width"]
    assert 100 < width <= 240
    assert tab.evaluate(NAMELESS) == []
    assert violations(tab) == []
    small.hover()
    messages(tab).first.get_by_role("button", name="Fullscreen").first.click()
    expect(tab.get_by_role("button", name="Close fullscreen")).to_be_visible()
    assert (small.bounding_box() or {"width": 0})["width"] > 2 * width
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Close fullscreen")).to_have_count(0)
    click_button(tab, "Regenerate")
    expect(tab.get_by_text("2/2")).to_be_visible()
    assert look(talk.requests[-1]) == answer
    messages(tab).first.hover()
    click_button(tab, "Edit and send again")
    shown(messages(tab).first, "receipt.jpg")
    talk.answer = lambda asked: f"Again: {look(asked)}"
    tab.get_by_label("Edit your message").fill("And now?")
    click_button(tab, "Send")
    expect(messages(tab).first).to_contain_text("And now?")
    expect(messages(tab).last).to_contain_text(f"Again: {answer}")
    shown(messages(tab).first, "image.png")
    assert len(talk.requests) == 3
    assert_fits_phone(tab)


def test_a_picture_alone_is_a_message_and_what_is_none_says_why(talk: Loopback, tab: Page) -> None:
    talk.answer = look
    drag_file(tab, "cut.png", drawn("red")[:500])
    send_message(tab, "What is this?")
    expect(tab.get_by_text("cut.png ")).to_be_visible()
    expect(tab.get_by_placeholder("Write a message")).to_have_value("What is this?")
    expect(messages(tab)).to_have_count(0)
    tab.get_by_placeholder("Write a message").fill("")
    drag_file(tab, "red.png", drawn("red"))
    tab.get_by_role("button", name="Send message").click()
    expect(messages(tab).last).to_contain_text("I see red 640 x 480.")
    expect(tab.get_by_role("heading", name="Picture")).to_be_visible()
    assert len(talk.requests) == 1


@needs_scans
def test_where_the_model_cannot_see_the_page_offers_to_read(
    llamacpp: str, tab: Page, tmp_path: Path, addresses: list[str]
) -> None:
    (tmp_path / "receipt.jpg").write_bytes(receipt())
    tab.goto(llamacpp)
    tab.get_by_placeholder("Write a message").wait_for()
    for press in ("Discard", "Read the text in it"):
        choose_files(tab, tmp_path / "receipt.jpg")
        send_message(tab, "What is the total for candles and lamp oil?")
        offer = tab.locator(".st-key-unseen")
        expect(offer.get_by_text("cannot see pictures")).to_be_visible()
        expect(messages(tab)).to_have_count(0)
        shown(offer, "receipt.jpg")
        assert violations(tab) == []
        offer.get_by_role("button", name=press).click()
        expect(offer).to_have_count(0)
        if press == "Discard":
            expect(tab.get_by_placeholder("Write a message")).to_have_value(
                "What is the total for candles and lamp oil?"
            )
    expect(messages(tab)).to_have_count(2)
    sources = messages(tab).last.get_by_test_id("stExpander")
    expect(sources.locator("summary")).to_contain_text("receipt.jpg, page 1")
