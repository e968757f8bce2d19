#!/usr/bin/env bash
# ollama 0.6.3 (Python): a function that is given as a tool is described with other types than it has, and not twice alike.
#
# Guess: `chat(…, tools=[function])` describes it by its annotations as pydantic does: a default makes a parameter optional, a
#        model is an object, `int | str` is either; and the same function makes the same request.
# Seen:  a parameter with a default is required, unless it may be None. One that is a model is a "string" (its fields stand
#        under "$defs", to which nothing points), and the choices of a Literal are left out. `int | str` is the type "integer,
#        string" or "string, integer", whichever way the process's seed for hashes has it: no type of JSON Schema, so that
#        servers which hold calls to their schema refuse it, and after a restart a prompt that no cache knows.
# So:    tools are given as dicts with a schema of pydantic's; a server of this API takes "integer, string" for a list.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ollama==0.6.3 jsonschema==4.26.0 2>/dev/null
cat >describe.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from typing import Literal

import ollama
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel


class Place(BaseModel):
    city: str


def forecast(place: Place, day: int | str, unit: Literal["C", "F"] = "C", note: str | None = None) -> str:
    """Tell the weather."""


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"model": "m", "message": {"role": "assistant", "content": "ok"}, "done": true}')

    def log_message(self, *_):
        pass


asked = {}
with HTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.handle_request, daemon=True).start()
    client = ollama.Client(f"http://127.0.0.1:{server.server_port}")
    client.chat("m", [{"role": "user", "content": "hi"}], tools=[forecast])
schema = asked["tools"][0]["function"]["parameters"]
print("ollama", version("ollama"))
print({name: {key: part for key, part in each.items() if part} for name, each in schema["properties"].items()})
print("required:", schema["required"], "keys:", sorted(schema))
assert schema["properties"]["place"]["type"] == "string"
assert "enum" not in schema["properties"]["unit"]
assert schema["required"] == ["place", "day", "unit"]
assert "$ref" not in json.dumps(schema)
try:
    Draft202012Validator.check_schema(schema)
except SchemaError as error:
    print("jsonschema:", error.message.splitlines()[0])
else:
    raise SystemExit("it is a JSON Schema")
PY
venv/bin/python describe.py
cat >type.py <<'PY'
from ollama._utils import convert_function_to_tool


def forecast(day: int | str) -> str:
    """Tell the weather."""


print(convert_function_to_tool(forecast).function.parameters.properties["day"].type)
PY
types=$(for seed in 0 1 2 3 4 5 6 7 8 9; do PYTHONHASHSEED=$seed venv/bin/python type.py; done | sort -u)
echo "the type of day, in ten processes:"
echo "$types"
[[ $types == "integer, string
string, integer" ]]
