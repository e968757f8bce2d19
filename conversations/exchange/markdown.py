"""A conversation as Markdown, for people. Knows our form only; nothing reads this back.

Each text stands in a quotation, so that its headings and fences end with it. Outside code, what would be HTML, an image
or a link's definition is shown as it was typed: nobody's words become part of the document, and nothing is fetched.
Markers of sources are footnotes, which stand below their message. Pictures are in the file, at its end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conversations.exchange.shown import (
    ShownMessage,
    attachments,
    call_title,
    omission_notes,
    references,
    shown_messages,
)
from documents.alignment import used_numbers
from documents.marker import OURS, Marker
from documents.source import Source

NOTE = "<!-- llm-assistant: Markdown for reading; only --format json can be imported again -->"
OURS_NOTE = f"*{OURS}: the model named no source; the words of the sentence were found there*"
LINE_END = r"\r\n|\r|\n"
FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
RISKY = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|!(?=\[)|(?<=\]):")
SAFE = {"<": "&lt;", "&": "&amp;", "!": "\\!", ":": "\\:"}


def render_markdown(conversation: Mapping[str, Any]) -> str:
    """The shown branch (of a comparison all replies) with speakers and times."""
    blocks = [NOTE, f"# {_inline(conversation['title']) or 'Untitled'}", *_render_header(conversation)]
    shown = shown_messages(conversation)
    for message in shown:
        blocks += [*_render_message(message), *_render_sources(message.sources, message.markers, message.number)]
    blocks += [f"*{note}*" for note in omission_notes(conversation, shown)]
    for message in shown:
        blocks += [f"[{name}]: data:{each['mime_type']};base64,{each['data']}" for name, each in _pictures(message)]
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


def _render_message(shown: ShownMessage) -> list[str]:
    """A message as a heading, its quoted text, and what was attached."""
    message, text = shown.form, _link_footnotes(shown.text, shown.markers, shown.number)
    heading = ", ".join([shown.heading[0], *map(_inline, shown.heading[1:])])
    error = f"*Error: {_inline(message['error'])}*" if message["error"] else ""
    attached = f"*Attached: {_inline(names)}*" if (names := attachments(message)) else ""
    cited = f"*From: {_inline(pages)}*" if (pages := references(message)) else ""
    texts = [_render_thinking(message), _render_pictures(shown), blockquote(text), attached, cited, error]
    calls = [line for call in message.get("calls", ()) for line in _render_call(call)]
    return [f"## {heading}", *calls, *filter(None, texts)]


def _render_pictures(shown: ShownMessage) -> str:
    """Its pictures, each by a name that stands for it at the end of the file."""
    return "\n".join(f"![{_inline(each['name'])}][{name}]" for name, each in _pictures(shown))


def _pictures(shown: ShownMessage) -> list[tuple[str, Mapping[str, Any]]]:
    """The pictures of a message by their names in the file."""
    return [(f"picture-{shown.number}-{at}", each) for at, each in enumerate(shown.form.get("pictures", ()), 1)]


def _render_thinking(message: Mapping[str, Any]) -> str:
    """What a model thought before it answered, folded up."""
    if not message.get("thinking"):
        return ""
    milliseconds = message.get("thinking_ms")
    time = "" if milliseconds is None else f" for {milliseconds / 1000:.1f} s"
    return f"<details><summary>Thought{time}</summary>\n\n{blockquote(message['thinking'])}\n\n</details>"


def _render_call(call: Mapping[str, Any]) -> list[str]:
    """A call of a tool: what became of it and who allowed it, and its arguments and result word for word."""
    title = f"*{_inline(call_title(call))}*"
    result = [blockquote(code_block(call["result"]))] if call["result"] else []
    return [title, blockquote(code_block(call["arguments"], "json")), *result]


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


def _inline(text: str) -> str:
    """Words as one line without any markup."""
    escaped = re.sub(r"([\\`*_\[\]<>&#~|!])", r"\\\1", " ".join(text.split()))
    return escaped.replace("\\<", SAFE["<"])  # for readers, too, that know no backslash there


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
