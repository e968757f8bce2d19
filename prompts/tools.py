"""The words by which tools are offered to a model whose chat template has none for them, a text file.

Knows no model and no format of calls.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("tools.txt")


def offer_tools(tools: Iterable[Mapping[str, Any]], call: str) -> str:
    """What a system prompt says of these tools; `call` is how a call of one is written."""
    rows = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    text = FILE.read_text(encoding="utf-8").strip()
    head, middle, tail = text.partition("{tools}")
    return f"{head}{rows}{tail.replace('{call}', call)}" if middle else text


def tool_response(text: str) -> str:
    """The result of a call, as the user's words of a model whose chat template knows no such message."""
    return f"<tool_response>\n{text}\n</tool_response>"
