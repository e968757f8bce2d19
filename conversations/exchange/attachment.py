"""A file of a foreign message: a picture with its bytes where the export holds them, else its name, which is said.

Knows data: addresses, base64 and what lies beside conversations; no form. Nothing is fetched.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from typing import Any

from conversations.exchange.draft import Draft
from conversations.exchange.form import Source
from documents.pictures.prepare import looks_like_picture

LOST = "files, but for their names"
ADDRESS = re.compile(r"data:[^,]{0,200};base64,")
HOLDERS = ("url", "data", "value", "base64", "base64Url", "source", "image_url")  # names under which bytes stand
LOOKED_AT = 64  # characters of base64 by which a picture is known
DEPTH = 3  # objects around the bytes


def attach(
    draft: Draft, source: Source, kind: str, name: Any, *, held: Any = None, members: Iterable[Any] = ()
) -> None:
    """Add a file to a message: from what the message holds, or from what lies beside under one of these names."""
    data = _held(held) or _beside(source, members)
    if data is not None:
        draft.picture(name, data)
        return
    draft.attach(kind, name)
    source.lose(LOST)


def _held(value: Any, depth: int = DEPTH) -> str | None:
    """The base64 of a picture; None of all else."""
    if isinstance(value, dict) and depth:
        return next((data for name in HOLDERS if (data := _held(value.get(name), depth - 1))), None)
    if not isinstance(value, str):
        return None
    match = ADDRESS.match(value)
    data = value[match.end() :] if match else value
    try:
        begun = b64decode(data[:LOOKED_AT], validate=True)
    except (Base64Error, ValueError):
        return None
    return data if looks_like_picture(begun) else None


def _beside(source: Source, members: Iterable[Any]) -> str | None:
    for name in members:
        data = source.member(name) if isinstance(name, str) and name else None
        if data is not None and looks_like_picture(data):
            return b64encode(data).decode()
    return None
