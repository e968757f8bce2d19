"""A picture from a file's bytes, unpacked and packed anew by a process of its own. Knows limits and that process.

Clients of the API send a whole conversation with each message: what was just prepared is remembered by its bytes.
"""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from collections import OrderedDict
from dataclasses import replace
from hashlib import sha256
from typing import Any

from documents.kind import BINARY, NOISE, PICTURES, SNIFF_BYTES, binary_kind, display_name
from documents.load import ENVIRONMENT
from documents.pictures.picture import Picture, PictureError
from documents.pictures.settings import PictureSettings
from settings import ROOT

TAKEN = ("a PNG picture", "a JPEG picture", "a WebP picture", "a HEIC picture")
READABLE = "PNG, JPEG, WebP and, where pi_heif is installed, HEIC"
UNKNOWN = "binary data that is no picture"
SVG = (b"<svg", b"<?xml", b"<!DOCTYPE svg")
AT_A_TIME = 2  # processes; who else asks waits
REMEMBERED = 32  # pictures

_turn = threading.BoundedSemaphore(AT_A_TIME)
_lock = threading.Lock()
_known: OrderedDict[str, Picture] = OrderedDict()


def looks_like_picture(data: bytes) -> bool:
    """Whether a file's first bytes are those of a picture, of whatever kind."""
    return binary_kind(data[:SNIFF_BYTES]) in {*PICTURES.values(), BINARY[b"GIF8"], BINARY[b"BM"]}


def check(name: str, data: bytes, limits: PictureSettings) -> None:
    """Check what a picture's size and first bytes tell. Raises PictureError."""
    if not data:
        raise PictureError(f"{name} is empty: there is no picture in it.")
    if len(data) > limits.max_bytes:
        raise PictureError(
            f"{name} has {len(data) / 1e6:,.1f} MB; at most {limits.max_bytes / 1e6:,.1f} MB are taken as a picture "
            "(PICTURES_MAX_BYTES). Save it smaller and attach that."
        )
    seen = binary_kind(data[:SNIFF_BYTES])
    if seen not in TAKEN:
        what = UNKNOWN if seen == NOISE else seen or ("SVG, a drawing that is a program" if _is_svg(data) else "text")
        raise PictureError(f"{name} is {what}; pictures are taken as {READABLE}. Save it as PNG and attach that.")


def _is_svg(data: bytes) -> bool:
    first = data[:SNIFF_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    return first.startswith(SVG) and b"<svg" in data[:SNIFF_BYTES]


def check_count(count: int, limits: PictureSettings) -> None:
    """Check how many pictures a message has. Raises PictureError for too many."""
    if count > limits.max_count:
        raise PictureError(
            f"The message has {count} pictures; at most {limits.max_count} are taken (PICTURES_MAX_COUNT). Send some "
            "with another message."
        )


def prepare(name: str, data: bytes, limits: PictureSettings | None = None) -> Picture:
    """The picture in a file, as it is kept and shown. Waits for another process. Raises PictureError."""
    limits, name = limits or PictureSettings.read(), display_name(name)
    check(name, data, limits)
    key = f"{sha256(data).hexdigest()} {limits.side} {limits.max_pixels}"
    with _lock:
        known = _known.get(key)
    if known is None:
        with _turn:
            known = _picture(name, _unpack(name, data, limits))
        _remember(key, known)
    return replace(known, name=name)


def _remember(key: str, picture: Picture) -> None:
    with _lock:
        _known[key] = picture
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)


def _picture(name: str, answer: dict[str, Any]) -> Picture:
    if "error" in answer:
        raise PictureError(f"{name} {answer['error']}")
    return Picture(name, answer["mime_type"], answer["width"], answer["height"], b64decode(answer["data"]))


def _unpack(name: str, data: bytes, limits: PictureSettings) -> dict[str, Any]:
    """What the process says. Raises PictureError where it says nothing."""
    values = json.dumps(limits.model_dump(include={"side", "max_pixels", "seconds"}))
    with tempfile.TemporaryFile() as file:  # without a name: nothing is left of it, however this process ends
        file.write(data)
        file.seek(0)
        done = subprocess.run(
            [sys.executable, "-m", "documents.pictures.child", values],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    if done.returncode == -signal.SIGXCPU:
        raise PictureError(
            f"{name} takes more than {limits.seconds} s to unpack (PICTURES_SECONDS): save it smaller and attach that."
        )
    if done.returncode:
        raise PictureError(f"{name}: what unpacks it broke off over it, so nothing of it was kept. Save it anew.")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
