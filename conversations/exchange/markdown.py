"""A conversation as Markdown, for people. Knows our form only; nothing reads this back.

Each text stands in a quotation, so that its headings and fences end with it. Outside code, what would be HTML, an image
or a link's definition is shown as it was typed: nobody's words become part of the document, and nothing is fetched.
Markers of sources are footnotes, which stand below their message.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from conversations.exchange.citations import cited_passages, numbered_sources
from conversations.store.tree import Tree
from documents.alignment import mark, used_numbers
from documents.marker import OURS, Marker
from documents.source import Source
from documents.split import Passage

NOTE = "<!-- llm-assistant: Markdown for reading; only --format json can be imported again -->"
OURS_NOTE = f"*{OURS}: the model named no source; the words of the sentence were found there*"
ROLE_NAMES = {"user": "You", "assistant": "Assistant", "system": "System", "tool": "Tool"}
LINE_END = r"\r\n|\r|\n"
FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
RISKY = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|!(?=\[)|(?<=\]):")
SAFE = {"<": "&lt;", "&": "&amp;", "!": "\\!", ":": "\\:"}


def render_markdown(conversation: Mapping[str, Any]) -> str:
    """The shown branch (of a comparison all replies) with speakers and times."""
    messages, passages = conversation["messages"], cited_passages(conversation)
    numbers = range(len(messages))
    if conversation["kind"] != "compare":
        numbers = Tree((m["number"], m["parent"]) for m in messages).path(conversation["head"])  # type: ignore[assignment]
    blocks = [NOTE, f"# {_inline(conversation['title']) or 'Untitled'}", *_render_header(conversation)]
    shown = [number for number in numbers if (messages[number]["extra"] or {}).get("hidden") is not True]
    for number in shown:
        message = messages[number]
        sources = _sources(message, conversation, passages)
        question = "" if message["parent"] is None else messages[message["parent"]]["text"]
        markers = mark(message["text"], tuple(sources), question)
        written = {**message, "text": _link_footnotes(message["text"], markers, number)}
        blocks += [*_render_message(written), *_render_sources(sources, markers, number)]
    for count, where in ((len(numbers) - len(shown), "hidden"), (len(messages) - len(numbers), "on other branches")):
        if count:
            blocks.append(f"*{count} {'message' if count == 1 else 'messages'} {where} not shown*")
    return "\n\n".join(blocks) + "\n"


def _render_header(conversation: Mapping[str, Any]) -> list[str]:
    """Who the assistant is, and what there is to read."""
    names = ", ".join(_inline(document["name"]) for document in conversation.get("documents", ()))
    documents = [f"**Documents:** {names}"] if names else []
    persona = conversation["persona"]
    if persona:
        name = f"**Persona:** {_inline(persona['name'])}, {_inline(persona['description'])}"
        return [name, blockquote("\n".join(persona["sentences"])), *documents]
    system = ["**System prompt**", blockquote(conversation["system"])] if conversation["system"] else []
    return [*system, *documents]


def _render_message(message: Mapping[str, Any]) -> list[str]:
    """A message as a heading, its quoted text, and what was attached."""
    model = [_inline(message["model"])] if message["model"] else []
    state = [] if message["state"] == "done" else [message["state"]]
    heading = ", ".join([ROLE_NAMES[message["role"]], *model, _time(message["created"]), *state])
    attachments, references = _entries(message, "attachments"), _entries(message, "references")
    names = [" ".join(str(a[n]) for n in ("kind", "name", "prompt") if a.get(n)) for a in attachments]
    pages = [" ".join(str(r[n]) for n in ("title", "url") if r.get(n)) for r in references]
    error = f"*Error: {_inline(message['error'])}*" if message["error"] else ""
    attached = f"*Attached: {_inline(', '.join(names))}*" if names else ""
    cited = f"*From: {_inline(', '.join(pages))}*" if pages else ""
    texts = [_render_thinking(message), blockquote(message["text"]), attached, cited, error]
    calls = [line for call in message.get("calls", ()) for line in _render_call(call)]
    return [f"## {heading}", *calls, *filter(None, texts)]


def _render_thinking(message: Mapping[str, Any]) -> str:
    """What a model thought before it answered, folded up."""
    if not message.get("thinking"):
        return ""
    milliseconds = message.get("thinking_ms")
    time = "" if milliseconds is None else f" for {milliseconds / 1000:.1f} s"
    return f"<details><summary>Thought{time}</summary>\n\n{blockquote(message['thinking'])}\n\n</details>"


def _render_call(call: Mapping[str, Any]) -> list[str]:
    """A call of a tool: what became of it and who allowed it, and its arguments and result word for word."""
    origin = f" of {_inline(call['origin'])}" if call["origin"] not in {"", "own"} else ""
    by = f" ({_inline(call['decided_by'])})" if call["decided_by"] else ""
    title = f"*Called {_inline(call['name'])}{origin}: {call['status']}{by}, {_time(call['asked'])}*"
    result = [blockquote(code_block(call["result"]))] if call["result"] else []
    return [title, blockquote(code_block(call["arguments"], "json")), *result]


def _entries(message: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list that an import brought beside a message."""
    held = (message["extra"] or {}).get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _sources(
    message: Mapping[str, Any], conversation: Mapping[str, Any], passages: Mapping[tuple[int, int], Passage]
) -> list[Source]:
    """The passages that a message was made from."""
    sources = []
    for number, each in numbered_sources(message):
        if passage := passages.get((each["document"], each["begins"])):
            name = conversation["documents"][each["document"]]["name"]
            sources.append(Source(name, passage.page, passage.place, passage.text, each["score"], number))
    return sources


def _link_footnotes(text: str, markers: Sequence[Marker], message: int) -> str:
    """The text with footnotes in the place of its markers, and where it has none, of ours."""
    done, at = [], 0
    for marker in markers:
        notes = [f"{OURS if marker.is_ours else ''}{_footnote(message, number)}" for number in marker.numbers]
        others = [f"[{number}]" for number in marker.unknown]
        done += [text[at : marker.start], " " if marker.is_ours else "", *notes, *others]
        at = marker.end
    return "".join([*done, text[at:]])


def _footnote(message: int, number: int) -> str:
    return f"[^{message}-{number}]"


def _render_sources(sources: Sequence[Source], markers: Sequence[Marker], message: int) -> Iterator[str]:
    """The passages that it was made from, word for word: in code nothing is markup. Named ones are footnotes."""
    used = set(used_numbers(markers))
    if any(marker.is_ours for marker in markers):
        yield OURS_NOTE
    for source in sources:
        title = f"*Source {source.number}: {_inline(source.location)}*"
        if source.number in used:
            lines = re.split(LINE_END, code_block(source.quote))
            quote = "\n".join(f"    {line}" for line in lines)  # so that it is the footnote's
            yield f"{_footnote(message, source.number)}: {title}\n\n{quote}"
        else:
            yield title
            yield blockquote(code_block(source.quote))


def code_block(text: str, language: Any = None) -> str:
    """Code as Markdown shows it, whatever backticks it holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    name = language if isinstance(language, str) and language.isalnum() and language != "unknown" else ""
    return f"{fence}{name}\n{text}\n{fence}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _inline(text: str) -> str:
    """Words as one line without any markup."""
    return re.sub(r"([\\`*_\[\]<>&#~|!])", r"\\\1", " ".join(text.split()))


def blockquote(text: str) -> str:
    """A text as a quotation; empty for an empty one."""
    if not text:
        return ""
    lines, fence, sure = [], "", True
    for line in re.split(LINE_END, text):
        if fence:
            fence = "" if re.fullmatch(rf" {{0,3}}{fence}{fence[0]}*\s*", line) else fence
        elif fence_match := FENCE.fullmatch(line):
            fence, sure = fence_match[1] or fence_match[2], True
        else:
            line, sure = _neutralize_line(line, sure or not line.strip())
        lines.append(f"> {line}".rstrip(" "))
    return "\n".join(lines)


def _neutralize_line(line: str, sure: bool) -> tuple[str, bool]:
    """A line outside of fences. A code span is left as it is where it is sure to be one: it opens and closes in this
    line, and no backtick before it in the paragraph is left alone."""
    sure = sure and "\\`" not in line and "`" not in SPAN.sub("", line)
    if not sure:
        return _neutralize(line), False
    spans = [span.group() for span in SPAN.finditer(line)]
    around = SPAN.sub("\0", line).split("\0")
    return "".join(a + b for a, b in zip(map(_neutralize, around), [*spans, ""], strict=True)), True


def _neutralize(text: str) -> str:
    """What would be markup with an effect elsewhere, as it was typed."""
    return RISKY.sub(lambda match: SAFE[match.group()], text)
