"""What SillyTavern keeps of a chat: JSON lines, the first of which says who speaks. Knows that form and ours.

Swipes are branches: the chat goes on below the one that is selected.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError
from conversations.exchange.fields import Fields, to_seconds
from conversations.exchange.form import Form, Source
from conversations.exchange.syntax import Unreadable
from conversations.exchange.whole import build_conversation

STAMP = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})\s*@\s*(\d{1,2})h\s*(\d{1,2})m(?:\s*(\d{1,2})s)?")
SPOKEN = ("%B %d, %Y %I:%M%p", "%B %d, %Y %I:%M %p", "%B %d, %Y %H:%M")
TECHNICAL = ("swipe_id", "swipe_info", "force_avatar", "original_avatar", "gen_started", "gen_finished", "title")


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is the first line of a chat, or one of its messages."""
    return ("chat_metadata" in item and "user_name" in item) or ("mes" in item and "is_user" in item)


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The lines of each chat together. Raises ExchangeError for one that cannot be read: a chat is one conversation."""
    lines: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Unreadable):
            raise ExchangeError(f"line {len(lines) + 1} of the chat: {item.why}")
        if not isinstance(item, dict):
            continue
        if lines and "chat_metadata" in item and "mes" not in item:
            yield {"lines": lines}
            lines = []
        lines.append(item)
    if lines:
        yield {"lines": lines}


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    lines = item["lines"]
    head = Fields(lines[0] if "mes" not in lines[0] else {})
    nodes: dict[str, Node] = {}
    last: str | None = None
    for number, line in enumerate(each for each in lines if "mes" in each):
        swipes, above, selected = line.get("swipes"), last, line.get("swipe_id") or 0
        texts = swipes if isinstance(swipes, list) and len(swipes) > 1 else [None]
        for swipe, text in enumerate(texts):
            name = f"{number}.{swipe}"
            own = text if swipe != selected or text is None else None  # the selected one stands in the line itself
            nodes[name] = Node(above, [], _draft(line, own, swipe, source).message())
            if swipe == selected or last == above:
                last = name
    character = head.text("character_name")
    person = head.text("user_name")
    created = _time(head.take("create_date"))
    title = character if character not in {"", "unused"} else _speaker(lines) or source.title
    return build_conversation(
        nodes,
        last,
        source="sillytavern",
        title=f"Chat with {title}" if title else "",
        created=created,
        extra={**head.rest(), "character": title, "person": person},
    )


def _speaker(lines: list[dict[str, Any]]) -> str:
    """Who speaks first and is no person."""
    return next((str(each["name"]) for each in lines if each.get("is_user") is False and each.get("name")), "")


def _draft(line: dict[str, Any], swiped: str | None, swipe: int, source: Source) -> Draft:
    """A message, or one of its swipes."""
    fields = Fields(line)
    is_person, is_system = fields.flag("is_user"), fields.flag("is_system")
    about = fields.items("swipe_info")
    other = Fields(about[swipe] if swiped is not None and swipe < len(about) else line)
    extra = Fields(other.object("extra"))
    sent = line.get("send_date") if swiped is None else other.take("send_date") or line.get("send_date")
    draft = Draft("system" if is_system else "user" if is_person else "assistant", _time(sent))
    draft.model = extra.text("model") or None
    draft.say(swiped if swiped is not None else fields.text("mes"))
    draft.think(extra.text("reasoning"))
    draft.count(thinking_ms=extra.take("reasoning_duration"), completion_tokens=extra.take("token_count"))
    for kind in ("image", "video", "file"):
        held = extra.take(kind)
        name = Fields(held).text("name", "url") if isinstance(held, dict) else held
        if held:
            is_name = isinstance(name, str) and not name.startswith("data:")
            base = str(name).rpartition("/")[2] if is_name else ""
            attach(draft, source, kind, name if is_name else None, held=held, members=(base,))
    fields.drop(*TECHNICAL, "swipes", "mes", "send_date", "is_system", "extra")
    draft.keep({**fields.rest(), **extra.rest()})
    return draft


def _time(value: Any) -> float | None:
    """The program's own dates, which say no zone, as UTC; others by their form."""
    if isinstance(value, str):
        if match := STAMP.match(value):
            year, month, day, hour, minute, second = (int(each or 0) for each in match.groups())
            return _timestamp(year, month, day, hour, minute, second)
        for form in SPOKEN:
            try:
                return datetime.strptime(value.strip().upper().replace("  ", " "), form).replace(tzinfo=UTC).timestamp()
            except ValueError:
                continue
    return to_seconds(value)


def _timestamp(*parts: int) -> float | None:
    try:
        return datetime(*parts[:6], tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]
    except ValueError:
        return None


FORM = Form("SillyTavern", recognizes, convert, gather)
