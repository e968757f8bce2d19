"""A client's tools as OpenAI, Ollama and llama-server name them: functions, which the client carries out.

Knows no route.
"""

import json
from typing import Annotated, Any

from pydantic import Field

from api.http.errors import ApiError

Tools = Annotated[list[dict[str, Any]], Field(max_length=512)]
IDLE = (None, "none", "auto")  # choices that ask for nothing where there are no tools


def tool_options(tools: Any, choice: Any, parallel: bool | None) -> dict[str, Any]:
    """The chain's options for these tools. Raises ApiError 400 for a choice where there are none."""
    if not tools:
        if choice not in IDLE:
            text = f"tool_choice: {json.dumps(choice)[:100]} asks for a tool, and there are none. Send tools."
            raise ApiError(400, text, code="unsupported_parameter", param="tool_choice")
        return {}
    if unnamed := next((tool for tool in tools if tool.get("type", "function") != "function"), None):
        text = f"tools: only functions are called here, not {str(unnamed.get('type'))[:100]}. Leave it out."
        raise ApiError(400, text, code="unsupported_parameter", param="tools")
    given = {"tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel}
    return {name: value for name, value in given.items() if value is not None}
