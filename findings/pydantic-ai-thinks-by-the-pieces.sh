#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: whether `<think>` begins a thought hangs on where a stream is cut into pieces.
#
# Guess: thoughts between `<think>` and `</think>` in a chat's text become a ThinkingPart, streamed as whole; a server may
#        put several tokens into one chunk, or a line break behind the mark, since only the joined text means something.
# Seen:  the whole reply is split by its text. A stream's mark counts only where a chunk is the mark and nothing else: with
#        "<think>\n" the thoughts are shown as text; where the first one stands alone and "</think>yes" comes in one piece,
#        the thinking has no end, and for want of a text the run fails (UnexpectedModelBehavior). "Type <think> to begin."
#        loses its mark in both, and in a stream the rest of the sentence is a thought.
# So:    a server that sends more than a token at once puts thoughts into `reasoning_content` itself; who streams from others
#        looks for the marks in the joined text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "pydantic-ai-slim[openai]==2.68.0" openai==3.57.0 2>/dev/null
cat >ask.py <<'PY'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from pydantic_ai import Agent
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

REPLIES = [
    ["<think>", "hm", "</think>", "yes"],
    ["<think>\n", "hm", "\n</think>\n\n", "yes"],
    ["<think>", "hm", "</think>yes"],
    ["Type ", "<think>", " to begin."],
]


class Server(BaseHTTPRequestHandler):
    """Says the pieces as a stream, or their text as a whole."""

    pieces = []

    def do_POST(self):
        streams = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("stream")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streams else "application/json")
        self.end_headers()
        same = {"id": "1", "created": 1, "model": "m"}
        if not streams:
            message = {"role": "assistant", "content": "".join(self.pieces)}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            self.wfile.write(json.dumps({**same, "object": "chat.completion", "choices": choices}).encode())
            return
        for delta, reason in [*(({"content": piece}, None) for piece in self.pieces), ({}, "stop")]:
            choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
            row = {**same, "object": "chat.completion.chunk", "choices": choices}
            self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


def parts(response):
    return [(part.part_kind, part.content) for part in response.parts]


async def streamed(agent):
    try:
        async with agent.run_stream("hi") as result:
            await result.get_output()
            return parts(result.response)
    except UnexpectedModelBehavior as error:
        return type(error).__name__


async def told(pieces):
    Server.pieces = pieces
    provider = OpenAIProvider(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")
    agent = Agent(OpenAIChatModel("m", provider=provider))
    return parts((await agent.run("hi")).response), await streamed(agent)


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen = [asyncio.run(told(pieces)) for pieces in REPLIES]
    server.shutdown()
print("pydantic-ai-slim", version("pydantic-ai-slim"))
for pieces, (whole, stream) in zip(REPLIES, seen, strict=True):
    print(pieces, f"whole: {whole}", f"streamed: {stream}", sep="\n  ")
thought = [("thinking", "hm"), ("text", "yes")]
assert seen == [
    (thought, thought),
    ([("thinking", "\nhm\n"), ("text", "\n\nyes")], [("text", "<think>\nhm\n</think>\n\nyes")]),
    (thought, "UnexpectedModelBehavior"),
    ([("text", "Type "), ("text", " to begin.")], [("text", "Type "), ("thinking", " to begin.")]),
]
PY
venv/bin/python ask.py 2>/dev/null
