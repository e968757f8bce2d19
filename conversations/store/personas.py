"""The personas that an owner saved, and all that he may choose from. Knows their table; no page and no model."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Delete, delete, select

from conversations.store.schema import SavedPersona
from conversations.store.store import Store
from conversations.store.text import MessageError, clean
from prompts import persona as files
from prompts.persona import Persona, slugify

MAX_CHARACTERS = 20_000  # characters of all sentences together


class Available(NamedTuple):
    """What an owner may choose from: `personas` by name, of which `own` are his; `error` names a spoilt file."""

    personas: list[Persona]
    own: list[Persona]
    error: str | None


def available(store: Store) -> Available:
    """Everybody's personas and the owner's, which hide others with their slugs."""
    own, (everybody, error) = listing(store), files.load_all_or_shipped()
    by_slug = {persona.slug: persona for persona in (*everybody, *own)}
    return Available(_by_name(by_slug.values()), own, error)


def listing(store: Store) -> list[Persona]:
    """The owner's personas by name."""
    query = select(SavedPersona).where(SavedPersona.owner == store.owner)
    with store.database.reading() as session:
        rows = session.scalars(query)
        personas = [Persona(p.slug, p.name, p.description, tuple(p.sentences), foreign=p.imported) for p in rows]
    return _by_name(personas)


def _by_name(personas: Iterable[Persona]) -> list[Persona]:
    return sorted(personas, key=lambda p: (p.name.casefold(), p.slug))


def save(store: Store, persona: Persona) -> None:
    """Save a persona; one of the owner's with the same slug is replaced."""
    with store.database.writing() as session:
        session.execute(_matching(store, persona.slug))
        session.add(
            SavedPersona(
                owner=store.owner,
                slug=persona.slug,
                name=persona.name,
                description=persona.description,
                sentences=list(persona.sentences),
                created=time.time(),
                imported=persona.foreign,
            )
        )


def remove(store: Store, slug: str) -> None:
    """Remove a persona of the owner; conversations with it keep it."""
    with store.database.writing() as session:
        session.execute(_matching(store, slug))


def _matching(store: Store, slug: str) -> Delete:
    return delete(SavedPersona).where(SavedPersona.owner == store.owner, SavedPersona.slug == slug)


def parse(name: str, description: str, sentences: str) -> Persona:
    """A persona as somebody types it, a sentence to a line. Raises MessageError saying what is wrong."""
    lines = [line for each in clean(sentences).splitlines() if (line := " ".join(each.split()))]
    if sum(map(len, lines)) > MAX_CHARACTERS:
        raise MessageError(f"The sentences have more than {MAX_CHARACTERS:,} characters together: leave some out.")
    name_line, description_line = " ".join(clean(name).split()), " ".join(clean(description).split())
    if not name_line or not lines:
        raise MessageError("A persona needs a name and at least one sentence, such as 'I have two cats.'")
    try:
        return Persona(slugify(name_line), name_line, description_line or lines[0], tuple(lines))
    except ValueError as error:
        raise MessageError(str(error)) from error
