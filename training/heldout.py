"""Held-out dialogues, read as they stand from what the user names. Knows sources; no tokens and no model."""

import gzip
import zlib
from pathlib import Path

from training import sources
from training.dialogue import Dialogue
from training.sources import personachat


def read_dialogues(names: list[str]) -> list[Dialogue]:
    """The dialogues of every PATH or SOURCE=PATH. Raises ValueError, OSError in one line that names it."""
    return [dialogue for name in names for dialogue in _source_dialogues(name)]


def _source_dialogues(name: str) -> list[Dialogue]:
    source, path = _parse_source(name)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: --data wants a file of dialogues, or SOURCE=PATH")
    if (path / "dataset_dict.json").exists() or (path / "dataset_info.json").exists():
        raise ValueError(f"{path} holds token ids, which suit one tokenizer: name the dialogues they were made from")
    try:
        # PersonaChat's file holds what models are trained on, too.
        items = personachat.held_out(path) if source == "personachat" else sources.read(source, path)
        dialogues = [item for item in items if isinstance(item, Dialogue)]
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as {source}: {error}") from error
    if not any(dialogue.turns for dialogue in dialogues):
        raise ValueError(f"{path} holds no dialogue (read as {source})")
    return dialogues


def _parse_source(name: str) -> tuple[str, Path]:
    """Which source reads it: said, or told by the file's name."""
    source, equals, path = name.partition("=")
    if equals and source in sources.names():
        return source, Path(path)
    is_personachat = name.endswith(".json") and not _is_list(Path(name))
    return "personachat" if is_personachat else "dialogues", Path(name)


def _is_list(path: Path) -> bool:
    """Whether a file of JSON holds a list, as no file of PersonaChat's does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
