"""A GGUF that a setting names as `owner/name:file.gguf`: where it lies on this machine, or how it comes there.

Looks at names in our folder and in the hub's cache; nothing of what is in a file. Only `fetch` asks the hub.
"""

from pathlib import Path

from langchain_core.exceptions import ModelNotFoundError

from backends.llama.parts import parse_name
from backends.local import loading
from backends.models import places
from backends.models.download import model_folder
from backends.models.downloads import start
from backends.models.repository import split_spec

TICK = 0.2  # seconds between two looks at a download
SHARE = 0.9  # of what loading a model takes, where its file has to come first


def is_hub_file(name: str) -> bool:
    """Whether a name is that of a GGUF in a repository."""
    return ":" in name and name.endswith(".gguf") and not Path(name).is_absolute()


def find_file(spec: str, home: Path) -> Path:
    """The path of a file of the hub, of a split model's first part: where it lies, else where it will."""
    repository, filename = split_spec(spec)
    part = parse_name(filename or "")
    names = part.all() if part else [filename or ""]
    ours = model_folder(home, repository)
    folders = [ours, *places.hub_snapshots_of(repository)]
    whole = (folder for folder in folders if all((folder / name).is_file() for name in names))
    return next(whole, ours) / names[0]


def fetch(spec: str, home: Path) -> Path:
    """Download a file of the hub as `models get` does, and return its path.

    Who no longer waits for the model leaves the download running: the Models page shows it. Raises ModelNotFoundError;
    LoadCancelledError where nobody waits.
    """
    running = start(spec, home, waits=True)
    while running.wait(TICK) == "running":
        loading.current().check(SHARE * running.progress.share)
    if running.path is None:
        raise ModelNotFoundError(running.error or "its download was cancelled. Ask again to go on with it.")
    return running.path
