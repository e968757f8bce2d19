#!/usr/bin/env bash
# huggingface_hub 2.4.0: a download that ended early starts over: nothing of it is kept for the next try.
#
# Guess: `hf_hub_download` leaves `….incomplete` beside the file, and the next call asks for the rest (Range), as it did for years.
# Seen:  within one call a broken connection is gone on with (Range); after the process was killed the next call asks for all of
#        the file, though the server knows ranges and `….incomplete` lies there: its name is another one in each call
#        ("process-unique", file_download.py), and after an error it is deleted.
# So:    whoever promises to go on after a kill has to keep and ask for the rest of a file himself; and what killed downloads
#        leave behind stays until somebody deletes it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0 2>/dev/null
cat >over.py <<'PY'
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = b"x" * 30_000_000
CODE = "from huggingface_hub import hf_hub_download as get; get('me/it', 'model.bin', local_dir='here')"
asked, slow = [], True


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(0)

    def do_GET(self) -> None:
        if "/resolve/" not in self.path:
            return self.send_error(404)
        span = self.headers.get("Range", "")
        asked.append(span)
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        self.answer(start, 206 if span else 200)
        with suppress(ConnectionError):  # the client was killed
            for at in range(start, len(DATA), 1_000_000):
                self.wfile.write(DATA[at : at + 1_000_000])
                time.sleep(0.1 if slow else 0)

    def answer(self, start: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("ETag", '"' + hashlib.sha256(DATA).hexdigest() + '"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(DATA) - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    first = subprocess.Popen([sys.executable, "-c", CODE], env=given, stderr=subprocess.DEVNULL)
    while not any(path.stat().st_size >= 10_000_000 for path in Path().rglob("*.incomplete")):
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = [path.stat().st_size for path in Path().rglob("*.incomplete")]
    asked.clear()
    slow = False
    subprocess.run([sys.executable, "-c", CODE], env=given, check=True)
    left = [path.stat().st_size for path in Path().rglob("*.incomplete")]
    server.shutdown()
print("kept by the kill:", kept, "asked for by the next call:", asked, "left behind:", left)
sys.exit(not (kept and asked == [""] and left == kept))
PY
venv/bin/python over.py
