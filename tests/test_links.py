"""Where the links of our Markdown files lead. No host is asked: a link outside must only be well-formed https."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from settings import ROOT
from tests import markdown

MORE = "## How it goes\n\n[back](../README.md#how-its-done), [all](/README.md)\n"


@lru_cache
def anchors(path: Path) -> set[str]:
    return markdown.anchors(markdown.read(path))


def problem(target: str, page: Path, root: Path) -> str:
    """What is wrong with one link of a page, or nothing."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        if parts.scheme != "https":
            return "neither a file of ours nor https"
        return "" if "." in (parts.hostname or "") and " " not in target else "no well-formed address"
    name = unquote(parts.path)
    base = root if name.startswith("/") else page.parent
    file = (base / name.lstrip("/")).resolve() if name else page.resolve()
    if not file.is_relative_to(root.resolve()):
        return "leads out of the tree"
    if not file.exists():
        return "no such file"
    if parts.fragment and file.suffix == ".md" and unquote(parts.fragment) not in anchors(file):
        return f"no heading #{parts.fragment}"
    return ""


def broken(root: Path) -> Iterator[str]:
    """`file:line: target: what is wrong` for each link that leads nowhere."""
    for page in markdown.documents(root):
        for link in markdown.links(markdown.read(page)):
            if wrong := problem(link.target, page, root):
                yield f"{page.relative_to(root)}:{link.line}: {link.target}: {wrong}"


def test_every_link_leads_somewhere() -> None:
    documents = markdown.documents(ROOT)
    assert {ROOT / "README.md", ROOT / "models" / "default" / "README.md", ROOT / "CONTRIBUTING.md"} <= set(documents)
    assert list(broken(ROOT)) == []


def test_links_that_lead_nowhere_are_named_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "# It\n\n[a](docs/none.md) ![b](docs/b%20c.png)\n\n| [c](#it) | [d](docs/more.md#gone) |\n|-|-|\n"
        "\n<img src='e.png'>\n\n[f](http://example.org) [g](https://example) [h](../tree2) `[i](none)`\n"
        "[j](https://example.org/j)\n\n    [k](none)\n"
    )
    (tmp_path / "docs" / "more.md").write_text(
        "## How it goes\n\n[back](../README.md#how-its-done), [all](/README.md)\n"
    )
    assert list(broken(tmp_path)) == [
        "README.md:3: docs/none.md: no such file",
        "README.md:3: docs/b%20c.png: no such file",
        "README.md:5: docs/more.md#gone: no heading #gone",
        "README.md:8: e.png: no such file",
        "README.md:10: http://example.org: neither a file of ours nor https",
        "README.md:10: https://example: no well-formed address",
        "README.md:10: ../tree2: leads out of the tree",
        "docs/more.md:3: ../README.md#how-its-done: no heading #how-its-done",
    ]


def test_links_between_pages_and_headings_are_followed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# It\n\n## How it's *done*\n\n[more](docs/more.md#how-it-goes)\n")
    (tmp_path / "docs" / "more.md").write_text(
        "## How it goes\n\n[back](../README.md#how-its-done), [all](/README.md)\n"
    )
    assert list(broken(tmp_path)) == []


def test_headings_of_one_name_are_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('---\nname: x\n---\n# What `is` it?\n\n## Do\n\n## Do\n\n<a id="here"></a>\n')
    assert anchors(page) == {"what-is-it", "do", "do-1", "here"}
