"""The system prompt that ships, a text file. Knows no model and no settings."""

from pathlib import Path

FILE = Path(__file__).with_name("system.txt")


def system_prompt(custom: str | None = None) -> str:
    """`chosen` where there is one (it may be empty: no system prompt), else `system.txt`."""
    return FILE.read_text(encoding="utf-8").strip() if custom is None else custom
