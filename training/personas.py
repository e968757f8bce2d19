"""The personas of a user's dialogues, written as files that the picker offers beside the shipped ones.

Knows no corpus, no tokens and no file format: reading is a source's, the form of a file `prompts.persona`'s.
"""

import hashlib
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from prompts.persona import Persona, save, slugify
from training.dialogue import Dialogue, Item


def write_personas(items: Iterable[Item], folder: Path, limit: int = 20_000) -> int:
    """Write the first `limit` distinct personas, one file each, and return their number.

    The same persona gets the same file at every draw. Raises ValueError for a limit under 1, OSError where the folder
    cannot be written.
    """
    if limit < 1:
        raise ValueError(f"limit {limit}: at least 1 persona is wanted")
    seen: set[bytes] = set()
    for sentences in _persona_sentences(items):
        key = _key(sentences)
        if key not in seen:
            seen.add(key)
            save(_persona(sentences, key), folder, overwrite=True)
        if len(seen) == limit:
            break
    return len(seen)


def _persona_sentences(items: Iterable[Item]) -> Iterator[tuple[str, ...]]:
    """The sentences of every speaker who has any, each one trimmed line."""
    for item in items:
        for persona in item.personas if isinstance(item, Dialogue) else ():
            if sentences := tuple(line for sentence in persona if (line := _line(sentence))):
                yield sentences


def _line(text: str) -> str:
    """The text in one line; half characters, which no file can hold, become question marks."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _key(sentences: tuple[str, ...]) -> bytes:
    """Equal for the same sentences in any order and case."""
    text = "\n".join(sorted(sentence.casefold() for sentence in sentences))
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _persona(sentences: tuple[str, ...], key: bytes) -> Persona:
    name = _shortened(sentences[0], 40)
    description = _shortened(" ".join(sentences[1:]) or sentences[0], 100)
    return Persona(f"{slugify(name)}-{key.hex()}", name, description, sentences)


def _shortened(text: str, longest: int) -> str:
    """The text's first words, with a capital and without a full stop."""
    cut = textwrap.shorten(text, longest, placeholder=" …").rstrip(" .")
    shortened = cut if cut.strip("… ") else text[:longest].strip()
    return shortened[0].upper() + shortened[1:]
