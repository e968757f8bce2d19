"""The folders in which models lie on this machine: ours, and those of the hub's cache, Ollama and LM Studio.

All but ours are only read. Knows folders and variables; nothing of what is in a file.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from backends.models.settings import ModelsSettings
from settings import ROOT

SHIPPED = ROOT / "models"
DEEPEST = 4  # folders below one of ours in which models are looked for
HUB_PREFIX = "models--"


def hub_cache() -> Path:
    """The cache of the Hugging Face hub, by the variables that its client reads."""
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return expanded(Path(named))


def ollama_folders() -> list[Path]:
    """Where Ollama keeps models: the variable's folder, else the user's and the one of its service on Linux."""
    if named := os.environ.get("OLLAMA_MODELS"):
        return [expanded(Path(named))]
    return [expanded(Path("~/.ollama/models")), Path("/usr/share/ollama/.ollama/models")]


def lm_studio_folders() -> list[Path]:
    """Where LM Studio keeps models, now and before."""
    return [expanded(Path("~/.lmstudio/models")), expanded(Path("~/.cache/lm-studio/models"))]


def more_folders(settings: ModelsSettings) -> list[Path]:
    """Those of MODELS_DIRS."""
    return [expanded(Path(name)) for name in settings.dirs]


def expanded(path: Path) -> Path:
    """The path without `~`, where a home is known."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def walk(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """A folder and those in it, sorted; hidden ones and what cannot be read are passed over."""
    try:
        inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return
    yield folder
    for each in inner if depth else []:
        yield from walk(each, depth - 1)


def hub_snapshots(cache: Path) -> Iterator[tuple[str, Path]]:
    """The repositories of a hub's cache, each with the folder of its newest snapshot: what `main` points to, if any."""
    for folder in sorted(cache.glob(f"{HUB_PREFIX}*")) if cache.is_dir() else []:
        snapshots = sorted((folder / "snapshots").glob("*"), key=lambda path: path.stat().st_mtime)
        if snapshots:
            yield folder.name.removeprefix(HUB_PREFIX).replace("--", "/"), _main(folder, snapshots)


def _main(folder: Path, snapshots: list[Path]) -> Path:
    try:
        named = folder / "snapshots" / (folder / "refs" / "main").read_text().strip()
    except OSError:
        return snapshots[-1]
    return named if named in snapshots else snapshots[-1]


def hub_snapshots_of(repository: str) -> list[Path]:
    """The snapshots of one repository in the hub's cache, the newest first."""
    folder = hub_cache() / f"{HUB_PREFIX}{repository.replace('/', '--')}" / "snapshots"
    return sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
