"""Scans in a real Chromium: a photographed receipt and a scanned contract, asked about; the region is shown."""

import os
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from benchmarks.page_pictures import photograph, scanned_pdf, skew, to_jpeg
from settings import ROOT
from tests.documents.scan.drawing import WITHOUT_SCANS, draw, lines, needs_scans
from tests.loopback import Loopback
from tests.page.conftest import Start, run_page
from tests.page.person import choose_files, click_button, messages, picture_folder, send_message, wait_until_drawn
from tests.page.test_accessibility import NAMELESS, violations
from tests.page.test_browser_documents import ask, unfolded
from tests.pictures import look
from tests.smollm2 import NOTHING_SET, needs_smollm2

pytestmark = pytest.mark.browser
UPDATE = bool(os.environ.get("UPDATE_DOCS"))  # makes the picture of docs/scans.md anew
INSTALL = "pip install -r requirements-scans.txt"
# The page, and the process in which it reads files, where there is no rapidocr.
WITHOUT = f"""{WITHOUT_SCANS}
import os, runpy
sys.path.insert(0, {str(ROOT)!r})
from documents import load
load.ENVIRONMENT["PYTHONPATH"] = os.path.dirname(__file__)
runpy.run_path({str(ROOT / "cli.py")!r}, run_name="__main__")
"""
RENT = "How much is the rent a month?"
SHEET = (1240, 1754)
CONTRACT = [
    ["LEASE OF THE LIGHTHOUSE KEEPER'S COTTAGE", "", "between the Harbour Board and Marta Ulgen.",
     "It begins on the first of May."],
    ["Rent", "", "The rent is 480 euros a month.", "It is due on the third working day.", "", "Deposit", "",
     "The deposit is two months' rent."],
    ["Notice", "", "Either side may give three months' notice.", "", "Signed at Ardmore, 14 April."],
]  # fmt: skip
RECEIPT = [
    *lines("HARBOUR STORES", "Quay 7, Ardmore", "", "Lamp oil", "Candles", "Rope 20 m", "", "TOTAL", left=120, top=120),
    *lines("", "", "", "18.40", "7.25", "31.00", "", "56.65", left=760, top=120),
]


def contract() -> bytes:
    """Three sheets as a scanner gives them, a little askew."""
    chance = np.random.default_rng(3)
    sheets = [draw(lines(*page, left=150, top=200), size=SHEET, points=36) for page in CONTRACT]
    return scanned_pdf([to_jpeg(skew(each, chance), 80) for each in sheets])


def receipt() -> bytes:
    """A photograph of one."""
    sheet = draw(RECEIPT, size=(1000, 800), points=38)
    return to_jpeg(photograph(sheet, np.random.default_rng(5)), 70)


def shown(sources: Locator) -> Image.Image:
    """The first picture of a region."""
    picture = sources.get_by_role("img").first
    expect(picture).to_be_visible()
    address = str(picture.get_attribute("src"))
    assert address.startswith("data:image/webp;base64,")
    return Image.open(BytesIO(b64decode(address.partition(",")[2])))


@needs_scans
def test_a_model_that_sees_reads_the_contract_and_looks_at_the_receipt(
    talk: Loopback, tab: Page, tmp_path: Path
) -> None:
    (tmp_path / "lease.pdf").write_bytes(contract())
    (tmp_path / "receipt.jpg").write_bytes(receipt())
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    talk.reply = "The rent is 480 euros a month [1]."
    choose_files(tab, tmp_path / "lease.pdf", tmp_path / "receipt.jpg")
    sources = ask(tab, RENT)
    expect(sources.locator("summary")).to_contain_text("lease.pdf, page 2")
    assert "The rent is 480 euros a month." in str(talk.requests[-1]["messages"])
    assert look(talk.requests[-1]).count(" x ") == 1
    region = shown(sources)
    colours = np.asarray(region.convert("RGB")).reshape(-1, 3).astype(int)
    marked = (colours[:, 0] > 230) & (colours[:, 2] < 190)
    assert 0.02 < marked.mean() < 0.9, "the lines stand out, and not all of the page"
    assert tab.evaluate(NAMELESS) == []
    assert violations(tab) == []
    assert not [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    unfolded(tab)
    expect(tab.get_by_text("3 pages · 3 passages")).to_be_visible()


@needs_scans
@needs_smollm2
def test_smollm2_reads_a_scanned_contract_and_a_photographed_receipt(start: Start, tab: Page, tmp_path: Path) -> None:
    (tmp_path / "lease.pdf").write_bytes(contract())
    (tmp_path / "receipt.jpg").write_bytes(receipt())
    tab.goto(start(**NOTHING_SET))
    tab.get_by_placeholder("Write a message").wait_for()
    choose_files(tab, tmp_path / "lease.pdf", tmp_path / "receipt.jpg")
    send_message(tab, RENT)
    click_button(tab, "Read the text in it")
    expect(messages(tab)).to_have_count(2)
    sources = messages(tab).last.get_by_test_id("stExpander")
    sources.locator("summary").click()
    expect(sources.locator("summary")).to_contain_text("lease.pdf, page 2")
    assert shown(sources).width > 500
    expect(messages(tab).last).to_contain_text("480")
    expect(tab.get_by_role("button", name="Good reply")).to_be_visible()
    wait_until_drawn(tab)
    if not sources.get_by_role("img").first.is_visible():  # what was unfolded while it grew is folded when it has ended
        sources.locator("summary").click()
    shown(sources)
    sources.get_by_role("img").first.scroll_into_view_if_needed()
    tab.mouse.move(5, 5)
    tab.screenshot(path=str(picture_folder(tmp_path, UPDATE) / "scans.png"))
    sources = ask(tab, "What is the total for candles and lamp oil?")
    expect(sources.locator("summary")).to_contain_text("receipt.jpg, page 1")
    assert shown(sources).width > 500


@pytest.fixture
def without_scans(tmp_path: Path) -> Iterator[str]:
    """The address of a page where what reads scans is not installed."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_SCANS)
    (tmp_path / "without.py").write_text(WITHOUT)
    with run_page(tmp_path / "page.log", program=tmp_path / "without.py") as address:
        yield address


def test_where_nothing_reads_scans_the_page_says_what_to_install_and_goes_on(
    without_scans: str, tab: Page, tmp_path: Path
) -> None:
    (tmp_path / "lease.pdf").write_bytes(contract())
    (tmp_path / "receipt.jpg").write_bytes(receipt())
    tab.goto(without_scans)
    tab.get_by_placeholder("Write a message").wait_for()
    choose_files(tab, tmp_path / "lease.pdf")
    send_message(tab, RENT)
    said = tab.get_by_text("lease.pdf holds no text, only pictures of it")
    expect(said).to_contain_text(INSTALL)
    assert len(said.inner_text().splitlines()) == 1
    expect(messages(tab)).to_have_count(2)
    choose_files(tab, tmp_path / "receipt.jpg")
    send_message(tab, "What is the total?")
    said = tab.get_by_text("The text in a picture cannot be read yet")
    expect(said).to_contain_text(INSTALL)
    assert len(said.inner_text().splitlines()) == 1
    expect(tab.get_by_role("button", name="Read the text in it")).to_be_disabled()
    click_button(tab, "Send without")
    expect(messages(tab)).to_have_count(4)
    send_message(tab, "hello")
    expect(messages(tab)).to_have_count(6)
    expect(tab.get_by_role("button", name="Good reply")).to_have_count(3)
