#!/usr/bin/env bash
# ollama 0.6.3 and huggingface_hub 2.4.0 (Python): a reply with U+0085 or U+2028 in it breaks off in the middle.
#
# Guess: lines of JSON end with a line feed, and events with two; inside a text JSON allows each character from U+0020 on as it
#        is, so what a model writes cannot cut a line.
# Seen:  both read lines as str.splitlines() has them, which also end with "next line" and the two Unicode separators. The rest
#        of the reply is lost to a JSONDecodeError, of a stream that was in order. Go's encoder, which Ollama has, escapes U+2028
#        and U+2029, and writes U+0085 as it is. Without stream all is read; the openai package reads the same events.
# So:    a server of either API writes its JSON in ASCII, as json.dumps does unless told otherwise (orjson and pydantic do not).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/home" HF_HUB_DISABLE_TELEMETRY=1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ollama==0.6.3 huggingface_hub==2.4.0 openai==3.52.0 2>/dev/null
cat >ask.py <<'PY'
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import ollama
import openai
from huggingface_hub import InferenceClient

MESSAGES = [{"role": "user", "content": "hi"}]
PIECES = ["One.", "\u0085", "Two."]


def row(piece, done=False):
    message = {"role": "assistant", "content": piece}
    return {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done}


def chunk(piece):
    choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


class Server(BaseHTTPRequestHandler):
    in_ascii = False

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self.path.startswith("/v1") else "application/x-ndjson")
        self.end_headers()
        with suppress(ConnectionError):  # of a client that left
            self.wfile.write("".join(self.lines(asked)).encode())

    def lines(self, asked):
        if self.path.startswith("/v1"):
            return [*(f"data: {self.encode(chunk(piece))}\n\n" for piece in PIECES), "data: [DONE]\n\n"]
        if not asked["stream"]:
            return [self.encode(row("".join(PIECES), done=True))]
        return [*(self.encode(row(piece)) + "\n" for piece in PIECES), self.encode(row("", done=True)) + "\n"]

    def encode(self, value):
        return json.dumps(value, ensure_ascii=self.in_ascii)

    def log_message(self, *_):
        pass


def of_ollama():
    return (part.message.content for part in ollama.Client(address).chat("m", MESSAGES, stream=True))


def of_ollama_whole():
    yield ollama.Client(address).chat("m", MESSAGES).message.content


def of_hub():
    client = InferenceClient(base_url=address + "/v1", api_key="none")
    for part in client.chat_completion(MESSAGES, stream=True):
        yield part.choices[0].delta.content


def of_openai():
    client = openai.OpenAI(base_url=address + "/v1", api_key="none")
    for part in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
        yield part.choices[0].delta.content


def said(pieces):
    """What came, and what ended it."""
    found = ""
    try:
        for piece in pieces:
            found += piece
    except ValueError as error:
        return f"{found!a} {type(error).__name__}"
    return ascii(found)


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    clients = {"ollama": of_ollama, "ollama, whole": of_ollama_whole, "huggingface_hub": of_hub, "openai": of_openai}
    seen = {name: said(client()) for name, client in clients.items()}
    Server.in_ascii = True
    escaped = {said(client()) for client in clients.values()}
    server.shutdown()
print("ollama", version("ollama"), "huggingface_hub", version("huggingface_hub"), "openai", version("openai"))
for name, words in seen.items():
    print(f"{name:16}", words)
print("written in ASCII", *escaped)
whole, cut = ascii("".join(PIECES)), "'One.' JSONDecodeError"
assert seen == {"ollama": cut, "ollama, whole": whole, "huggingface_hub": cut, "openai": whole}
assert escaped == {whole}
PY
venv/bin/python ask.py 2>/dev/null
