#!/usr/bin/env bash
# litellm 1.110.2: two calls that Ollama streams line by line become one call, of the second's name, with both's arguments.
#
# Guess: a model that calls two tools in one turn gives two calls, streamed as whole; Ollama sends each as soon as it is
#        complete, in a line of its own, and says with `index` which one it is.
# Seen:  each line's calls are counted from 0, whatever their `index` and `id` say. Joined (`stream_chunk_builder`, or anybody
#        who joins by index as OpenAI's streams are) there is one call: the second one's name and id, and the arguments
#        '{"city": "Rome"}{"zone": "CET"}', which is no JSON. Both in one line, or not streamed, they are two.
# So:    agents over `ollama_chat/…` ask without stream where tools are offered, or forbid parallel calls; a server of
#        Ollama's API puts a turn's calls into one line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LITELLM_LOCAL_MODEL_COST_MAP=True
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 2>/dev/null
cat >ask.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import litellm

litellm.suppress_debug_info = True
WEATHER = {"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Rome"}}}
CLOCK = {"id": "call_2", "function": {"index": 1, "name": "clock", "arguments": {"zone": "CET"}}}
END = {"done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1}


def line(calls, done=False):
    message = {"role": "assistant", "content": "", **({"tool_calls": calls} if calls else {})}
    row = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done, **(END if done else {})}
    return json.dumps(row).encode() + b"\n"


class Server(BaseHTTPRequestHandler):
    one_line = False

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200 if self.path == "/api/chat" else 404)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        if self.path != "/api/chat":
            self.wfile.write(b'{"error": "not found"}')
        elif not asked["stream"]:
            self.wfile.write(line([WEATHER, CLOCK], done=True))
        else:
            rows = [[WEATHER, CLOCK]] if self.one_line else [[WEATHER], [CLOCK]]
            self.wfile.write(b"".join([*map(line, rows), line(None, done=True)]))

    def log_message(self, *_):
        pass


def calls(stream, one_line=False):
    Server.one_line = one_line
    messages = [{"role": "user", "content": "hi"}]
    address = f"http://127.0.0.1:{server.server_port}"
    answer = litellm.completion(model="ollama_chat/m", messages=messages, api_base=address, stream=stream, num_retries=0)
    answer = litellm.stream_chunk_builder(list(answer)) if stream else answer
    return [(call.function.name, call.function.arguments) for call in answer.choices[0].message.tool_calls]


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    whole, in_one_line, in_two = calls(False), calls(True, one_line=True), calls(True)
    server.shutdown()
print("litellm", version("litellm"))
print("whole:                ", whole)
print("streamed, in one line:", in_one_line)
print("streamed, in two:     ", in_two)
assert whole == in_one_line == [("weather", '{"city": "Rome"}'), ("clock", '{"zone": "CET"}')]
assert in_two == [("clock", '{"city": "Rome"}{"zone": "CET"}')]
PY
venv/bin/python ask.py 2>/dev/null
