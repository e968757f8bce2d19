"""An MCP server over stdio that sends and deletes: it writes what it was asked to do into the file that it is given.

Without the package `mcp`, whose import takes seconds.
"""

import json
import sys
from pathlib import Path
from typing import Any

DONE = Path(sys.argv[1])
WORDS = {"send": ("to", "body"), "delete": ("name",)}
TOOLS = [
    {
        "name": name,
        "description": f"To {name}.",
        "inputSchema": {"type": "object", "properties": {word: {"type": "string"} for word in words}},
    }
    for name, words in WORDS.items()
]
ABOUT = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "mail", "version": "1"},
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of a request."""
    if method == "initialize":
        return ABOUT
    if method == "tools/list":
        return {"tools": TOOLS}
    name, arguments = params["name"], params["arguments"]
    with DONE.open("a") as file:
        file.write(" ".join([name, *(arguments[word] for word in WORDS[name])]) + "\n")
    return {"content": [{"type": "text", "text": "It is done."}]}


for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") in {"initialize", "tools/list", "tools/call"}:
        result = {"result": answer(message["method"], message.get("params", {}))}
    else:
        result = {"error": {"code": -32601, "message": "Method not found"}}
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **result}), flush=True)
