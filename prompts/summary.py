"""The words around a summary, a text file: what a model that sums up is told, and what the summary is introduced with.

The file's first paragraph is the one, a prompt template with {words}; its second is the other. Knows no model.
"""

from pathlib import Path

FILE = Path(__file__).with_name("summary.txt")


def instruction() -> str:
    """What the model that sums up is told; `{words}` is left to be filled in."""
    return _paragraphs()[0]


def introduce(summary: str) -> str:
    """A summary as whoever goes on reads it."""
    return f"{_paragraphs()[1]}\n{summary}"


def _paragraphs() -> list[str]:
    return FILE.read_text(encoding="utf-8").strip().split("\n\n")
