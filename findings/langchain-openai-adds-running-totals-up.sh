#!/usr/bin/env bash
# langchain-openai 1.7.3 (1.7.4 alike): tokens that a server tells in each chunk of a stream are added up.
#
# Guess: `usage` in a chunk is the usage so far, as vLLM's documented `continuous_usage_stats` sends it; the joined message
#        tells what the last chunk told.
# Seen:  each chunk's figures become its `usage_metadata`, and joining chunks adds them: a prompt of 1,965 tokens and
#        five words of reply are 11,790 and 20.
# So:    quotas and costs by `usage_metadata` are several times too high with such servers; the figures have to be put
#        into one chunk before ChatOpenAI reads them.
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

WORDS = ["One", " two", " three", " four", " five"]


def chunk(content: str, finish: str | None, count: int) -> dict[str, object]:
    usage = {"prompt_tokens": 1965, "completion_tokens": count, "total_tokens": 1965 + count}
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], "usage": usage}


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        rows = [*(chunk(word, None, count) for count, word in enumerate(WORDS, 1)), chunk("", "stop", 5)]
        self.wfile.write("".join(f"data: {json.dumps(row)}\n\n" for row in [*rows, "[DONE]"]).replace('"[DONE]"', "[DONE]").encode())

    def log_message(self, *_: object) -> None:
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model = ChatOpenAI(
        base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", model="m", stream_usage=True, max_retries=0
    )
    message = reduce(add, model.stream("hi"))
    server.shutdown()
usage = message.usage_metadata
print("langchain-openai", version("langchain-openai"))
print("told:", 1965, "tokens read and", 5, "written")
print("seen:", usage["input_tokens"], "tokens read and", usage["output_tokens"], "written")
sys.exit((usage["input_tokens"], usage["output_tokens"]) != (11790, 20))
PY
venv/bin/python read.py
