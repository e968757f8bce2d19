"""The installed packages that a requirements file brings, with all they need themselves."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.release.step import Refusal

# What somebody receives with a release: in an image, or by installing what one of these names.
# requirements-dev.txt is for those who work on it.
GIVEN = (
    "requirements.txt",
    "requirements-sms.txt",
    "requirements-telemetry.txt",
    "requirements-ray.txt",
    "requirements-train.txt",
    "requirements-embeddings.txt",
)


def required(file: Path) -> Iterator[Requirement]:
    """The lines of a requirements file and of those it names with -r."""
    for line in file.read_text(encoding="utf-8").splitlines():
        line = line.partition(" #")[0].strip()
        if line.startswith("-r "):
            yield from required(file.parent / line[3:].strip())
        elif line and not line.startswith(("#", "-")):
            yield Requirement(line)


def _found(wanted: Requirement) -> Distribution:
    try:
        return distribution(wanted.name)
    except PackageNotFoundError:
        raise Refusal(f"{wanted} is not installed", "make test installs everything; run it once") from None


def _needs(package: Distribution, extra: str) -> Iterator[Requirement]:
    for line in package.requires or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            yield need


def brought(wanted: Iterable[Requirement]) -> dict[str, str]:
    """Canonical name -> installed version, of these and of all they need. Raises Refusal for one that is absent."""
    waiting, seen, found = list(wanted), set[tuple[str, str]](), dict[str, str]()
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        for extra in {"", *need.extras}:
            if (name, extra) not in seen:  # each is read once: its metadata are parsed at every look
                seen.add((name, extra))
                package = _found(need)
                found[name] = package.version
                waiting.extend(_needs(package, extra))
    return found


@lru_cache
def given(root: Path) -> dict[str, dict[str, str]]:
    """For each file of GIVEN what it brings beside those before it."""
    told, seen = dict[str, dict[str, str]](), set[str]()
    for name in GIVEN:
        found = brought(required(root / name))
        told[name] = {package: version for package, version in found.items() if package not in seen}
        seen |= set(found)
    return told
