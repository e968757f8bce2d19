"""The removal of a model that was downloaded by us, never of anybody else's. Knows files; nothing of what is loaded."""

from contextlib import suppress
from pathlib import Path

from backends.models.entry import Entry
from settings import SettingsError

KEPT = (".gguf", ".safetensors", ".bin")  # endings of files by which a folder still holds a model


def remove(entry: Entry, home: Path) -> int:
    """Delete the files of a model and return the bytes that are free again.

    Raises SettingsError for one that is not ours, OSError.
    """
    root = home.resolve()
    if not entry.is_removable or not all(path.resolve().is_relative_to(root) for path in entry.files):
        raise SettingsError(
            f"{entry.name} is not removed: `models get` did not download it ({entry.origin}, {entry.path.parent}). "
            "Remove it with the program that keeps it."
        )
    files = [path for path in entry.files if not _is_shared(path, entry)]
    size = sum(path.stat().st_size for path in files if path.exists())
    for path in files:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in files}:
        _prune(folder, root)
    return size


def _is_shared(path: Path, entry: Entry) -> bool:
    """Whether a file is another model's too: a projector beside several, a card."""
    if path == entry.projector:
        return any(other not in entry.files for other in path.parent.glob("*.gguf"))
    return path.suffix == ".md" and any(
        other.suffix in KEPT and other not in entry.files for other in path.parent.iterdir()
    )


def _prune(folder: Path, root: Path) -> None:
    """Delete what is left in a folder without a model, and the folders that are empty then, up to `root`."""
    if any(path.suffix in KEPT for path in folder.rglob("*") if path.is_file()):
        return
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    while folder != root and folder.resolve().is_relative_to(root):
        with suppress(OSError):
            folder.rmdir()
            folder = folder.parent
            continue
        return
