"""The personas that somebody saved for himself. Knows their table; nothing of files, pages or models."""

import time

from sqlalchemy import Delete, delete, select

from conversations.store.schema import SavedPersona
from conversations.store.store import Store
from conversations.store.text import MessageError, clean
from prompts.persona import Persona, slugify

MAX_CHARACTERS = 20_000  # characters of all sentences together


def listing(store: Store) -> list[Persona]:
    """The owner's personas by name."""
    query = select(SavedPersona).where(SavedPersona.owner == store.owner)
    with store.database.reading() as session:
        personas = [Persona(p.slug, p.name, p.description, tuple(p.sentences)) for p in session.scalars(query)]
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
    shown, about = " ".join(clean(name).split()), " ".join(clean(description).split())
    if not shown or not lines:
        raise MessageError("A persona needs a name and at least one sentence, such as 'I have two cats.'")
    try:
        return Persona(slugify(shown), shown, about or lines[0], tuple(lines))
    except ValueError as error:
        raise MessageError(str(error)) from error
