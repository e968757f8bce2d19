"""Presses at the worst moment in a real Chromium: 200 of them, each in the middle of what another one made the page do.

The wire between browser and server is held, so that no moment depends on how fast the machine is.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator
from itertools import count, permutations
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from prompts.persona import load_all
from tests.loopback import Loopback
from tests.page.person import (
    click_button,
    close_popover,
    messages,
    open_popover,
    send_message,
    unfold_popover,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser
PRESSES = 200
MOMENTS = ("together", "stale", "half", "held down")
AT_HOME = ("thumb", "pin", "rename")  # about the conversation they were made in, whatever is opened meanwhile
ANYWHERE = ("persona", "slider", "model", "search")
NAVIGATION = ("new chat", "open")
BUTTONS = ("thumb", *NAVIGATION)
Check = Callable[[], None]


class Wire:
    """Between the page and its server, held in the page itself from its next load on; what is held comes later."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        tab.add_init_script(HELD)

    def hold(self, way: str) -> None:
        """From now on nothing goes this way: up or down."""
        self.tab.evaluate("way => wire[way] = []", way)

    def drawn(self) -> None:
        """Wait until the page that is held on its way is whole."""
        seen = 0
        while True:
            self.tab.wait_for_function("seen => wire.down.length > seen", arg=seen)
            seen, frames = self.tab.evaluate("seen => wire.short(seen)", seen)
            if any(map(_is_end, frames)):
                return

    def sent(self) -> int:
        """How often the page has said something, held or not."""
        return int(self.tab.evaluate("wire.sent"))

    def until_sent(self, before: int) -> None:
        """Wait until it has said more: Streamlit tells of a press some milliseconds after it."""
        self.tab.wait_for_function("before => wire.sent > before", arg=before)

    def free(self, part: float = 1.0) -> None:
        """Hand on what is held, or the first part of what comes down."""
        self.tab.evaluate("part => wire.free(part)", part)


def _is_end(frame: str) -> bool:
    """Whether it ends the drawing of a whole page."""
    said = ForwardMsg.FromString(b64decode(frame))
    ended: bool = said.script_finished == said.FINISHED_SUCCESSFULLY
    return ended and said.WhichOneof("type") == "script_finished"


class Person:
    """Each method presses something of the page and returns how to see that it was done."""

    def __init__(self, tab: Page) -> None:
        self.tab, self.numbers = tab, count(1)
        self.pinned, self.rated = False, False
        self.conversation_id = ""
        self.personas = [persona.name for persona in load_all()]

    def button(self, name: str) -> Locator:
        """One that is pressed in one go."""
        if name == "thumb":
            return self.tab.get_by_role("button", name="Good reply").last
        if name == "new chat":
            return self.tab.get_by_role("button", name="New chat")
        return self.row("elsewhere")

    def row(self, title: str) -> Locator:
        """A conversation in the list."""
        return self.tab.locator("[class*=st-key-row-]").get_by_role("button", name=title, exact=True)

    def thumb(self) -> Check:
        self.rated, wanted = not self.rated, str(not self.rated).lower()
        return lambda: expect(self.button("thumb")).to_have_attribute("aria-pressed", wanted)

    def new_chat(self) -> Check:
        return lambda: expect(messages(self.tab).filter(has_text="here")).to_have_count(0)  # nor "elsewhere"

    def open(self) -> Check:
        return lambda: expect(messages(self.tab).first).to_contain_text("elsewhere")

    def pin(self) -> Check:
        open_popover(self.tab, "Chat")
        click_button(self.tab, "Unpin" if self.pinned else "Pin")
        close_popover(self.tab)
        self.pinned, number = not self.pinned, int(not self.pinned)
        return lambda: expect(self.tab.get_by_text("Pinned", exact=True)).to_have_count(number)

    def rename(self) -> Check:
        open_popover(self.tab, "Chat")
        title = f"here {next(self.numbers)}"
        self.tab.get_by_label("Title").fill(title)
        self.tab.get_by_label("Title").press("Enter")
        close_popover(self.tab)
        return lambda: expect(self.row(title)).to_be_visible()

    def persona(self) -> Check:
        name = self.personas[next(self.numbers) % len(self.personas)]
        header = self.tab.locator(".st-key-header")
        unfold_popover(self.tab, header.get_by_test_id("stPopover").first.get_by_role("button"))
        self.tab.get_by_role("combobox", name="Persona").fill(name)
        self.tab.get_by_role("option", name=f"{name}:").click()
        close_popover(self.tab)
        return lambda: expect(header.get_by_role("button", name=name)).to_be_visible()

    def slider(self) -> Check:
        open_popover(self.tab, "Settings")
        slider = self.tab.get_by_role("slider", name="Top-k")
        wanted = str(int(slider.input_value()) + 1)
        slider.press("ArrowRight")
        close_popover(self.tab)

        def check() -> None:
            open_popover(self.tab, "Settings")
            expect(slider).to_have_value(wanted)
            close_popover(self.tab)

        return check

    def model(self) -> Check:
        name = f"model-{next(self.numbers)}"
        box = self.tab.get_by_role("combobox", name="Model")
        box.fill(name)
        box.press("Enter")
        return lambda: expect(box).to_have_value(name)

    def search(self) -> Check:
        words = f"nothing-{next(self.numbers)}"
        box = self.tab.get_by_role("textbox", name="Search")
        box.fill(words)
        box.press("Enter")

        def check() -> None:
            expect(self.tab.get_by_text("Nothing found")).to_be_visible()
            expect(box).to_have_value(words)
            box.fill("")
            box.press("Enter")
            expect(self.row("elsewhere")).to_be_visible()

        return check

    def message(self) -> Check:
        text = f"message {next(self.numbers)}"
        send_message(self.tab, text)
        return lambda: expect(messages(self.tab).filter(has_text=text)).to_be_visible()

    def do(self, name: str) -> Check:
        """Press it."""
        check: Check = getattr(self, name.replace(" ", "_"))()
        if name in BUTTONS:
            self.button(name).click()
        return check

    def home(self) -> None:
        """Open the conversation that the presses are about."""
        row = self.tab.locator(f".st-key-row-{self.conversation_id}").get_by_role("button")
        if row.get_attribute("kind") != "secondary":
            row.click()
        expect(messages(self.tab).first).to_contain_text("here")
        wait_until_drawn(self.tab)
        self.pinned = self.tab.get_by_text("Pinned", exact=True).count() == 1
        self.rated = self.button("thumb").get_attribute("aria-pressed") == "true"


def pairs() -> Iterator[tuple[str, str, str]]:
    """Two presses and the moment of the second, over and over."""
    for first, second in permutations((*AT_HOME, *ANYWHERE, *NAVIGATION), 2):
        if not {first, second} <= {*NAVIGATION}:
            holds = second in BUTTONS and not (second == "open" and first in {"pin", "search"})  # the row moves away
            whole = first == "open" and second in AT_HOME  # by then half of the page is the other conversation's
            impossible = {*(() if holds else ("held down",)), *(("half",) if whole else ())}
            yield from ((first, second, moment) for moment in MOMENTS if moment not in impossible)
    for first in NAVIGATION:
        yield from ((first, "message", moment) for moment in MOMENTS[:3])


def chosen() -> list[tuple[str, str, str]]:
    """As many of them as make 200 presses, spread over all."""
    every = list(pairs())
    return [every[at * len(every) * 2 // PRESSES] for at in range(PRESSES // 2)]


def act(person: Person, wire: Wire, first: str, second: str, moment: str) -> list[Check]:
    """Press both at that moment."""
    if moment == "together":
        wire.hold("up")
        checks = [person.do(first), person.do(second)]
        wire.free()
        return checks
    wire.hold("down")
    check = person.do(first)
    wire.drawn()
    if moment == "held down":
        person.button(second).hover()
        person.tab.mouse.down()
        wire.free()
        wait_until_drawn(person.tab)
        person.tab.mouse.up()
        return [check, getattr(person, second.replace(" ", "_"))()]
    if moment == "half":
        wire.free(0.5)
    before = wire.sent()
    checks = [check, person.do(second)]
    if second != "slider":  # which tells of it once it rests
        wire.until_sent(before)
    wire.free()
    return checks


def done(person: Person, first: str, second: str, checks: list[Check]) -> Iterator[bool]:
    """Whether each of both had its effect, where it belongs."""
    wait_until_drawn(person.tab)
    away = {*NAVIGATION} & {first, second}
    there = [name in {*NAVIGATION, "search"} or (name == second and name not in AT_HOME) for name in (first, second)]
    for here in (True, False):
        if away and not here:
            person.home()
        for check, is_there in zip(checks, there, strict=True):
            if is_there is here:
                try:
                    check()
                    yield True
                except AssertionError:
                    yield False


def test_no_press_is_lost_while_the_page_is_drawn_anew(talk: Loopback, tab: Page) -> None:
    talk.models = ["loopback-small", "another"]
    wire, person = Wire(tab), Person(tab)
    tab.reload()
    for text in ("elsewhere", "here"):
        click_button(tab, "New chat")
        expect(messages(tab)).to_have_count(0)
        send_message(tab, text)
        expect(tab.get_by_text("openai ·")).to_be_visible()
    tab.get_by_role("combobox", name="Model").wait_for()
    wait_until_drawn(tab)
    person.conversation_id = parse_qs(urlsplit(tab.url).query)["c"][0]
    lost = []
    for first, second, moment in chosen():
        checks = act(person, wire, first, second, moment)
        for was_done in done(person, first, second, checks):
            if not was_done:
                lost.append(f"{first}, {second}, {moment}")
        person.home()
    assert not lost, f"{len(lost)} of {PRESSES} presses lost: {lost}"


# Frames that tell of the end of a script are short: the others stay in the page.
HELD = """
window.wire = {
    up: null, down: null, handing: false, sent: 0,
    free(part) {
        (this.up ?? []).forEach(data => this.socket.pass(data));
        const held = this.down ?? [], given = held.splice(0, Math.floor(held.length * part));
        this.handing = true;
        given.forEach(data => this.socket.dispatchEvent(new MessageEvent('message', { data })));
        this.handing = false;
        this.up = null;
        this.down = part < 1 ? held : null;
    },
    short(seen) {
        const short = this.down.slice(seen).filter(data => data.byteLength < 1000);
        return [this.down.length, short.map(data => btoa(String.fromCharCode(...new Uint8Array(data))))];
    },
};
window.WebSocket = class extends WebSocket {
    constructor(...given) {
        super(...given);
        if (!new URL(this.url).pathname.endsWith('/_stcore/stream')) return;
        wire.socket = this;
        this.addEventListener('message', event => {
            if (wire.down === null || wire.handing) return;
            event.stopImmediatePropagation();
            wire.down.push(event.data);
        });
    }
    send(data) {
        if (wire.socket === this) wire.sent += 1;
        if (wire.socket === this && wire.up !== null) wire.up.push(data);
        else this.pass(data);
    }
    pass(data) {
        super.send(data);
    }
};
"""
