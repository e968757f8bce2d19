"""`make release-check`, or `python -m deploy.release`: the steps before a tag, in their order."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deploy.release import audit, clone, licences, links, tree
from deploy.release.step import Release, Step, closing, walk
from settings import ROOT

STEPS = (
    Step("tree", "nothing uncommitted, VERSION heads the changelog, no such tag", tree.check),
    Step("links", "every link of the documents leads somewhere", links.check),
    Step("licences", "every package's licence, and the model's and its data's", licences.check),
    Step("audit", "no package with a known weakness", audit.check),
    Step("clone", "a clean clone in a temporary folder", clone.check),
    Step("run", "make run there, until it has answered and ended (it compiles llama.cpp: minutes)", clone.run),
    Step("test", "make test there (a quarter of an hour)", clone.test),
    Step("image", "make test-image there", clone.image),
)


def chosen(names: str) -> list[Step]:
    """The steps of a comma list, in their own order; all without one. Raises typer.BadParameter for no step."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [step.name for step in STEPS]
    if unknown := [name for name in wanted if name not in known]:
        raise typer.BadParameter(f"{unknown[0]!r} is no step; there are {', '.join(known)}")
    return [step for step in STEPS if not wanted or step.name in wanted]


def check(
    steps: Annotated[str, typer.Option(help="a comma list of steps; without it all of them")] = "",
    output: Annotated[Path | None, typer.Option(help="where the list of licences goes, instead of stdout")] = None,
    root: Annotated[Path, typer.Option(help="the working tree that is to be released")] = ROOT,
) -> None:
    """Look at everything before a release is tagged; stops at the first refusal.

    Example: python -m deploy.release --steps links,licences --output licences.md
    """
    picked, folder = chosen(steps), Path(tempfile.mkdtemp(prefix="release-"))
    ends = list(walk(picked, Release(root.resolve(), folder, output)))
    closing(ends)
    if any(end.outcome == "refused" for end in ends):
        print(f"Not to be released. What the steps made and wrote is in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)
    left = [step.name for step in STEPS if step not in picked] + [end.name for end in ends if end.outcome == "skipped"]
    print(f"Not looked at: {', '.join(left)}." if left else "Everything was looked at.")


if __name__ == "__main__":
    typer.run(check)
