"""Tools and their results in a prompt: what the tools themselves take, and results cut where they have no room.

Knows messages and counts; nothing of a model's window but the room that it leaves.
"""

import json
from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

Count = Callable[[Sequence[BaseMessage]], int]
LEAST = 200  # characters of a result that stay, whatever the room
BYTES_PER_TOKEN = 4


def tool_tokens(tools: Sequence[BaseTool]) -> int:
    """An estimate of the tokens that these tools take in a prompt; 0 without one."""
    texts = (json.dumps(convert_to_openai_tool(tool), ensure_ascii=False) for tool in tools)
    return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) for text in texts)


def cut_results(messages: Sequence[BaseMessage], free: int | None, count: Count) -> list[BaseMessage]:
    """The messages, where the newest turn alone has no room with its results cut, the longest first; each says so.

    `free` is the room in tokens, None where nobody knows it. Earlier turns are dropped whole, by `chains.window.fit`.
    """
    turn = max((at for at, message in enumerate(messages) if message.type == "human"), default=0)
    system, last = [message for message in messages[:1] if turn and message.type == "system"], list(messages[turn:])
    results = [at for at, message in enumerate(last) if isinstance(message, ToolMessage)]
    while results and free is not None and (excess := count([*system, *last]) - free) > 0:
        longest = max(results, key=lambda at: len(str(last[at].text)))
        text = str(last[longest].text)
        keep = max(LEAST, min(len(text) * 9 // 10, len(text) - excess * BYTES_PER_TOKEN))
        if len(text) <= keep + LEAST:
            break
        last[longest] = last[longest].model_copy(update={"content": _cut(text, keep)})
    return [*messages[:turn], *last]


def _cut(text: str, keep: int) -> str:
    """The beginning of a result, and a line that says that there was more."""
    return f"{text[:keep]}\n[the rest of this result is left out: the window has no room for it]"
