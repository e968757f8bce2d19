"""How passages of files stand in a prompt: between two lines that none of them holds. Knows texts; no file."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

RULES = Path(__file__).with_name("passages.txt")


class PassagePrompt(NamedTuple):
    """The `rules` for the system prompt, and the `question` below its passages."""

    rules: str
    question: str


def quote_passages(question: str, passages: Sequence[tuple[str, str]]) -> PassagePrompt:
    """`passages` are (location, text), best first. The same ones give the same prompt, so that a seed holds."""
    blocks = "\n\n".join(
        f"[{number}] {location}\n{text.strip()}" for number, (location, text) in enumerate(passages, 1)
    )
    delimiter = unused_delimiter(blocks, question)
    rules = RULES.read_text(encoding="utf-8").strip().replace("{marker}", delimiter)
    return PassagePrompt(rules, f"<<< {delimiter}\n{blocks}\n>>> {delimiter}\n\n{question}")


def format_location(file: str, place: str | None) -> str:
    """Where a passage stands, in the words that people and models read."""
    return f"{file}, {place}" if place else file


def unused_delimiter(text: str, beside: str = "") -> str:
    """Eight hexadecimal digits that do not occur in a text: whoever wrote it cannot end the quotation in it.

    Nor do they occur in what stands beside it, from which they do not come: the same text has the same ones above
    another question, so that prompts begin alike.
    """
    digits = sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    while digits in text or digits in beside:
        digits = sha256(digits.encode()).hexdigest()[:8]
    return digits
