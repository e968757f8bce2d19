#!/usr/bin/env bash
# mcp 2.3.0: one tool that is not quite as the specification has it, and a client gets none of a server's tools.
#
# Guess: `list_tools` gives the tools that are well-formed, or at least says which one is not.
# Seen:  the whole answer is validated at once: it raises, and the other tools, which are in order, cannot be had. Of the
#        one at fault the error has its place in the list, not its name.
# So:    who connects to servers that others wrote looks at the answer before the library does, and leaves out what is
#        broken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mcp==2.3.0 2>/dev/null
cat >server.py <<'PY'
import json
import sys

FINE = {"name": "clock", "description": "the time", "inputSchema": {"type": "object", "properties": {}}}
ODD = {"name": "lamp", "description": "a light", "inputSchema": None}  # as servers write it that take no arguments
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "initialize":
        result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif asked["method"] == "tools/list":
        result = {"tools": [FINE, ODD] if sys.argv[1] == "odd" else [FINE]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "unknown"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
PY
cat >client.py <<'PY'
import asyncio
import sys
from importlib.metadata import version

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def names(kind: str) -> list[str]:
    given = StdioServerParameters(command=sys.executable, args=["server.py", kind])
    async with stdio_client(given) as (reader, writer), ClientSession(reader, writer) as session:
        await session.initialize()
        return [tool.name for tool in (await session.list_tools()).tools]


def told(kind: str) -> str:
    try:
        return str(asyncio.run(names(kind)))
    except BaseException as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


print("mcp", version("mcp"))
fine, odd = told("fine"), told("odd")
print("one tool, in order:", fine)
print("with one beside it that has no schema:", odd)
assert fine == "['clock']"
assert "clock" not in odd and "lamp" not in odd
PY
venv/bin/python client.py
