"""What a person does in the page, and sees there."""

import base64
import re
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Locator, Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from settings import ROOT

DOCS = ROOT / "docs"


def send_message(tab: Page, text: str) -> None:
    """Write a message and press Enter."""
    tab.get_by_placeholder("Write a message").fill(text)
    tab.keyboard.press("Enter")


def messages(tab: Page) -> Locator:
    """The messages."""
    return tab.get_by_test_id("stChatMessage")


def last_text(tab: Page) -> str:
    """The text of the newest one."""
    return messages(tab).last.inner_text()


def wait_until_longer(tab: Page, longer_than: int = 0) -> int:
    """Wait until the last reply is longer; its length."""
    tab.wait_for_function(
        "n => [...document.querySelectorAll('[data-testid=stChatMessage]')].at(-1)?.innerText.length > n",
        arg=longer_than,
    )
    return len(last_text(tab))


def click_button(tab: Page, name: str, at: int = -1) -> None:
    """A button; where several have that name, the last one unless `at` says otherwise."""
    tab.get_by_role("button", name=name, exact=True).nth(at).click()


def wait_until_drawn(tab: Page) -> None:
    """Wait until the page is drawn: what is filled in before may be drawn over."""
    tab.wait_for_timeout(100)
    tab.locator('[data-test-script-state="notRunning"]').wait_for()


def assert_fits_phone(tab: Page) -> None:
    """On a phone nothing is wider than the screen."""
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def open_popover(tab: Page, name: str) -> Locator:
    """Open one of the popovers above the conversation; what is in it."""
    return unfold_popover(tab, tab.locator(".st-key-header").get_by_role("button", name=name))


def unfold_popover(tab: Page, button: Locator) -> Locator:
    """Press the button of a popover until it is open, as a person does where the press went astray; what is in it.

    A button that moves away under the mouse is not pressed: the window has another size, or the page is drawn anew.
    """
    body = tab.get_by_test_id("stPopoverBody")
    for _ in range(30):
        if button.get_attribute("aria-expanded") != "true":
            button.click()
        with suppress(AssertionError):
            expect(body).to_be_visible(timeout=10_000)
            break
    expect(body).to_be_visible()
    return body


def close_popover(tab: Page) -> None:
    """Close it; a list in it that is about to close takes an Escape for itself, so another one follows."""
    body = tab.get_by_test_id("stPopoverBody")
    for _ in range(300):
        tab.keyboard.press("Escape")
        with suppress(AssertionError):
            expect(body).to_have_count(0, timeout=1_000)
            return
    expect(body).to_have_count(0)


def without_stream(tab: Page) -> None:
    """From its next load on the page of this tab looks again and again: its stream does not come through."""
    tab.add_init_script("delete window.SharedWorker")  # what a shared worker asks for, a test cannot catch
    tab.route(re.compile("/events[?]"), lambda route: route.fulfill(status=502, body="no"))


def asked(tab: Page) -> list[BackMsg]:
    """What this tab asks its script for from its next load on."""
    sent: list[BackMsg] = []

    def note(frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            message = BackMsg.FromString(frame)
            if message.WhichOneof("type") == "rerun_script":
                sent.append(message)

    def meet(socket: WebSocket) -> None:
        socket.on("framesent", note)

    tab.on("websocket", meet)
    return sent


def expect_stopped(tab: Page) -> None:
    """The last reply was stopped, and nothing is left to stop."""
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)


def picture_folder(tmp_path: Path, update: bool) -> Path:
    """Where screenshots go."""
    return DOCS if update else tmp_path


def choose_files(tab: Page, *paths: Path) -> None:
    """Attach files with the button beside the message, through the browser's own chooser."""
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Upload files").click()
    chooser.value.set_files(list(paths))
    expect_uploaded(tab, *[path.name for path in paths])


def drag_file(tab: Page, name: str, data: bytes) -> None:
    """Drag a file over the page and drop it where the message is written."""
    held = tab.evaluate_handle(DRAGGED, [name, base64.b64encode(data).decode()])
    tab.dispatch_event("body", "dragover", {"dataTransfer": held})
    tab.get_by_text("Drag and drop files here").wait_for()
    tab.dispatch_event("text=Drag and drop files here >> xpath=preceding-sibling::*", "drop", {"dataTransfer": held})
    expect_uploaded(tab, name)


def expect_uploaded(tab: Page, *names: str) -> None:
    """The files stand beside the message and have reached the server."""
    for name in names:
        expect(tab.get_by_role("button", name=f"Remove {name}", exact=True)).to_be_visible()
    expect(tab.get_by_role("button", name="Send message")).to_be_enabled()


DRAGGED = """([name, data]) => {
    const held = new DataTransfer();
    held.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
    return held;
}"""
