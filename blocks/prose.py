"""What stands between the code of a text, rewritten so that a renderer of Markdown draws what was meant.

Formulas get dollars as their marks, line breaks stay, and what Streamlit alone would take for a directive, an
icon, an emoji, a dash or a formula stays text. Code is left alone. Knows Markdown; nothing of what is safe in it.
"""

import re
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt

BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")  # where paragraphs and code stand, and no more
Block = tuple[str, range]  # its kind, and its lines
CODE_BLOCKS = ("fence", "code_block", "html_block")
JOINER = "\u2060"  # invisible, and nothing that Streamlit looks for
SPECIAL = re.compile(
    r"(?P<brackets>\\\[(?:[^\\]|\\[^\[\]])+?\\\])"
    r"|(?P<parentheses>\\\((?:[^\\]|\\[^()])+?\\\))"
    r"|(?P<escape>\\.)"
    r"|(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))|(?P<open>`+)"
    r"|(?P<link><[a-z][a-z0-9+.-]*:[^\s<>]*>|\]\([^)\s]*\)|\b(?:https?://|www\.)[^\s<]+)"
    r"|(?P<dollars>\$\$(?!\$)(?:[^$\\]|\\.|\$(?!\$))+\$\$(?!\$))"
    r"|(?P<dollar>\$(?![\s$])(?:[^$\\\n]|\\.)+(?<!\s)\$(?![\d$]))|(?P<price>\$)"
    r"|(?P<icon>:(?=material/|(?![\d_-]+:)[\w+-]+:|(?:-1|100|1234):))"
    r"|(?P<directive>:(?=[^\W\d_][\w-]*[\[{])|(?<!:):{2,}(?=[^\W\d_]))"
    r"|(?<=[^\s|][ ])(?P<dash><->|->|<-|--|>=|<=|~=)(?=[ ][^\s|])",
    re.DOTALL | re.IGNORECASE,
)
BLANK_LINE = re.compile(r"\n[ \t]*\n")
LINE_START = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*")  # quotes, and markers of lists
LINE_END = re.compile(r"[.,;:]?(?=[ \t]*(?:\n|$))")
WORDS = re.compile(r"\d[^\\^_={}<>+*]*\s[^\\^_={}<>+*]*")  # what two prices have between them


def rewrite(text: str, *, keeps_lines: bool = True) -> str:
    """The text of a reply, whole or growing, or of a file, as it is to be rendered.

    `keeps_lines`: a single line break is one; otherwise it is a space, as it is in files whose lines are filled.
    """
    lines, blocks = text.split("\n"), list(_blocks(text))
    exempt = {line for kind, block in blocks if kind in CODE_BLOCKS for line in block}
    parts: list[str] = []
    at = 0
    while at < len(lines):
        end = next((n for n in range(at, len(lines)) if (n in exempt) != (at in exempt)), len(lines))
        part = "\n".join(lines[at:end])
        parts.append(part if at in exempt else _rewrite_prose(part))
        at = end
    written = "\n".join(parts)
    if not keeps_lines:
        return written
    is_moved = written.count("\n") != len(lines) - 1
    return _keep_line_breaks(written, _blocks(written) if is_moved else blocks)


def _blocks(text: str) -> Iterator[Block]:
    """The kind of each block, and its lines; text that is no paragraph's is left out."""
    opening = ""
    for token in BLOCKS.parse(text):
        if token.map and (token.type in CODE_BLOCKS or (token.type == "inline" and opening == "paragraph_open")):
            yield token.type, range(*token.map)
        opening = token.type


def _keep_line_breaks(text: str, blocks: Iterable[Block]) -> str:
    """The text with a hard break at the end of each line of a paragraph, but the last."""
    lines = text.split("\n")
    formula: set[int] = set()
    marks = [number for number, line in enumerate(lines) if LINE_START.sub("", line, 1).strip() == "$$"]
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        formula.update(range(first - 1, last + 1))
    for kind, block in blocks:
        if kind == "inline":
            for number in [*block][:-1]:
                if number not in formula and not lines[number].endswith(("  ", "\\")):
                    lines[number] += "  "
    return "\n".join(lines)


def _rewrite_prose(text: str) -> str:
    done: list[str] = []
    at = 0
    while match := SPECIAL.search(text, at):
        done.append(text[at : match.start()])
        line = text.rfind("\n", 0, match.start()) + 1
        written, at = _rewrite_match(match, text[line : match.start()])
        done.append(written)
    return "".join([*done, text[at:]])


def _rewrite_match(match: re.Match[str], lead: str) -> tuple[str, int]:
    """What is to stand for a match, and where to go on. `lead` is what stands before it on its line."""
    kind, found, end = match.lastgroup or "", match[0], match.end()
    if kind == "ticks":
        kind = "code"
    if kind in {"code", "brackets", "parentheses"} and BLANK_LINE.search(found):
        return found[: len(match["ticks"] or "12")], match.start() + len(match["ticks"] or "12")
    if kind == "code":
        return re.sub(r"[ \t]*\n[ \t]*(?:>[ \t]?)*", " ", found), end
    if kind in {"brackets", "dollars"}:
        return _write_display(match, lead)
    if kind == "parentheses":
        return _write_inline(found[2:-2], lead, match.string[end : end + 1]), end
    if kind == "dollar":
        is_price = WORDS.fullmatch(found[1:-1])
        return ("\\$", match.start() + 1) if is_price else (_in_line(found, lead), end)
    if kind in {"price", "directive"}:
        return "".join(f"\\{character}" for character in found), end
    if kind in {"icon", "dash"}:
        return found[0] + JOINER + found[1:], end
    return found, end


def _write_inline(formula: str, lead: str, after: str) -> str:
    """A formula within a line, in dollars: two where one would not be seen as the mark of a formula."""
    content = " ".join(formula.split())
    mark = "$$" if "$" in content or after.isdigit() or after == "$" or lead.endswith("$") else "$"
    return _in_line(f"{mark}{content}{mark}", lead) if content else f"\\({formula}\\)"


def _in_line(formula: str, lead: str) -> str:
    """A formula that a table's row is not to be divided at."""
    if not _is_row(lead):
        return formula
    return re.sub(r"\\?\|", lambda bar: r"\Vert " if bar[0] == r"\|" else r"\vert ", formula)


def _is_row(lead: str) -> bool:
    return lead.lstrip(" \t>").startswith("|")


def _write_display(match: re.Match[str], lead: str) -> tuple[str, int]:
    """A formula of its own, on lines that begin as the line does in which it stands; and where to go on."""
    found, end = match[0], match.end()
    rest = LINE_END.match(match.string, end)
    start = LINE_START.match(lead)
    assert start is not None
    is_alone = start.end() == len(lead)
    if match.lastgroup == "dollars" and not (is_alone and rest) and not BLANK_LINE.search(found):
        return _in_line(" ".join(found.split()), lead), end
    rows = [line.strip(" \t>" if ">" in lead else None) for line in found[2:-2].split("\n")]
    rows = [row for row in rows if row]
    if not rows:
        return found.replace("$", "\\$"), end
    if _is_row(lead) or lead.lstrip(" \t>").startswith("#"):
        return _write_inline(r"\displaystyle " + " ".join(rows), lead, match.string[end : end + 1]), end
    prefix = re.sub(r"[^\s>]", " ", start[0])
    if rest:
        rows[-1], end = rows[-1] + rest[0], rest.end()
    written = f"\n{prefix}".join(["$$", *rows, "$$", *([] if rest else [""])])
    after = re.compile(r"[ \t]*").match(match.string, end)
    return ("" if is_alone else f"\n{prefix}") + written, end if rest or after is None else after.end()
