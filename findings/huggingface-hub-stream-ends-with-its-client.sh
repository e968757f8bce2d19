#!/usr/bin/env bash
# huggingface_hub 2.4.0: a streamed chat whose InferenceClient has no name any more breaks off before its first word.
#
# Guess: what `chat_completion(…, stream=True)` gives holds what it reads from, as the openai package's stream does: a
#        function may make a client and return the stream, and `for chunk in InferenceClient(…).chat_completion(…)` works.
# Seen:  the open response hangs on the client alone (its exit_stack), not on what is iterated. Where nothing else holds the
#        client, it is collected, and the first step raises StreamClosed, of a connection that was in order. With the client
#        in a variable the same lines work; so does AsyncInferenceClient without one.
# So:    whoever streams keeps the client as long as the stream; an error "has been closed" is no fault of the server.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/home" HF_HUB_DISABLE_TELEMETRY=1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0 openai==3.52.0 2>/dev/null
cat >ask.py <<'PY'
import asyncio
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import openai
from huggingface_hub import AsyncInferenceClient, InferenceClient

MESSAGES = [{"role": "user", "content": "hi"}]


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with suppress(ConnectionError):  # of a client that left
            for delta, reason in (({"content": "good"}, None), ({"content": " day"}, None), ({}, "stop")):
                choice = {"index": 0, "delta": delta, "finish_reason": reason}
                row = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
                self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


def unnamed():
    return InferenceClient(base_url=address, api_key="none").chat_completion(MESSAGES, stream=True)


def named():
    return client.chat_completion(MESSAGES, stream=True)


def of_openai():
    return openai.OpenAI(base_url=address, api_key="none").chat.completions.create(model="m", messages=MESSAGES, stream=True)


def said(stream):
    try:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream())
    except Exception as error:
        return type(error).__name__


async def said_later():
    stream = await AsyncInferenceClient(base_url=address, api_key="none").chat_completion(MESSAGES, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    client = InferenceClient(base_url=address, api_key="none")
    seen = {"unnamed": said(unnamed), "named": said(named), "async, unnamed": asyncio.run(said_later())}
    seen["openai, unnamed"] = said(of_openai)
    server.shutdown()
print("huggingface_hub", version("huggingface_hub"))
for name, text in seen.items():
    print(f"{name:16} {text}")
assert seen.pop("unnamed") == "StreamClosed"
assert set(seen.values()) == {"good day"}
PY
venv/bin/python ask.py 2>/dev/null
