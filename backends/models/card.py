"""The card of a model (README.md), of which the licence is read. Knows the front matter that the hub gives cards."""

import re
from pathlib import Path

FRONT = re.compile(r"\A\ufeff?---\r?\n(.*?)\n---", re.DOTALL)
FIELD = re.compile(r"^(license|license_name):[ \t]*[\"']?([^\s\"'\[\]#]+)", re.MULTILINE)
LONGEST = 200_000  # characters that are looked at


def read_licence(folder: Path) -> str:
    """The licence that the card in a folder names; empty where there is none."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            front = FRONT.match(file.read(LONGEST))
    except OSError:
        return ""
    fields = dict(FIELD.findall(front[1])) if front else {}
    licence = str(fields.get("license", ""))
    return str(fields.get("license_name") or licence) if licence == "other" else licence
