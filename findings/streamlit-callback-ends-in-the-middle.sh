#!/usr/bin/env bash
# Streamlit 1.67.0: a second press ends the first one's `on_click` in the middle, with and without runner.fastReruns.
#
# Guess: a press may end the running script early, but a callback that has begun runs to its end; and with
#        runner.fastReruns=false, which is to let a run finish, it does so in any case.
# Seen:  where the next press of the same tab comes while a callback runs, the callback is ended at its next look at
#        st.session_state, as the script would be, and it is not run again: what stood after that line never happens.
#        runner.fastReruns=false changes nothing about it.
# So:    what a press is to do must be kept before anything else looks at the session's state; or presses wait.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check streamlit==1.67.0 websockets==15.0.1 2>/dev/null
cat >app.py <<'PY'
import time
from pathlib import Path

import streamlit as st


def press(name: str) -> None:
    with Path("log").open("a") as log:
        print(f"{name} begins", file=log)
    time.sleep(1)
    st.session_state.setdefault("presses", 0)
    with Path("log").open("a") as log:
        print(f"{name} ends", file=log)


st.button("first", on_click=press, args=["first"])
st.button("second", on_click=press, args=["second"])
PY
cat >press.py <<'PY'
import asyncio
import sys
from pathlib import Path

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


async def read(socket: websockets.ClientConnection, ids: list[str], ended: int) -> None:
    while ended:
        message = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), 60))
        if message.delta.new_element.HasField("button"):
            ids.append(message.delta.new_element.button.id)
        ended -= message.WhichOneof("type") == "script_finished"


def asks(pressed: str = "") -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = ""
    if pressed:
        message.rerun_script.widget_states.widgets.add(id=pressed, trigger_value=True)
    return message.SerializeToString()


async def main(port: str) -> None:
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with websockets.connect(address, subprotocols=["streamlit"], max_size=None) as socket:
        ids: list[str] = []
        await socket.send(asks())
        await read(socket, ids, 1)
        await socket.send(asks(ids[0]))
        await asyncio.sleep(0.5)  # the first one's callback has begun
        await socket.send(asks(ids[1]))
        for _ in range(600):  # until the second one's callback has ended
            if "second ends" in Path("log").read_text():
                return
            await asyncio.sleep(0.1)


asyncio.run(main(sys.argv[1]))
PY
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
try() { # try FAST: what the callbacks wrote, with or without fast reruns
  local number; number=$(port); rm -f log
  venv/bin/streamlit run app.py --server.headless true --server.address 127.0.0.1 --server.port "$number" \
    --browser.gatherUsageStats false --server.fileWatcherType none --runner.fastReruns "$1" >server.log 2>&1 &
  until (exec 3<>"/dev/tcp/127.0.0.1/$number") 2>/dev/null; do kill -0 $!; sleep 0.2; done
  venv/bin/python press.py "$number"
  kill $!; wait $! 2>/dev/null || true
  paste -sd, log
}
fast=$(try true) slow=$(try false)
echo "streamlit $(venv/bin/python -c 'import streamlit; print(streamlit.__version__)')"
echo "by default:             $fast"
echo "without fast reruns:    $slow"
[[ $fast == "first begins,second begins,second ends" ]]
[[ $slow == "first begins,second begins,second ends" ]]
