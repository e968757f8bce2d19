"""Personas: small text files that say who the assistant is, those that ship and those in a user's own folder.

A file has the name that is shown, a one-line description, an empty line, then first-person sentences, one a line; its
file name is the slug. Knows no model, no page and no conversation: whoever wants a persona puts `system` in front.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prompts.atomic_file import atomic_write

SHIPPED_FOLDER = Path(__file__).with_name("personas")
USER_FOLDER = Path("data/personas")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SLUG = 80
SURROGATE = re.compile("[\ud800-\udfff]")
EMPTY = "an empty line"


@dataclass(frozen=True)
class Persona:
    """Who the assistant is; `foreign`: another program's file brought it, and a stranger may have written it.

    Raises ValueError for a slug that is no plain file name and for a text that is no line.
    """

    slug: str
    name: str
    description: str
    sentences: tuple[str, ...]
    foreign: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.slug) > LONGEST_SLUG or not SLUG.fullmatch(self.slug):
            raise ValueError(f"persona {self.slug!r}: a slug has a-z, 0-9 and single hyphens, {LONGEST_SLUG} at most")
        if not self.sentences:
            raise ValueError(f"persona {self.slug!r} has no sentence: add one such as 'I have two cats.'")
        for text in (self.name, self.description, *self.sentences):
            if text.strip() != text or text.splitlines() != [text] or SURROGATE.search(text):
                raise ValueError(f"persona {self.slug!r}: {text!r} is not one trimmed line of text that UTF-8 can hold")

    @property
    def system(self) -> str:
        """The sentences as one system prompt."""
        return " ".join(self.sentences)

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON has them; `foreign` where it is."""
        told = {**asdict(self), "sentences": list(self.sentences)}
        return told if self.foreign else {name: value for name, value in told.items() if name != "foreign"}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Persona":
        """The persona of what `to_dict` gave. Raises KeyError, ValueError."""
        texts = (fields["slug"], fields["name"], fields["description"], tuple(fields["sentences"]))
        return cls(*texts, foreign=fields.get("foreign") is True)


class PersonaNotFoundError(LookupError):
    """There is no persona `slug`; `slugs` are those that there are, in order."""

    def __init__(self, slug: str, slugs: Sequence[str]) -> None:
        super().__init__(f"There is no persona {slug!r}.")
        self.slug, self.slugs = slug, slugs


def find(slug: str, personas: Iterable[Persona]) -> Persona:
    """The persona with this slug, the last of several. Raises PersonaNotFoundError."""
    by_slug = {persona.slug: persona for persona in personas}
    if slug not in by_slug:
        raise PersonaNotFoundError(slug, sorted(by_slug))
    return by_slug[slug]


def load(folder: Path) -> list[Persona]:
    """The personas of a folder by name. Raises ValueError naming file, line and remedy; OSError without the folder."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder of personas")
    files = (path for path in folder.glob("*.txt") if not path.name.startswith("."))
    return _by_name(read(path) for path in files)


def load_all(*folders: Path) -> list[Persona]:
    """The shipped personas and those of `folders` (default: `data/personas`), by name; a later folder's slug wins."""
    present = (folder for folder in (SHIPPED_FOLDER, *(folders or (USER_FOLDER,))) if folder.is_dir())
    return _by_name({persona.slug: persona for folder in present for persona in load(folder)}.values())


def load_all_or_shipped() -> tuple[list[Persona], str | None]:
    """As `load_all`; where a file of `data/personas` is spoilt the shipped ones alone, and what is wrong with it."""
    try:
        return load_all(), None
    except (ValueError, OSError) as error:
        return load(SHIPPED_FOLDER), str(error)


def read(path: Path) -> Persona:
    """One file. Raises ValueError naming file, line and remedy."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    for number, (line, wanted) in enumerate(
        zip([*lines, "", "", "", ""], _expected_lines(len(lines)), strict=False), 1
    ):
        if bool(line) != (wanted != EMPTY):
            raise ValueError(f"{path}, line {number}: {wanted} is wanted here, not {line!r}")
    try:
        return Persona(path.stem, lines[0], lines[1], tuple(lines[3:]))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; rename or mend the file") from error


def _expected_lines(lines: int) -> list[str]:
    """What each line of a file has to be."""
    return ["the name", "a one-line description", EMPTY, *["a sentence such as 'I have two cats.'"] * max(1, lines - 3)]


def save(persona: Persona, folder: Path, overwrite: bool = False) -> Path:
    """Write the persona's file, whole or not at all. Raises FileExistsError where there is one, unless `overwrite`."""
    path = folder / f"{persona.slug}.txt"
    text = "\n".join([persona.name, persona.description, "", *persona.sentences, ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another name, or ask to overwrite it")
    with atomic_write(path) as part:
        part.write_bytes(text)
    return path


def random_other(personas: Sequence[Persona], slug: str | None) -> Persona:
    """Anybody but the one with this slug."""
    return random.choice([each for each in personas if each.slug != slug] or personas)


def slugify(text: str) -> str:
    """The text's words as a slug ("Marta, lighthouse keeper" -> "marta-lighthouse-keeper"); "persona" without any."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    slug = "-".join(re.findall("[a-z0-9]+", ascii_text))[: LONGEST_SLUG // 2]
    return slug.strip("-") or "persona"


def _by_name(personas: Iterable[Persona]) -> list[Persona]:
    return sorted(personas, key=lambda p: (p.name.casefold(), p.slug))
