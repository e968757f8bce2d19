#!/usr/bin/env bash
# langchain-ollama 1.1.0: an argument that is a text and holds JSON reaches the tool as an object, and is refused by it.
#
# Guess: Ollama sends a call's arguments as an object, so there is nothing to parse: `{"content": "{\"port\": 80}"}` is a text
#        for a tool `save(content: str)`, as ChatOpenAI has it of the same call.
# Seen:  each value that is a text is tried as JSON, and then as a literal of Python; an object or a list takes its place. The
#        tool's own schema refuses it ("Input should be a valid string"), so a model cannot save a file of JSON, however
#        often it tries. ast.literal_eval makes it hold for "[1, 2]  # note" too. An argument `functionName` that is the
#        tool's name is left out.
# So:    tools for it take `str | dict | list` and write JSON themselves; or ChatOpenAI is pointed at Ollama's /v1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-ollama==1.1.0 ollama==0.6.3 langchain-openai==1.7.3 \
  langchain-core==1.7.5 openai==3.52.0 2>/dev/null
cat >ask.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic import ValidationError

ARGUMENTS = {"path": "a.json", "content": '{"port": 80}', "note": "[1, 2]  # two", "functionName": "save"}


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        function = {"name": "save", "arguments": ARGUMENTS}
        if self.path == "/api/chat":
            message = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
            told = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": True, "done_reason": "stop"}
        else:
            call = {"id": "1", "type": "function", "function": {**function, "arguments": json.dumps(ARGUMENTS)}}
            choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
            told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode() + b"\n")

    def log_message(self, *_):
        pass


@tool
def save(path: str, content: str, note: str, functionName: str) -> str:
    """Save a file."""
    return f"{path}: {content}"


def told(model):
    call = model.bind_tools([save]).invoke("hi").tool_calls[0]
    try:
        result = save.invoke(call["args"])
    except ValidationError as error:
        result = [f"{each['loc'][0]}: {each['msg']}" for each in error.errors()]
    return call["args"], result


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    ollama, openai = told(ChatOllama(model="m", base_url=address)), told(ChatOpenAI(model="m", base_url=address, api_key="none"))
    server.shutdown()
print("langchain-ollama", version("langchain-ollama"))
print("ChatOpenAI:", *openai, sep="\n  ")
print("ChatOllama:", *ollama, sep="\n  ")
assert openai == (ARGUMENTS, 'a.json: {"port": 80}')
assert ollama[0] == {"path": "a.json", "content": {"port": 80}, "note": [1, 2]}
text = "Input should be a valid string"
assert ollama[1] == [f"content: {text}", f"note: {text}", "functionName: Field required"]
PY
venv/bin/python ask.py 2>/dev/null
