"""What a message of Open WebUI's says: its text, and what stands in it or beside it. Knows texts, parts and blocks.

Blocks of reasoning, tool calls and code stand in a reply's text there; here they stand beside it, and reasoning is what
was thought. Images that stand in the export itself come along, others and files become their names.
"""

import re
from collections.abc import Iterable
from html import unescape
from typing import Any, NamedTuple

from conversations.exchange.fields import Fields, is_empty, storable

BLOCK = re.compile(
    r"""<details\b[^<>]{0,200}?\btype=["'](?:reasoning|tool_calls|code_interpreter|code_execution)["']""", re.IGNORECASE
)
IN_ITSELF = re.compile(r"data:image/[a-z0-9.+-]{1,40}(?:;[a-z0-9=_-]{1,40}){0,4};base64", re.IGNORECASE)
KNOWN_PARTS = ("text", "image", "image_url", "input_image", "file", "input_file", "audio", "input_audio")
REASONING = re.compile(r"""^<details\b[^>]*?\btype=["']reasoning["'][^>]*>""", re.IGNORECASE)
DURATION = re.compile(r"""\bduration=["'](\d{1,9}(?:\.\d{1,9})?)["']""", re.IGNORECASE)
SUMMARY = re.compile(r"^\s*<summary>.*?</summary>", re.IGNORECASE | re.DOTALL)
QUOTED = re.compile(r"^> ?", re.MULTILINE)
CLOSED = re.compile(r"</details>\s*", re.IGNORECASE)


class Thought(NamedTuple):
    """What was thought before a reply, and how long."""

    text: str = ""
    seconds: float | None = None


def read_content(fields: Fields, is_reply: bool) -> tuple[str, Thought, dict[str, Any]]:
    """The text, what was thought before it, and what stands beside it."""
    content, output = fields.take("content"), fields.items("output")
    parts = content if isinstance(content, list) else [content]
    text = "\n".join(filter(None, map(_words, parts)))
    said = "\n".join(filter(None, (_output_text(item) for item in output)))
    text = text or said
    files = [each for each in [*parts, *fields.items("files")] if isinstance(each, dict)]
    found = [(_picture(file), _attachment(file)) for file in files]
    pictures = {picture["data"]: picture for picture, _ in found if picture}  # a part may be listed as a file as well
    attachments = [attachment for picture, attachment in found if attachment and not picture]
    text, blocks = _extract_blocks(text) if is_reply else (text, [])
    reasoning = [block for block in blocks if REASONING.match(block)]
    told = [Thought(fields.text("reasoning_content", "reasoning"))]
    thought = _joined([*map(_block_thought, reasoning), *map(_item_thought, output), *told])
    beside = {
        "pictures": list(pictures.values()),
        "attachments": attachments,
        "details": [block.strip() for block in blocks if block not in reasoning],
        "content": [storable(part) for part in parts if _is_unknown(part)],
        "output": [storable(item) for item in output if _is_unsaid(item, text)],
    }
    text = text or "\n".join(f"[{each['kind']}: {each['name']}]" for each in attachments)
    return text, thought, {name: value for name, value in beside.items() if value}


def _words(part: Any) -> str:
    """The text of a part; a number is written out."""
    text = part.get("text") if isinstance(part, dict) else part
    return str(text) if isinstance(text, str | int | float) and not isinstance(text, bool) else ""


def _is_unknown(part: Any) -> bool:
    """Whether a part has neither words nor a file that is known by its name."""
    known = isinstance(part, dict) and part.get("type") in KNOWN_PARTS
    return not known and not is_empty(part) and not _words(part)


def _extract_blocks(text: str) -> tuple[str, list[str]]:
    """The text without its blocks, and these; read once, however many are opened and never closed."""
    outside, blocks, at = [], [], 0
    while opening := BLOCK.search(text, at):
        inner = text.find(">", opening.end()) + 1
        closing = CLOSED.search(text, inner) if inner else None
        if closing is None:
            break
        outside.append(text[at : opening.start()])
        blocks.append(text[opening.start() : closing.end()])
        at = closing.end()
    return "".join([*outside, text[at:]]), blocks


def _texts(value: Any) -> list[str]:
    """The texts of a list of parts, or a text alone."""
    values = value if isinstance(value, list) else [value]
    return [text for each in values if (text := _words(each))]


def _output_text(item: Any) -> str:
    """The words of an item of a newer reply's output that is a message."""
    fields = Fields(item)
    return "\n".join(_texts(fields.take("content"))) if fields.text("type") == "message" else ""


def _block_thought(block: str) -> Thought:
    """The words of a block of reasoning, which are quoted there, and how long it says that they took."""
    opened = REASONING.match(block)
    start = opened.end() if opened else 0
    inner = SUMMARY.sub("", CLOSED.sub("", block[start:]), count=1).strip("\n")
    lines = unescape(inner).split("\n")
    is_quoted = all(line.startswith(">") for line in lines)
    told = DURATION.search(block[:start])
    words = QUOTED.sub("", "\n".join(lines)) if is_quoted else "\n".join(lines)
    return Thought(words.strip(), float(told[1]) if told else None)


def _item_thought(item: Any) -> Thought:
    """That of an item that is reasoning: in full, else summed up."""
    fields = Fields(item)
    if fields.text("type") != "reasoning":
        return Thought()
    words = _texts(fields.take("content")) or _texts(fields.take("summary"))
    told = fields.take("duration")
    is_time = type(told) in (int, float) and 0 <= told < 1e9
    return Thought("\n\n".join(words), float(told) if is_time else None)


def _joined(thoughts: Iterable[Thought]) -> Thought:
    """All that was thought, once: a newer message has the same in a block, and as an item."""
    found: dict[str, Thought] = {}
    for each in thoughts:
        key = "".join(each.text.split())
        if each.text and (key not in found or found[key].seconds is None):
            found[key] = each
    spans = [each.seconds for each in found.values() if each.seconds is not None]
    return Thought("\n\n".join(each.text for each in found.values()), sum(spans) if spans else None)


def _is_unsaid(item: Any, text: str) -> bool:
    """Whether an item of the output is kept nowhere else."""
    if is_empty(item) or _item_thought(item).text:
        return False
    said = _output_text(item)
    return not said or said.strip() not in text


def _address(file: dict[str, Any]) -> Any:
    """Where a file or a part that is an image says that it is."""
    held = file.get("image_url") if file.get("type") in ("image_url", "input_image") else file.get("url")
    return held.get("url") if isinstance(held, dict) else held


def _picture(file: dict[str, Any]) -> dict[str, Any] | None:
    """A picture that stands in the export itself; None for all else."""
    url = _address(file)
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not IN_ITSELF.fullmatch(head):
        return None
    return {"name": Fields(file).text("name") or "picture", "data": "".join(data.split())}


def _attachment(file: dict[str, Any]) -> dict[str, str] | None:
    """Kind and name of a file or of a part that is an image; None for text."""
    kind = file.get("type")
    if kind in (None, "text"):
        return None
    url = _address(file)
    last = "" if not isinstance(url, str) or url.startswith("data:") else url.rpartition("/")[2]
    inner = Fields(file.get("file"))
    name = Fields(file).text("name") or inner.text("filename", "name") or last or "unnamed"
    return {"kind": "image" if kind in ("image", "image_url") else "file", "name": name}
