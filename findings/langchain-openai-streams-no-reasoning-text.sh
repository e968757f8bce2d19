#!/usr/bin/env bash
# langchain-openai 1.7.3 (1.7.4 alike): what a model thinks on /v1/responses is in the message, and not in the stream.
#
# Guess: what `invoke` has of an item of type `reasoning`, the joined chunks of `stream` have too.
# Seen:  the item's `content` (`reasoning_text`, as open models' servers send it: vLLM, llama-server) is in the message of
#        `invoke`. Of a stream only `response.reasoning_summary_text.delta` is read: the item's block stays as it began, with
#        an empty content, though both the deltas and the item at its end held all of it.
# So:    who streams asks the server for a summary (`reasoning={"summary": "auto"}`), where it puts the same there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-openai==1.7.3 langchain-core==1.7.2 openai==3.52.0 2>/dev/null
cat >read.py <<'PY'
import json
import sys
import threading
from functools import reduce
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from operator import add

from langchain_openai import ChatOpenAI

THOUGHT = {"type": "reasoning_text", "text": "Let me see."}
TEXT = {"type": "output_text", "text": "It is 4.", "annotations": []}
ITEM = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [THOUGHT]}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [ITEM, MESSAGE],
    "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
}
FIRST, SECOND = ({"item_id": item["id"], "output_index": at, "content_index": 0} for at, item in enumerate([ITEM, MESSAGE]))
EVENTS = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "content": []}},
    {"type": "response.reasoning_text.delta", **FIRST, "delta": "Let me see."},
    {"type": "response.reasoning_text.done", **FIRST, "text": "Let me see."},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
    {"type": "response.output_text.delta", **SECOND, "delta": "It is 4.", "logprobs": []},
    {"type": "response.output_text.done", **SECOND, "text": "It is 4.", "logprobs": []},
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
    {"type": "response.completed", "response": RESPONSE},
]


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
        self.end_headers()
        rows = [{**event, "sequence_number": number} for number, event in enumerate(EVENTS)]
        stream = "".join(f"event: {row['type']}\ndata: {json.dumps(row)}\n\n" for row in rows)
        self.wfile.write((stream if body.get("stream") else json.dumps(RESPONSE)).encode())

    def log_message(self, *_: object) -> None:
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model = ChatOpenAI(
        base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", model="m", use_responses_api=True, max_retries=0
    )
    whole, streamed = model.invoke("hi"), reduce(add, model.stream("hi"))
    server.shutdown()
has = ["Let me see." in json.dumps(message.content) for message in (whole, streamed)]
print("langchain-openai", version("langchain-openai"))
print("text:", whole.text, "|", streamed.text)
print("what was thought is in the message:", has[0], "and in the joined chunks:", has[1])
sys.exit(has != [True, False])
PY
venv/bin/python read.py
