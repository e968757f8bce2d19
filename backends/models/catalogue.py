"""The catalogue: every model that lies on this machine, by name. Reads headers and configurations; loads nothing.

Knows places and kinds of files; nothing of what is loaded, and never asks anybody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from langchain_core.exceptions import ModelNotFoundError

from backends.local import shipped
from backends.models import ollama, places
from backends.models.entry import Entry, Origin
from backends.models.gguf_file import gguf_entries, gguf_entry
from backends.models.saved_folder import is_saved_model, saved_entry
from backends.models.settings import ModelsSettings


def list_entries(settings: ModelsSettings, named: Iterable[str] = ()) -> list[Entry]:
    """Every model there is: what ships first, then ours, then what others keep.

    `named`: what settings name, paths, or repositories of the hub whose files lie in its cache.
    """
    found = _distinct(_all_entries(settings, named))
    taken = set[tuple[str, str]]()
    return [_renamed(entry, taken) for entry in found]


def find_entry(name: str, settings: ModelsSettings, backend: str | None = None, named: Iterable[str] = ()) -> Entry:
    """The model of this name, of this backend. Raises ModelNotFoundError, with what is near."""
    entries = [entry for entry in list_entries(settings, named) if backend in (None, entry.backend)]
    matches = [entry for entry in entries if entry.name == name] or [
        entry for entry in entries if str(entry.path) == name or entry.name.lower() == name.lower()
    ]
    if matches:
        return matches[0]
    near = [entry.name for entry in entries if name.lower() in entry.name.lower()][:3]
    hint = f" Near: {', '.join(near)}." if near else ""
    raise ModelNotFoundError(f"{name}: there is no such model here.{hint} `python cli.py models list` shows all.")


def _all_entries(settings: ModelsSettings, named: Iterable[str]) -> Iterator[Entry]:
    if base := shipped.base_gguf():
        yield gguf_entry(base, Origin.SHIPPED, shipped.BASE_NAME, licence=shipped.BASE_LICENCE)
    yield from _folder_entries(places.SHIPPED, Origin.SHIPPED)
    yield from _folder_entries(settings.home, Origin.DOWNLOADED)
    for name in named:
        yield from _named_entries(name)
    for folder in places.more_folders(settings):
        yield from _folder_entries(folder, Origin.FOLDER)
    for repository, folder in places.hub_snapshots(places.hub_cache()):
        yield from _folder_entries(folder, Origin.HUB, f"{repository}/", repository)
    for folder in places.ollama_folders():
        for each in ollama.list_models(folder):
            yield gguf_entry(each.model, Origin.OLLAMA, each.name, each.projector, each.licence)
    for folder in places.lm_studio_folders():
        yield from _folder_entries(folder, Origin.LM_STUDIO)


def _folder_entries(root: Path, origin: Origin, prefix: str = "", whole: str = "") -> Iterator[Entry]:
    """The models in a folder and those below it; `whole` is the name of one that is the folder itself."""
    for folder in places.walk(root):
        files = sorted(folder.glob("*.gguf"))
        names = {path: prefix + _stem(path.relative_to(root)) for path in files}
        yield from gguf_entries(files, origin, names)
        if is_saved_model(folder):
            below = folder.relative_to(root).as_posix()
            yield saved_entry(folder, origin, (whole or root.name) if below == "." else prefix + below)


def _stem(path: Path) -> str:
    """A file's name without its ending, and without the number of a part."""
    name = path.as_posix().removesuffix(".gguf")
    head, separator, tail = name.rpartition("-00001-of-")
    return head if separator and tail.isdecimal() else name


def _named_entries(name: str) -> Iterator[Entry]:
    """The model that a setting names, where it lies here."""
    path = places.expanded(Path(name))
    if path.is_file():
        projectors = sorted(path.parent.glob("*mmproj*.gguf"))
        yield from gguf_entries([path, *projectors], Origin.NAMED, {path: path.stem})
    elif path.is_dir():
        yield saved_entry(path, Origin.NAMED, path.name)


def _distinct(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries without those whose files were seen before, under another name or in another place."""
    seen = set[Path]()
    for entry in entries:
        place = entry.path.resolve()
        if place not in seen:
            seen.add(place)
            yield entry


def _renamed(entry: Entry, taken: set[tuple[str, str]]) -> Entry:
    """The entry, under a longer name where another of its backend has that one; that name is taken then."""
    name, number = entry.name, 2
    while (entry.backend, name) in taken:
        name = f"{entry.name}@{entry.origin.name.lower().replace('_', '-')}" + (f"-{number}" if number > 2 else "")
        number += 1
    taken.add((entry.backend, name))
    return entry if name == entry.name else replace(entry, name=name)
