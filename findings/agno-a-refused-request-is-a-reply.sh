#!/usr/bin/env bash
# agno 3.1.10: a refused key, an unknown model and a server that is not there raise nothing: the failure is the reply.
#
# Guess: `agent.run("…").content` is what the model said, or an exception comes, as from every client below it: the openai
#        package raises AuthenticationError, and agno has ModelProviderError for it.
# Seen:  run() returns. `content` is the server's error message, as text, where the reply would stand; only `status` says
#        RunStatus.error. A stream ends with one RunError event, and whoever joins the RunContent events gets "".
# So:    who passes `content` on shows "The key is wrong." as the assistant's words: look at `status` first.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check agno==3.1.10 openai==3.57.0 2>/dev/null
cat >server.py <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"error": {"message": "The key is wrong.", "type": "authentication_error", "code": null}}')

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Path("port").write_text(str(server.server_port))
server.serve_forever()
PY
venv/bin/python server.py &
until [[ -s port ]]; do kill -0 $!; sleep 0.1; done
cat >ask.py <<'PY'
import sys

import openai
from agno.agent import Agent
from agno.models.openai.like import OpenAILike

address = f"http://127.0.0.1:{sys.argv[1]}/v1"
try:
    messages = [{"role": "user", "content": "hi"}]
    openai.OpenAI(base_url=address, api_key="wrong").chat.completions.create(model="m", messages=messages)
except openai.AuthenticationError as error:
    print(f"openai: {type(error).__name__}")
agent = Agent(model=OpenAILike(id="m", base_url=address, api_key="wrong"), telemetry=False)
answer = agent.run("hi")
print(f"agno whole: {answer.content} ({answer.status})")
events = list(agent.run("hi", stream=True))
said = "".join(str(event.content) for event in events if event.event == "RunContent")
print(f"agno streamed: '{said}', events {[event.event for event in events]}")
PY
seen=$(AGNO_TELEMETRY=false venv/bin/python ask.py "$(cat port)" 2>/dev/null | grep -E "^(openai|agno)")
echo "agno $(venv/bin/pip list 2>/dev/null | awk '$1 == "agno" {print $2}')"
echo "$seen"
[[ $seen == "openai: AuthenticationError
agno whole: The key is wrong. (RunStatus.error)
agno streamed: '', events ['RunError']" ]]
