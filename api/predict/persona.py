"""Which personas a caller may name. Knows no route."""

import logging
from collections.abc import Mapping
from typing import Any

from api.http.errors import ApiError
from conversations.store import personas
from conversations.store.store import Store
from prompts import persona as files
from prompts.persona import Persona

log = logging.getLogger(__name__)
SOME = 5  # names in an error


def shipped() -> list[Persona]:
    """Those everybody has; where a file in data/personas is spoilt, which is logged, those of this program alone."""
    try:
        return files.load_all()
    except (ValueError, OSError) as error:
        log.warning("data/personas is left out: %s", error)
        return files.load(files.SHIPPED_FOLDER)


def named(store: Store, slug: str) -> Persona:
    """The caller's own persona, or everybody's. Raises ApiError 404 naming some."""
    known = {each.slug: each for each in [*shipped(), *personas.listing(store)]}
    if slug not in known:
        names = ", ".join(sorted(known)[:SOME])
        raise ApiError(
            404,
            f"There is no persona {slug!r}. There are {len(known)}: {names}, …",
            code="persona_not_found",
            param="persona",
        )
    return known[slug]


def another(than: Mapping[str, Any] | None) -> Persona:
    """Any of everybody's but the one a conversation keeps."""
    return files.random_other(shipped(), than["slug"] if than else None)
