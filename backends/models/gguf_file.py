"""A GGUF file as an entry of the catalogue, with its other parts and its projector. Reads headers; loads nothing."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from backends.llama.diagnosis import POOLED, load_error
from backends.llama.header import Header, HeaderError, read_header
from backends.llama.parts import parse_name
from backends.llama.projector_file import choose, is_projector
from backends.models.abilities import read_template
from backends.models.card import read_licence
from backends.models.entry import Ability, Entry, Origin

BACKEND = "llamacpp"
BESIDE = ("adapter", "controlvector", "imatrix")  # what lies beside models and is none
UNREADABLE = Header(0, {}, (), 0)


class Found(NamedTuple):
    """What reading a file told: its header, an empty one where it has none, and why it cannot be loaded."""

    header: Header
    problem: str | None

    @property
    def kind(self) -> str:
        """What the file says that it is; "model" where it says nothing else."""
        names = {self.header.text("general.type"), self.header.architecture}
        return "projector" if is_projector(self.header) else next((name for name in BESIDE if name in names), "model")


def read_file(path: Path) -> Found:
    """What a file tells; read again only after it, or another part of it, changed. Raises OSError."""
    part = parse_name(path.name)
    files = map(path.with_name, part.all()) if part else [path]
    return _read(path, tuple((s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files if file.is_file())))


@lru_cache(maxsize=512)
def _read(path: Path, state: tuple[tuple[int, int], ...]) -> Found:
    try:
        header = read_header(path)
    except (HeaderError, ValueError):  # ValueError: an empty file cannot be mapped
        header = UNREADABLE
    return Found(header, load_error(path))


def gguf_entries(paths: Sequence[Path], origin: Origin, names: dict[Path, str]) -> list[Entry]:
    """The models among GGUF files of one folder; parts and projectors belong to the model they come with."""
    found = {path: told for path in paths if (told := _try_read(path)).kind not in BESIDE}
    projectors = [path for path, told in found.items() if told.kind == "projector"]
    models = [path for path, told in found.items() if told.kind == "model" and _is_first(path, found)]
    return [gguf_entry(path, origin, names[path], choose(path, projectors)) for path in models]


def _try_read(path: Path) -> Found:
    try:
        return read_file(path)
    except OSError as error:
        return Found(UNREADABLE, f"cannot be read: {error.strerror}")


def _is_first(path: Path, found: dict[Path, Found]) -> bool:
    """Whether a file is no other part of a split model whose first part is there."""
    part = parse_name(path.name)
    return part is None or part.number == 1 or path.with_name(part.all()[0]) not in found


def gguf_entry(path: Path, origin: Origin, name: str, projector: Path | None = None, licence: str = "") -> Entry:
    """The model of a file, of a split one the first part."""
    header, problem = _try_read(path)
    part = parse_name(path.name)
    files = tuple(each for each in map(path.with_name, part.all() if part else [path.name]) if each.is_file())
    template = header.text("tokenizer.chat_template")
    return Entry(
        name,
        BACKEND,
        origin,
        path,
        (*files, *((projector,) if projector else ())),
        sum(each.stat().st_size for each in (*files, *((projector,) if projector else ()))),
        header.architecture,
        _parameters(header, files),
        header.quantization,
        header.window,
        header.licence or licence or read_licence(path.parent),
        bool(template),
        _abilities(header, template, projector),
        projector,
        None if problem and _embeds(header) else problem,
    )


def _parameters(header: Header, files: Sequence[Path]) -> int:
    """The weights of all parts."""
    return header.parameters + sum(_try_read(path).header.parameters for path in files[1:])


def _embeds(header: Header) -> bool:
    """Whether it makes a vector of a text."""
    pooling = header.integer(f"{header.architecture}.pooling_type", 0)
    causal = header.metadata.get(f"{header.architecture}.attention.causal", True)
    return bool(header.architecture) and pooling != POOLED[-1] and (pooling in POOLED or not causal)


def _abilities(header: Header, template: str, projector: Path | None) -> frozenset[Ability]:
    if _embeds(header):
        return frozenset({Ability.EMBED})
    return read_template(template) | ({Ability.SEE} if projector else frozenset())
