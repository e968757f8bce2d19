"""The message that asks for a summary of the conversation, for whoever takes it over. Knows no model and no page."""

from pathlib import Path

FILE = Path(__file__).with_name("handover.txt")


def handover_prompt() -> str:
    """The message, from handover.txt."""
    return FILE.read_text(encoding="utf-8").strip()
