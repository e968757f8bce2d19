"""The files that come with a message: which of them a model is to see, and which are read. Knows bytes; no message."""

from collections.abc import Sequence

from documents.kind import PICTURES, SNIFF_BYTES, binary_kind
from documents.pictures.picture import Picture, PictureError
from documents.pictures.prepare import check_count, looks_like_picture, prepare
from documents.pictures.settings import PictureSettings

NamedFile = tuple[str, bytes]


def is_shown(data: bytes) -> bool:
    """Whether a file is a picture that a model is to see; a TIFF has pages, which are read."""
    return looks_like_picture(data) and binary_kind(data[:SNIFF_BYTES]) != PICTURES["tiff"]


def split(files: Sequence[NamedFile]) -> tuple[tuple[NamedFile, ...], tuple[NamedFile, ...]]:
    """The pictures among some files, and the others."""
    shown = [is_shown(data) for _, data in files]
    pictures = tuple(each for each, is_picture in zip(files, shown, strict=True) if is_picture)
    return pictures, tuple(each for each, is_picture in zip(files, shown, strict=True) if not is_picture)


def prepare_all(files: Sequence[NamedFile]) -> tuple[tuple[Picture, ...], list[str]]:
    """The pictures in these files, and why some cannot be taken: a line each."""
    limits, taken, problems = PictureSettings.read(), list[Picture](), list[str]()
    try:
        check_count(len(files), limits)
    except PictureError as error:
        return (), [str(error)]
    for name, data in files:
        try:
            taken.append(prepare(name, data, limits))
        except PictureError as error:
            problems.append(str(error))
    return tuple(taken), problems
