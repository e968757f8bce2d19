"""One call of a tool: its result as text, its failure as one line. Tools keep their own limits of time
and length, and raise nothing else than what says in one line why they failed (`tools/call.py`).

Knows LangChain's tools; nothing of where a call comes from, nor of who permits it.
"""

import json
from typing import Any, NamedTuple

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ValidationError

from chains.agent import INVALID
from tools.call import describe_arguments, one_line


class Outcome(NamedTuple):
    """What a call came to: its result, or why it has none."""

    text: str
    has_failed: bool = False


def argument_error(tool: BaseTool, arguments: dict[str, Any]) -> str | None:
    """Why a call cannot be carried out with these arguments, in one line; None where it can.

    Asked before a person is: nobody is to allow what would fail. The tool itself checks once more when it runs, for
    what was allowed may have waited for a day, and the tool have changed meanwhile.
    """
    if INVALID in arguments:
        return f"The arguments of {tool.name} are no JSON object: {one_line(str(arguments[INVALID]))[:100]}"
    schema = tool.args_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return None  # a schema in JSON is the server's own, which refuses for itself
    try:
        schema.model_validate(arguments)
    except ValidationError as error:
        return one_line(describe_arguments(tool.name, error))
    return None


async def call_tool(tool: BaseTool, arguments: dict[str, Any]) -> Outcome:
    """Carry out a call; its result, or why it failed. Cancelling the task cancels it."""
    try:
        result = await tool.ainvoke({"name": tool.name, "args": arguments, "id": "call", "type": "tool_call"})
    except ToolException as error:
        return Outcome(one_line(str(error)) or f"{tool.name} failed.", has_failed=True)
    except ValidationError as error:
        return Outcome(one_line(describe_arguments(tool.name, error)), has_failed=True)
    is_message = isinstance(result, ToolMessage)
    text = _text(result.content if is_message else result)
    return Outcome(text, has_failed=is_message and result.status == "error")


def _text(content: Any) -> str:
    """A result as text: of parts their texts, of other values JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, str | dict) for part in content):
        return "\n".join(part if isinstance(part, str) else _part(part) for part in content)
    return json.dumps(content, ensure_ascii=False, default=str)


def _part(part: dict[str, Any]) -> str:
    if isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{part.get('type', 'part')} that is no text]"
