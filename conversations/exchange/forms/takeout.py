"""Gemini's activity as Google Takeout has it (MyActivity.json): a prompt and its answer a record.

No record says which conversation it belongs to: what was asked within half an hour of each other is one here.
Knows that form and ours.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError
from conversations.exchange.fields import Fields, is_address, to_seconds
from conversations.exchange.form import Form, Source
from conversations.exchange.syntax import Unreadable
from conversations.exchange.whole import build_conversation, chain
from conversations.store.text import clean

PAUSE = 30 * 60  # seconds without a prompt, after which a conversation is another
ASKED = re.compile(r"^(?:Prompted(?: with)?|Asked(?: Gemini| Bard)?|Said|Branched|Answered):?\s+", re.IGNORECASE)
DONE = re.compile(r"^(?:Created|Used|Added|Gave|Selected|Shared|Deleted|Viewed|Visited|Edited|Pinned|Renamed)\s")
ATTACHED = re.compile(r"\s*Attached \d+ files?\.?\s*$", re.IGNORECASE)
REMARK = "Takeout does not say which prompts belong together: those within 30 minutes are one conversation"


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of Gemini's records, which stand among others of the same form."""
    products = item.get("products")
    labels = [item.get("header"), *(products if isinstance(products, list) else [])]
    is_named = any(isinstance(label, str) and re.search("gemini|bard", label, re.IGNORECASE) for label in labels)
    return is_named and "title" in item and "time" in item


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The records of each conversation together. They stand from the newest to the oldest, or the other way."""
    source.remark(REMARK)
    group: list[dict[str, Any]] = []
    before: float | None = None
    for item in items:
        if isinstance(item, Unreadable) or not isinstance(item, dict):
            yield item
            continue
        if not recognizes(item):
            continue
        time = to_seconds(item.get("time"))
        if group and (time is None or before is None or abs(before - time) > PAUSE):
            yield {"records": group}
            group = []
        group.append(item)
        before = time
    if group:
        yield {"records": group}


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError for a record without a time."""
    records = [Fields(each) for each in item["records"]]
    timed = [(record.time("time"), record) for record in records]
    if any(time is None for time, _ in timed):
        raise ExchangeError("time: no time is in it")
    timed.sort(key=lambda each: each[0] or 0.0)
    drafts = [draft for time, record in timed for draft in _turn(time, record, source)]
    return build_conversation(*chain(drafts), source="gemini")


def _turn(time: float | None, record: Fields, source: Source) -> Iterator[Draft]:
    """A question and its answer; what was done without a word is counted alone."""
    title, answers = record.text("title"), [Fields(each).text("html") for each in record.items("safeHtmlItem")]
    if DONE.match(title) and not any(answers):
        source.lose("records of what was done without a word")
        return
    question = Draft("user", time)
    question.say(ATTACHED.sub("", ASKED.sub("", title)))
    for file in record.items("attachedFiles", "imageFile", "audioFiles"):
        name = file if isinstance(file, str) else Fields(file).text("name", "url")
        attach(question, source, "file", name, members=(name,))
    record.drop("header", "products", "activityControls", "time")
    address = record.text("titleUrl")
    question.keep({**record.rest(), "url": address if is_address(address) else ""})
    yield question
    if any(answers):
        reply = Draft("assistant", time)
        reply.say("\n\n".join(filter(None, map(_markdown, answers))))
        yield reply


def _markdown(html: str) -> str:
    """An answer, which is HTML there, as Markdown."""
    from markdownify import markdownify  # here: it takes a tenth of a second to import

    html = clean(html)
    if "<" not in html:
        return unescape(html)
    read = markdownify(html, heading_style="ATX", bullets="-", escape_asterisks=False, escape_underscores=False)
    return str(read).strip()


FORM = Form("Gemini's Takeout", recognizes, convert, gather)
