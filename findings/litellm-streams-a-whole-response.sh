#!/usr/bin/env bash
# litellm 1.110.2: `responses(stream=True)` of a model that it does not know asks for the whole response, and plays it back.
#
# Guess: the request has `"stream": true`, and the events are the server's, as with OpenAI's own client.
# Seen:  for "openai/my-model" the request says nothing of a stream. The answer comes whole, and its events are made up at the
#        end: first words when the last one is there, and none of what the server would have sent as it thinks
#        (`response.reasoning_text.delta`, `response.reasoning_summary_text.delta`). For "openai/gpt-5.1" it streams.
# So:    with a server of one's own `litellm.register_model` has to say `supports_native_streaming`, or chat is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 openai==3.57.0 2>/dev/null
cat >ask.py <<'PY'
import json
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import litellm

litellm.suppress_debug_info = True
TEXT = {"type": "output_text", "text": "One two.", "annotations": []}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
    "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}],
    "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "temperature": 1.0, "top_p": 1.0,
    "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
    "usage": {
        "input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 3,
    },
}
asked = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))).get("stream"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(RESPONSE).encode())

    def log_message(self, *_: object) -> None:
        pass


def told(model: str, **more: object) -> object:
    """What a request for a stream says of it."""
    asked.clear()
    with suppress(Exception):  # of who is promised a stream, and gets JSON
        address = f"http://127.0.0.1:{server.server_port}/v1"
        list(litellm.responses(model=model, input="hi", stream=True, api_base=address, api_key="none", num_retries=0))
    return asked[0]


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known, unknown = told("openai/gpt-5.1"), told("openai/my-model")
    fields = {"litellm_provider": "openai", "mode": "responses", "supports_native_streaming": True}
    litellm.register_model({"openai/my-model": fields})
    registered = told("openai/my-model")
    server.shutdown()
print("litellm", version("litellm"))
print(f'"stream" in the request, gpt-5.1: {known}; my-model: {unknown}; once registered: {registered}')
sys.exit((known, unknown, registered) != (True, None, True))
PY
venv/bin/python ask.py 2>/dev/null
