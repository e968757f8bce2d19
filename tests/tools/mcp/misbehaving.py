"""An MCP server over stdio that misbehaves as it is told: hangs, dies, answers too much, or with what is no MCP.

`python misbehaving.py [FILE]`: FILE notes what was cancelled, and each start.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

NOTES = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.devnull)
ARGUMENTS = {"type": "object", "properties": {}}
TOOLS: list[Any] = [
    {"name": "hang", "inputSchema": ARGUMENTS},
    {"name": "die", "inputSchema": ARGUMENTS},
    {"name": "flood", "inputSchema": ARGUMENTS},
    {"name": "endless", "inputSchema": ARGUMENTS},
    {"name": "wrong", "inputSchema": ARGUMENTS},
    {"name": "fail", "inputSchema": ARGUMENTS},
    {"name": "refuse", "inputSchema": ARGUMENTS},
    {"name": "pid", "inputSchema": ARGUMENTS, "annotations": {"readOnlyHint": True}},
    {"name": "structured", "inputSchema": ARGUMENTS, "outputSchema": {"type": "object", "required": ["a"]}},
    {"name": "no_schema"},
    {"name": "text_schema", "inputSchema": "none"},
    {"name": "bad_schema", "inputSchema": {"type": "object", "properties": {"a": {"type": "number-like"}}}},
    {"name": "outside", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "https://example.org/a"}}}},
    {"name": "huge", "inputSchema": {"type": "object", "properties": {f"field_{n}" * 5: {} for n in range(2_000)}}},
    {"name": "Pid", "inputSchema": ARGUMENTS},
    {"name": "x" * 80, "inputSchema": ARGUMENTS},
    "no object at all",
]


def note(text: str) -> None:
    """Add a line to the notes."""
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


def send(message: Any) -> None:
    """Write a message."""
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(words: str, **fields: Any) -> dict[str, Any]:
    """The result of a call."""
    return {"content": [{"type": "text", "text": words}], **fields}


def call(name: str) -> dict[str, Any] | None:
    """What a call is answered; None for never."""
    if name == "die":
        print("I cannot go on", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "endless":
        try:
            while True:
                print("x" * 1_000_000, end="", flush=True)
        except BrokenPipeError:
            os._exit(4)
    results = {
        "flood": text("x" * 10_000_000),
        "wrong": {"content": "just words"},
        "fail": text("the disk\nis full", isError=True),
        "pid": text(str(os.getpid())),
        "structured": text("{}", structuredContent={"b": 1}),
    }
    return results.get(name)


def main() -> None:
    """Answer until stdin ends."""
    note("started")
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                send({"id": message["id"], "result": {
                    "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "misbehaving", "version": "1"}}})  # fmt: skip
            case "tools/list":
                send({"id": message["id"], "result": {"tools": TOOLS}})
            case "tools/call" if message["params"]["name"] == "refuse":
                send({"id": message["id"], "error": {"code": -32602, "message": "not\nlike this"}})
            case "tools/call":
                result = call(message["params"]["name"])
                if result is not None:
                    send({"id": message["id"], "result": result})
            case "notifications/cancelled":
                note("cancelled")
            case _ if "id" in message:
                send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
