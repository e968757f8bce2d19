#!/usr/bin/env bash
# openai 3.52.0 (Python; 3.57.0 alike): `get_final_completion()` of a stream has no plain reply that reached max_tokens.
#
# Guess: without `response_format` there is nothing to parse, so `chat.completions.stream()` gives a reply whose
#        finish_reason is "length" as any other; so does the same helper of the SDK for Node (`finalChatCompletion()`).
# Seen:  the events come to their end, then `get_final_completion()` raises LengthFinishReasonError ("Could not parse response
#        content as the length limit was reached"), with and without `response_format`.
# So:    a server that cuts replies at a default nobody asked for breaks each program that uses this helper; who sets
#        max_tokens himself has to catch it, or to gather the text from the events.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.52.0 2>/dev/null
cat >cut.py <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

CHUNKS = [({"role": "assistant", "content": "Once upon"}, None), ({}, "length")]


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta, finish in CHUNKS:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            row = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    plain = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True))
    text, seen = "", "no error"
    try:
        with client.chat.completions.stream(**asked) as stream:
            for event in stream:
                text += event.delta if event.type == "content.delta" else ""
            stream.get_final_completion()
    except openai.LengthFinishReasonError as error:
        seen = f"{type(error).__name__}: {error}"
    server.shutdown()
print("openai", openai.__version__)
print("create(stream=True):", plain)
print("stream(), get_final_completion():", text, "/", seen)
sys.exit((plain, text, seen.partition(":")[0]) != ("Once upon", "Once upon", "LengthFinishReasonError"))
PY
venv/bin/python cut.py
