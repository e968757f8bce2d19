"""Which personas a caller may name, and how an unknown one is refused. Knows no route."""

import logging

from api.http.errors import ApiError
from conversations.store import Store, personas
from prompts import persona
from prompts.persona import Persona, PersonaNotFoundError

log = logging.getLogger(__name__)
LISTED = 5  # names in an error


def find_persona(store: Store, slug: str) -> Persona:
    """The caller's own persona with this slug, or everybody's. Raises ApiError 404 naming some."""
    available = personas.available(store)
    _warn(available.error)
    try:
        return persona.find(slug, available.personas)
    except PersonaNotFoundError as error:
        names = ", ".join(error.slugs[:LISTED])
        text = f"{error} There are {len(error.slugs)}: {names}, …"
        raise ApiError(404, text, code="persona_not_found", param="persona") from None


def other_persona(slug: str | None) -> Persona:
    """Any persona that everybody has but the one with this slug."""
    everybody, error = persona.load_all_or_shipped()
    _warn(error)
    return persona.random_other(everybody, slug)


def _warn(error: str | None) -> None:
    if error is not None:
        log.warning("data/personas is left out: %s", error)
