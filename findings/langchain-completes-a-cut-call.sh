#!/usr/bin/env bash
# langchain-core 1.7.2: the arguments of a call that a stream broke off within are completed, and the call counts as valid.
#
# Guess: a reply that ends in the middle of a call's JSON (finish_reason "length") gives no `tool_calls`, and the broken
#        one stands among `invalid_tool_calls`, as the whole, unstreamed message with the same text has it.
# Seen:  chunks that are added up read their arguments as JSON that still grows: open strings and objects are closed.
#        A path of which half is there, or an amount without its last digits, is a valid call; `invalid_tool_calls` is empty.
#        The same text in one AIMessage of the API is invalid.
# So:    who carries calls out reads the arguments of streamed ones anew, from the raw pieces, and asks for whole JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-core==1.7.2 2>/dev/null
cat >cut.py <<'PY'
from functools import reduce
from importlib.metadata import version
from operator import add

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers.openai_tools import parse_tool_call

print("langchain-core", version("langchain-core"))
PIECES = ['{"to": "Ada", "amount": 12', "00", ', "note": "for the li']  # 1,200; the stream ends within the note


def chunk(at: int, arguments: str) -> AIMessageChunk:
    call = tool_call_chunk(name="pay" if at == 0 else None, args=arguments, id="1" if at == 0 else None, index=0)
    last = at == len(PIECES) - 1
    return AIMessageChunk(content="", tool_call_chunks=[call], response_metadata={"finish_reason": "length"} if last else {})


for size in (1, 2, 3):
    whole = reduce(add, [chunk(at, piece) for at, piece in enumerate(PIECES[:size])])
    print(f"{size} pieces:", [call["args"] for call in whole.tool_calls], "invalid:", len(whole.invalid_tool_calls))
    assert len(whole.tool_calls) == 1
    assert not whole.invalid_tool_calls
last = reduce(add, [chunk(at, piece) for at, piece in enumerate(PIECES)]).tool_calls[0]["args"]
assert last == {"to": "Ada", "amount": 1200, "note": "for the li"}
try:
    parse_tool_call({"function": {"name": "pay", "arguments": "".join(PIECES)}, "id": "1"})
except Exception as error:
    print("the same text in a whole message:", type(error).__name__)
else:
    raise SystemExit("a whole message takes it too")
PY
venv/bin/python cut.py
