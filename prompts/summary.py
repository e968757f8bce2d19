"""The words around a summary, a text file: the instruction to the model that sums up, and what introduces the summary.

The file's first paragraph is the one, a prompt template with {words}; its second is the other. Knows no model.
"""

from pathlib import Path

FILE = Path(__file__).with_name("summary.txt")


def instruction() -> str:
    """The instruction to the model that sums up; `{words}` is left to be filled in."""
    return _paragraphs()[0]


def introduce(summary: str) -> str:
    """A summary as whoever goes on reads it."""
    return f"{_paragraphs()[1]}\n{summary}"


def _paragraphs() -> list[str]:
    return FILE.read_text(encoding="utf-8").strip().split("\n\n")
