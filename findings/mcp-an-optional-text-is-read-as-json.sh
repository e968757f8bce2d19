#!/usr/bin/env bash
# mcp 2.3.0 (the server's side): an argument `text: str | None` is read as JSON before it is read as a text.
#
# Guess: `str | None = None` is `str` that may be left out: what a client sends as a text arrives as that text.
# Seen:  for every parameter whose type is not `str` alone, a text that is a JSON object, list or null is parsed first. "null"
#        arrives as None, so what was to be written is taken for nothing; '{"port": 80}' and "[1]" are refused ("Input should
#        be a valid string"), though the tool's own schema, which the client was told, allows them. Of `str | dict` the same
#        text is a dict. "12", "true" and "{port}" arrive as they are. With `text: str = ""` all do.
# So:    parameters for contents, code or queries are plain `str`, with "" for nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mcp==2.3.0 mcp-types==2.3.0 jsonschema==4.26.0 2>/dev/null
cat >call.py <<'PY'
import asyncio
from importlib.metadata import version

from jsonschema import validate
from mcp import Client
from mcp.server.mcpserver import MCPServer

TEXTS = ['{"port": 80}', "[1]", "null", "12", "true", "{port}"]
server = MCPServer("files")


@server.tool()
def plain(text: str = "") -> str:
    return repr(text)


@server.tool()
def optional(text: str | None = None) -> str:
    return repr(text)


@server.tool()
def either(text: str | dict[str, int]) -> str:
    return repr(text)


async def told(client, name, text):
    result = await client.call_tool(name, {"text": text})
    words = result.content[0].text
    return "refused: " + words.splitlines()[2].strip().partition(" [")[0] if result.is_error else words


async def main():
    async with Client(server) as client:
        schemas = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        for text in TEXTS:
            validate({"text": text}, schemas["optional"])
        return {name: [await told(client, name, text) for text in TEXTS] for name in schemas}


seen = asyncio.run(main())
print("mcp", version("mcp"))
print(f"{'sent':12}", TEXTS)
for name, answers in seen.items():
    print(f"{name:12}", answers)
refused = "refused: Input should be a valid string"
assert seen["plain"] == list(map(repr, TEXTS))
assert seen["optional"] == [refused, refused, "None", *map(repr, TEXTS[3:])]
assert seen["either"][0] == "{'port': 80}"
PY
venv/bin/python call.py 2>/dev/null
