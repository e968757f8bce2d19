"""The marks of citations in a reply of ChatGPT's, as links to what they cite. Knows marks and metadata; no message.

A mark begins with U+E200, ends with U+E201, and U+E202 stands between its fields; older ones look like 【4†source】.
What it cites stands beside the text in `content_references`, older in `citations`. A mark that cites nothing that is
known goes, but for the words that it carries.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from conversations.exchange.fields import Fields, is_address

BEGIN, END, BETWEEN = "\ue200", "\ue201", "\ue202"
MARK = re.compile(f"{BEGIN}([^{BEGIN}{END}]*){END}")
UNCLOSED = re.compile(
    rf"{BEGIN}[^{BEGIN}{END}\n]{{0,200}}\Z|{BEGIN}\w+(?:{BETWEEN}turn\w*)*"
)  # of a reply that was cut inside a mark
STRAY = re.compile("[\ue200-\ue206]")
POINTING = {"cite", "filecite", "i"}  # marks that carry no word
REFERENCE = re.compile(r"turn\d|[\[{]")  # what a mark points to, or how it is to be drawn
BRACKETED = re.compile(r"【[^【】\n]{1,80}】")
MAX_TITLE = 200  # characters of a link's text


def link_citations(text: str, metadata: dict[str, Any]) -> tuple[str, list[dict[str, str]]]:
    """The text with links in the place of marks, and what is cited: title and address of each, once."""
    references = [each for each in _list(metadata, "content_references") if isinstance(each, dict)]
    cited: dict[str, str] = {}
    replacements: dict[str, str] = {}
    for reference in references:
        sources = dict(_sources(reference))
        cited = {**sources, **cited}
        matched = reference.get("matched_text") or _slice(text, reference.get("start_idx"), reference.get("end_idx"))
        if isinstance(matched, str) and _is_mark(matched):
            replacements[matched] = _links(sources) or _words(reference)
    text = _replace_bracketed(text, metadata, cited)
    for matched, replacement in replacements.items():
        text = text.replace(matched, replacement)
    text = STRAY.sub("", UNCLOSED.sub("", MARK.sub(_carried_words, text)))
    return text, [{"title": title, "url": url} for url, title in cited.items()]


def _slice(text: str, start: Any, end: Any) -> str:
    """A piece of a text; empty where its places are none."""
    return text[start:end] if type(start) is int and type(end) is int and 0 <= start < end else ""


def _is_mark(text: str) -> bool:
    return BEGIN in text or BRACKETED.fullmatch(text) is not None


def _sources(reference: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Address and title of each page that a reference names, wherever in it."""
    fields = Fields(reference)
    title, url = fields.text("title", "name", "attribution"), fields.text("url", "cloud_doc_url")
    if is_address(url):
        yield url, title or urlsplit(url).netloc
    has_items = bool(reference.get("items") or reference.get("sources"))
    for name in ("items", "sources", "supporting_websites", *(() if has_items else ("fallback_items",))):
        for each in _list(reference, name):
            if isinstance(each, dict):
                yield from _sources(each)
    if not url and not has_items and not reference.get("fallback_items"):  # nothing but bare addresses
        yield from ((each, urlsplit(each).netloc) for each in _list(reference, "safe_urls") if is_address(each))


def _words(reference: dict[str, Any]) -> str:
    """What stands for a reference without an address: a file's name, a person's, a picture's title."""
    fields = Fields(reference)
    name = fields.text("name", "title")
    if name:
        return f"({name})" if reference.get("type") == "file" else name
    alt = fields.text("alt")
    return "" if is_address(alt) else MARK.sub(_carried_words, alt) or _of_mark(str(reference.get("matched_text")))


def _of_mark(matched: str) -> str:
    return MARK.sub(_carried_words, matched)


def _carried_words(mark: re.Match[str]) -> str:
    """The words inside a mark: a title, or the name of a person or place; others only point elsewhere."""
    kind, *fields = mark[1].split(BETWEEN)
    if kind == "url" and len(fields) > 1 and is_address(fields[1]):
        return link(fields[0], fields[1])
    if kind not in POINTING and fields and not REFERENCE.match(fields[0]):
        return fields[0]
    if kind == "entity" and fields:
        try:
            names = json.loads(fields[0])
        except (ValueError, RecursionError):
            return ""
        words = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        return words[1] if len(words) > 1 else next(iter(words), "")
    return ""


def _replace_bracketed(text: str, metadata: dict[str, Any], cited: dict[str, str]) -> str:
    """The text with links in the place of 【4†source】, where their citations say; adds to `cited`."""
    found: dict[tuple[int, int], dict[str, str]] = {}
    for citation in _list(metadata, "citations"):
        fields = Fields(citation)
        sources = dict(_sources(fields.object("metadata")))
        for url, title in sources.items():
            cited.setdefault(url, title)
        start, end = fields.take("start_ix", "start_idx"), fields.take("end_ix", "end_idx")
        if sources and _is_mark(_slice(text, start, end)):
            found.setdefault((start, end), {}).update(sources)
    for (start, end), sources in sorted(found.items(), reverse=True):
        text = f"{text[:start]}{_links(sources)}{text[end:]}"
    return text


def _links(sources: dict[str, str]) -> str:
    """Links in brackets, as people write a source behind a sentence."""
    return f"({', '.join(link(title, url) for url, title in sources.items())})" if sources else ""


def link(title: str, url: str) -> str:
    """A link in Markdown, whatever its title and address hold."""
    words = re.sub(r"([\\`*_\[\]<>&!|$~])", r"\\\1", " ".join(title.split())[:MAX_TITLE])
    return f"[{words or urlsplit(url).netloc}]({quote(url, safe=SAFE)})"


SAFE = "%/:?#@!$&'*+,;=~-._"  # of an address, in a link: no space, no bracket


def _list(value: dict[str, Any], name: str) -> list[Any]:
    held = value.get(name)
    return held if isinstance(held, list) else []
