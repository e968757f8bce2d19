#!/usr/bin/env bash
# anthropic 2.14.0: its tool runner sends a server that ignores unknown fields the results of tools, and nothing before them.
#
# Guess: `client.beta.messages.tool_runner(…)` repeats the whole conversation with each request, as `messages.create` has
#        it, since the API keeps no state; a server that speaks /v1/messages and leaves out what it does not know serves it.
# Seen:  the first request has `thread: {"type": "create"}`. A plain answer to it counts as a thread that the server keeps:
#        the next request is `{"type": "continue", …}` with the tool's result alone, without the question and the call.
#        A plain 400 that names `thread` ends the run. An error whose `details` have the `error_code`
#        "thread_unsupported_request" has it go on without a thread, and send all messages.
# So:    a server or proxy of this API refuses `thread` in these words; a client of another server passes thread=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check anthropic==2.14.0 2>/dev/null
cat >ask.py <<'PY'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread

from anthropic import Anthropic, BadRequestError, beta_tool

CALL = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
TEXT = {"type": "text", "text": "It is noon."}
DETAILS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
asked = []


class Server(BaseHTTPRequestHandler):
    """Answers a message that ends with a person's words with a call, another one with a text."""

    refusal = None  # what `thread` is refused with

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append((body.get("thread", {}).get("type"), [message["role"] for message in body["messages"]]))
        if "thread" in body and self.refusal is not None:
            return self.tell(400, {"type": "error", "error": self.refusal})
        is_answer = isinstance(body["messages"][-1]["content"], list)
        reason, block = ("end_turn", TEXT) if is_answer else ("tool_use", CALL)
        usage = {"input_tokens": 1, "output_tokens": 1}
        self.tell(200, {"id": f"msg_{len(asked)}", "type": "message", "role": "assistant", "model": "m", "content": [block],
                        "stop_reason": reason, "stop_sequence": None, "usage": usage})  # fmt: skip

    def tell(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@beta_tool
def now() -> str:
    """The time."""
    return "12:00"


def run(refusal):
    asked.clear()
    Server.refusal = refusal
    try:
        messages = [{"role": "user", "content": "What time is it?"}]
        client.beta.messages.tool_runner(model="m", max_tokens=9, tools=[now], messages=messages).until_done()
    except BadRequestError as error:
        return [*asked, type(error).__name__]
    return list(asked)


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
client = Anthropic(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
print("anthropic", version("anthropic"))
refusal = {"type": "invalid_request_error", "message": "thread: Extra inputs are not permitted"}
ignored, plain, told = run(None), run(refusal), run({**refusal, "details": DETAILS})
print("thread ignored:        ", ignored)
print("refused plainly:       ", plain)
print("refused in those words:", told)
assert ignored == [("create", ["user"]), ("continue", ["user"])]
assert plain == [("create", ["user"]), "BadRequestError"]
assert told == [("create", ["user"]), (None, ["user"]), (None, ["user", "assistant", "user"])]
PY
venv/bin/python ask.py
