"""Readable by a screen reader: axe-core finds nothing serious in what we draw, and every control has a name."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.loopback import Loopback
from tests.page.person import click_button, close_popover, messages, open_popover, send_message, wait_until_drawn

pytestmark = pytest.mark.browser
GRAVE = {"serious", "critical"}
# Streamlit's own chrome: rule, a part of the CSS selector, and why it is not ours.
KNOWN: dict[tuple[str, str], str] = {}
NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, [role=combobox], [role=slider]')]
    .filter(e => e.offsetParent && !e.disabled && !e.closest('[data-testid=stHeader], [data-testid=stFileUploader]'))
    .filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.getAttribute('aria-labelledby')))
    .map(e => e.outerHTML.slice(0, 200))"""

# From now on `wasPale` says whether something is, or was, what one run of the script left and the next is yet to draw.
WATCH_PALE = """() => {
    const look = () => { window.wasPale ||= document.querySelector('[data-stale="true"]') !== null; };
    window.wasPale = false;
    window.paleness?.disconnect();
    window.paleness = new MutationObserver(look);
    window.paleness.observe(document.body, {subtree: true, attributes: true, attributeFilter: ['data-stale']});
    look();
}"""


def violations(tab: Page) -> list[tuple[str, str]]:
    """Rule and selector of everything grave, on a page at rest: what a run of the script is yet to draw is pale."""
    while True:
        wait_until_drawn(tab)
        tab.evaluate(WATCH_PALE)
        found: dict[str, Any] = Axe().run(tab).response
        if not tab.evaluate("window.wasPale"):
            break
    grave = [violation for violation in found["violations"] if violation["impact"] in GRAVE]
    return [(each["id"], " ".join(map(str, node["target"]))) for each in grave for node in each["nodes"]]


def known(rule: str, selector: str) -> tuple[str, str] | None:
    """The entry of the list that this is."""
    return next((entry for entry in KNOWN if entry[0] == rule and entry[1] in selector), None)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_in_what_we_draw(
    talk: Loopback, tab: Page, chromium: Browser, scripted: tuple[Loopback, str], scheme: str
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(scripted[1])
        expect(page.get_by_text("Import", exact=True)).to_be_visible()
        seen = [*violations(page)]
        send_message(page, "hi")
        expect(page.get_by_text("openai ·")).to_be_visible()
        click_button(page, "Good reply")
        expect(page.get_by_label("What was good about it?")).to_be_visible()
        messages(page).first.hover()
        click_button(page, "Edit and send again")
        expect(page.get_by_label("Edit your message")).to_be_visible()
        seen += violations(page)
        assert page.evaluate(NAMELESS) == []
        for name in ("Persona", "Settings", "Chat"):
            open_popover(page, name)
            seen += violations(page)
            assert page.evaluate(NAMELESS) == []
            close_popover(page)
        talk.script.append("slow")
        send_message(page, "and now?")
        page.get_by_text("word1 ").first.wait_for()
        seen += violations(page)
        page.keyboard.press("Escape")
        expect(page.get_by_text("Stopped.")).to_be_visible()
    assert sorted({each for each in seen if known(*each) is None}) == []
    assert {known(*each) for each in seen} == set(KNOWN), "an entry that no longer occurs has to go"
