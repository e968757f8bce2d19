"""Known weaknesses of the packages that a release brings, as pip-audit's database has them."""

import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.version import Version

from deploy.release.packages import given
from deploy.release.step import Refusal, Release, Skipped

AWAY = re.compile(r"requests\.exceptions\.|Could not connect|ServiceError|blocking this service")


def pins(root: Path) -> list[str]:
    """`name==version` of every package that is given; torch's +cpu is not in the database's names."""
    found = (pair for names in given(root).values() for pair in names.items())
    return [f"{name}=={Version(version).public}" for name, version in sorted(found)]


def ask(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """pip-audit over these alone; nothing is installed."""
    file = folder / "audited.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "15"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verdict(said: str, complaint: str) -> str:
    """One line over what pip-audit wrote. Raises Refusal for weaknesses, Skipped where it reached nothing.

    Behind an index that answers "not found" to every question pip-audit ends well with everything left out: that
    is no clean bill, and is told as what it is.
    """
    if not said.strip():
        last = (complaint.strip() or "no word").splitlines()[-1][:200]
        if AWAY.search(complaint):
            raise Skipped(f"its database cannot be reached ({last})")
        raise Refusal(f"pip-audit: {last}", "run pip-audit by hand; make test installs it")
    rows = json.loads(said)["dependencies"]
    left = [row["name"] for row in rows if "skip_reason" in row]
    weak = [row for row in rows if row.get("vulns")]
    if weak:
        found = (f"{row['name']} {row['version']}: {', '.join(v['id'] for v in row['vulns'])}" for row in weak)
        raise Refusal("\n".join(found), "raise the pins to a version that mends it")
    if len(left) == len(rows):
        raise Skipped(f"its database cannot be reached: it knows none of {len(rows)} packages")
    return f"{len(rows) - len(left)} packages without a known weakness" + (
        f"; not in the database: {', '.join(left)}" if left else ""
    )


def check(release: Release) -> str:
    """Raises Refusal for a known weakness, Skipped without a database."""
    done = ask(pins(release.root), release.folder)
    return verdict(done.stdout, done.stderr)
