"""Who answers: the personas of files, found by their slug. Knows files; no conversation and no screen."""

import random
from collections.abc import Iterable
from difflib import get_close_matches

from prompts import persona
from prompts.persona import Persona, PersonaNotFoundError
from settings import SettingsError


def list_personas() -> dict[str, Persona]:
    """The personas that ship and those in data/personas, by slug. Raises SettingsError for a file that is none."""
    try:
        return {each.slug: each for each in persona.load_all()}
    except (ValueError, OSError) as error:
        raise SettingsError(str(error)) from error


def find(slug: str) -> Persona:
    """The persona of this slug, any for `random`. Raises SettingsError that suggests near ones."""
    personas = list_personas()
    if slug == "random":
        return random.choice(list(personas.values()))
    try:
        return persona.find(slug, personas.values())
    except PersonaNotFoundError as error:
        raise SettingsError(f"{error}{suggest(slug, error.slugs)} `/persona` in a chat lists all.") from error


def check_exclusive(system: str | None, slug: str | None) -> None:
    """Raises SettingsError where both options are given."""
    if system is not None and slug is not None:
        raise SettingsError("--system and --persona: give one of the two, each stands for the system prompt.")


def suggest(word: str, candidates: Iterable[str]) -> str:
    """A sentence that names what may be meant, with a space before it; empty where nothing is near."""
    matches = get_close_matches(word, list(candidates), n=3, cutoff=0.5)
    return f" Near: {', '.join(matches)}." if matches else ""
