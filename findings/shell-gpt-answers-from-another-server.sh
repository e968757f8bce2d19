#!/usr/bin/env bash
# shell-gpt 1.5.1: after a change of API_BASE_URL and of the key it goes on answering with the first server's words.
#
# Guess: another server (API_BASE_URL), another key or another user's home is another cache, or none: what is shown was said
#        by the server that is set.
# Seen:  answers are kept by messages, model and temperature alone, in the folder `cache` of the temporary directory, whoever
#        asks: the second server is never called, and a wrong key is not noticed.
# So:    who compares two servers, or tries whether a setting works, calls it with --no-cache, or sets CACHE_PATH for each.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check shell-gpt==1.5.1 openai==2.54.0 click==8.3.1 2>/dev/null
cat >server.py <<'PY'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

NAME, KEY = sys.argv[1:]


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with Path(f"{NAME}.asked").open("a") as asked:
            print(self.headers["Authorization"], file=asked)
        known = self.headers["Authorization"] == f"Bearer {KEY}"
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "text/event-stream" if known else "application/json")
        self.end_headers()
        if not known:
            self.wfile.write(b'{"error": {"message": "wrong key"}}')
            return
        for delta, reason in (({"content": f"I am {NAME}."}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            row = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Path(f"{NAME}.port").write_text(str(server.server_port))
server.serve_forever()
PY
for name in first second; do
  venv/bin/python server.py "$name" "key-of-$name" &
  until [[ -s $name.port ]]; do kill -0 $!; sleep 0.1; done
done
mkdir tmp
ask() { # ask SERVER KEY OPTION...: as a user with a home of its own
  local home server=$1 key=$2; shift 2
  home=$(mktemp -d -p "$folder")
  HOME=$home TMPDIR="$folder/tmp" API_BASE_URL="http://127.0.0.1:$(cat "$server.port")/v1" OPENAI_API_KEY=$key \
    DEFAULT_MODEL=m venv/bin/sgpt --no-md --no-functions "$@" "who are you?" </dev/null 2>/dev/null | sed -n 1p
}
first=$(ask first key-of-first)
second=$(ask second a-wrong-key)
fresh=$(ask second key-of-second --no-cache)
echo "shell-gpt $(venv/bin/pip list 2>/dev/null | awk '$1 ~ /^shell.gpt$/ {print $2}')"
echo "the first server:                        $first"
echo "the second one, with a wrong key:        $second"
echo "the second one, with --no-cache:         $fresh"
echo "requests that the second one got:        $(wc -l <second.asked)"
[[ $first == "I am first." && $second == "I am first." && $fresh == "I am second." ]]
[[ $(cat second.asked) == "Bearer key-of-second" ]]
