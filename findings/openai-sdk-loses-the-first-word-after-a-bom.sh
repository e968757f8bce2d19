#!/usr/bin/env bash
# openai 3.52.0 (Python, 3.57.0 alike): a byte order mark before a stream swallows its first event, and nothing says so.
#
# Guess: a stream of server-sent events may begin with a byte order mark, which is ignored, as the standard has it
#        (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
# Seen:  the SDK takes the mark for a part of the first line, whose field it then does not know. The first chunk is gone,
#        the reply begins with its second word, and no error is raised.
# So:    who reads streams of any server through the SDK has to take the mark off before it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.52.0 2>/dev/null
cat >read.py <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        rows = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("One", " two", " three")]
        events = "".join(f"data: {json.dumps(row)}\n\n" for row in rows)
        self.wfile.write(f"{mark}{events}data: [DONE]\n\n".encode())

    def log_message(self, *_: object) -> None:
        pass


def read() -> str:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)
        hi = [{"role": "user", "content": "hi"}]
        chunks = client.chat.completions.create(model="m", messages=hi, stream=True)
        text = "".join(chunk.choices[0].delta.content for chunk in chunks)
        server.shutdown()
    return text


print("openai", openai.__version__)
mark = ""
print("without a mark:", without := read())
mark = "\ufeff"
print("with a mark:   ", found := read())
sys.exit((without, found) != ("One two three", " two three"))
PY
venv/bin/python read.py
