"""The page as a clean clone draws it, with nothing set: SmolLM2 answers, and the page says so."""

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import Start
from tests.page.person import messages, send_message
from tests.smollm2 import ANSWER, NOTHING_SET, QUESTION, needs_smollm2

pytestmark = [pytest.mark.browser, needs_smollm2]


def test_with_nothing_set_it_knows_the_capital_of_france(start: Start, tab: Page) -> None:
    tab.goto(start(**NOTHING_SET))
    expect(tab.get_by_text("small model of 135 million parameters")).to_be_visible()
    expect(tab.get_by_text("Answering: SmolLM2-135M-Instruct")).to_be_visible()
    send_message(tab, QUESTION)
    expect(messages(tab)).to_have_count(2)
    expect(messages(tab).last).to_contain_text(ANSWER)
    expect(tab.get_by_text("of 8,192 tokens")).to_be_visible()
    tab.goto(f"{tab.url.partition('?')[0].rstrip('/')}/about")
    expect(tab.get_by_text("A new chat begins with llamacpp")).to_contain_text("SmolLM2-135M-Instruct")
    expect(tab.get_by_text("(Apache-2.0): 98.4 MB")).to_be_visible()
