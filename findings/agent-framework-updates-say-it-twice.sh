#!/usr/bin/env bash
# agent-framework-openai 1.17.0: the texts of a stream's updates, put together, are the reply twice.
#
# Guess: `async for update in agent.run(…, stream=True): print(update.text, end="")` prints the reply as it comes, as the
#        own docstring of `Agent` shows it; update.text is what is new.
# Seen:  with OpenAIChatClient (which speaks /v1/responses) the update of `response.output_text.done` holds the whole text
#        once more, only marked merge_mode="replace"; `update.text` does not tell. get_final_response() has it once.
#        With OpenAIChatCompletionClient, from the same server, each word comes once.
# So:    who shows updates of it looks at each content's merge_mode, or prints the deltas of raw_representation.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check agent-framework-openai==1.17.0 agent-framework-core==1.23.0 2>/dev/null
cat >server.py <<'PY'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
PART = {"type": "output_text", "annotations": [], "logprobs": []}
AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "parallel_tool_calls": False,
            "tool_choice": "auto", "tools": []}  # fmt: skip


def responses():
    """The events of one text, as OpenAI documents them."""
    done = [{**MESSAGE, "content": [{**PART, "text": "good day"}]}]
    yield {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": {**MESSAGE, "content": []}}
    yield {"type": "response.content_part.added", **AT, "part": {**PART, "text": ""}}
    for word in ("good", " day"):
        yield {"type": "response.output_text.delta", **AT, "delta": word, "logprobs": []}
    yield {"type": "response.output_text.done", **AT, "text": "good day", "logprobs": []}
    yield {"type": "response.content_part.done", **AT, "part": done[0]["content"][0]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": done[0]}
    yield {"type": "response.completed", "response": {**RESPONSE, "status": "completed", "output": done}}


def chat():
    for delta, reason in (({"content": "good"}, None), ({"content": " day"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, event in enumerate(responses() if self.path.endswith("/responses") else chat()):
            kind = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{kind}data: {json.dumps({**event, 'sequence_number': number})}\n\n".encode())
        if not self.path.endswith("/responses"):
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Path("port").write_text(str(server.server_port))
server.serve_forever()
PY
venv/bin/python server.py &
until [[ -s port ]]; do kill -0 $!; sleep 0.1; done
cat >ask.py <<'PY'
import asyncio
import sys

import agent_framework.openai
from agent_framework import Agent


async def main(name: str, port: str) -> None:
    client = getattr(agent_framework.openai, name)(model="m", base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
    updates = Agent(client=client).run("hi", stream=True)
    print("".join([update.text async for update in updates]), "|", (await updates.get_final_response()).text)


asyncio.run(main(*sys.argv[1:]))
PY
responses=$(venv/bin/python ask.py OpenAIChatClient "$(cat port)" 2>/dev/null)
chat=$(venv/bin/python ask.py OpenAIChatCompletionClient "$(cat port)" 2>/dev/null)
echo "agent-framework-openai $(venv/bin/pip list 2>/dev/null | awk '$1 == "agent-framework-openai" {print $2}')"
echo "texts of the updates | the final response's"
echo "OpenAIChatClient:            $responses"
echo "OpenAIChatCompletionClient:  $chat"
[[ $responses == "good daygood day | good day" ]]
[[ $chat == "good day | good day" ]]
