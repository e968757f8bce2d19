"""Words of models, servers and files, made harmless for a terminal. Knows strings and streams; no screen."""

import io
import sys

# Escape sequences begin with one of these; without them a reply can neither colour, move nor rename anything.
CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
C1 = {code: f"\\u{code:04x}" for code in range(127, 160)}


def strip_control(text: str) -> str:
    """The text without control characters, but for line ends and tabs."""
    return text.translate(CONTROL)


def escape_control(json: str) -> str:
    """JSON that says the same without control characters: it escapes only those below 32 by itself."""
    return json.translate(C1)


def replace_unencodable() -> None:
    """Write `?` for what the terminal's encoding lacks, and read U+FFFD for bytes that are none of its characters."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
