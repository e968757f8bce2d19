"""A reader of the event stream over HTTP, as the browser's worker is one: it keeps the newest state of each topic."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from identity import BrowserId, cookies
from settings import Settings

State = dict[str, Any]


def patched(blocks: list[str], patch: State) -> list[str]:
    """What worker.js does with a patch."""
    keep, cut, add = patch["keep"], patch["cut"], patch["add"]
    if not add:
        return blocks[:keep]
    start = (blocks[keep] if keep < len(blocks) else "").encode("utf-16-le")[: 2 * cut].decode("utf-16-le")
    return [*blocks[:keep], start + add[0], *add[1:]]


class Reader:
    """The states by topic, and every event in order."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.events: list[State] = []
        self.states: dict[str, State] = {}
        self.heartbeats = 0

    def html(self, topic: str) -> str:
        """The blocks of a reply, joined."""
        return "".join(self.states.get(topic, {}).get("blocks", ()))

    def until(self, reached: Callable[[], Any]) -> None:
        """Read on until it is so. Fails where the stream ends before."""
        while not reached():
            line = next(self._lines)
            if line.startswith(":"):
                self.heartbeats += 1
            if line.startswith("data: "):
                self._take(json.loads(line[6:]))

    def until_text(self, topic: str, text: str) -> None:
        """Read on until a reply has it."""
        self.until(lambda: text in self.html(topic))

    def until_ended(self, *topics: str) -> None:
        """Read on until these replies have ended."""
        self.until(lambda: all(self.states.get(topic, {}).get("ended") for topic in topics))

    def _take(self, event: State) -> None:
        self.events.append(event)
        if "add" in event:
            known = [] if event["whole"] else self.states[event["topic"]]["blocks"]
            event = {**event, "blocks": patched(known, event)}
        self.states[event["topic"]] = event


def ticket(browser: str = "me") -> tuple[str, dict[str, str], str]:
    """A ticket, the cookie that goes with it, and the owner."""
    issued = cookies(Settings.read())
    badge = BrowserId(issued.issue({}).cookie_name, browser)
    return issued.sign_ticket(badge, badge.owner), {badge.cookie_name: issued.sign(badge)}, badge.owner


@contextmanager
def reading(address: str, *topics: str, browser: str = "me") -> Iterator[Reader]:
    """A connection that asks for these topics."""
    signed, sent, _ = ticket(browser)
    with (
        httpx.Client(cookies=sent, timeout=300) as client,
        client.stream("GET", f"{address}/events", params={"ticket": signed, "t": list(topics)}) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Reader(answer.iter_lines())
