"""How passages of files stand in a prompt: between two lines that none of them holds. Knows texts; no file."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

RULES = Path(__file__).with_name("passages.txt")


class Quoted(NamedTuple):
    """The `rules` for the system prompt, and the `question` below its passages."""

    rules: str
    question: str


def quoted(question: str, passages: Sequence[tuple[str, str]]) -> Quoted:
    """`passages` are (place, text), best first. The same ones give the same prompt, so that a seed holds."""
    written = "\n\n".join(f"[{number}] {place}\n{text.strip()}" for number, (place, text) in enumerate(passages, 1))
    mark = marker(f"{written}\n{question}")
    rules = RULES.read_text(encoding="utf-8").strip().replace("{marker}", mark)
    return Quoted(rules, f"<<< {mark}\n{written}\n>>> {mark}\n\n{question}")


def marker(text: str) -> str:
    """Eight hexadecimal digits that do not occur in a text: whoever wrote it cannot end the quotation in it."""
    found = sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    while found in text:
        found = sha256(found.encode()).hexdigest()[:8]
    return found
