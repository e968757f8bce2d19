"""Where the links of our Markdown files lead. Asks no other host: a link outside must only be well-formed https."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.release import markdown
from deploy.release.step import Refusal, Release

NOT_OURS = {"runs", "data", "node_modules", "build", "dist"}


def documents(root: Path) -> list[Path]:
    """Every Markdown file of the tree, but what is hidden, made or fetched."""
    found = []
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in NOT_OURS]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return sorted(found)


@lru_cache
def _anchors(path: Path) -> set[str]:
    return markdown.anchors(markdown.read(path))


def _outside(target: str) -> str:
    """What is wrong with an address, or nothing."""
    parts = urlsplit(target)
    if parts.scheme != "https":
        return "neither a file of ours nor https"
    return "" if parts.hostname and "." in parts.hostname and " " not in target else "no well-formed address"


def fault(target: str, page: Path, root: Path) -> str:
    """What is wrong with one link of a page, or nothing."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return _outside(target)
    name = unquote(parts.path)
    base = root if name.startswith("/") else page.parent
    file = (base / name.lstrip("/")).resolve() if name else page.resolve()
    if not file.is_relative_to(root.resolve()):
        return "leads out of the tree"
    if not file.exists():
        return "no such file"
    if parts.fragment and file.suffix == ".md" and unquote(parts.fragment) not in _anchors(file):
        return f"no heading #{parts.fragment}"
    return ""


def broken(root: Path) -> Iterator[str]:
    """`file:line: target: what is wrong` for each link that leads nowhere."""
    for page in documents(root):
        for link in markdown.links(markdown.read(page)):
            if problem := fault(link.target, page, root):
                yield f"{page.relative_to(root)}:{link.line}: {link.target}: {problem}"


def check(release: Release) -> str:
    """Raises Refusal naming every link that leads nowhere."""
    pages = documents(release.root)
    if found := list(broken(release.root)):
        raise Refusal("\n".join(found), "mend the links, or the names they point to")
    return f"{sum(len(list(markdown.links(markdown.read(page)))) for page in pages)} links in {len(pages)} files"
