"""How much the models of a conversation are to think: checked against the model before it is kept, and in words.

Knows backends by name; no page and no table.
"""

import backends
from backends import UnsupportedOptionError
from settings import Settings

USUAL = "usual"  # for people: as much as the model does by itself


def known_efforts(backend: str | None, model: str | None = None) -> tuple[str, ...]:
    """What can be chosen with a backend, or with another model of its server, as far as it is loaded."""
    return backends.effort.known_efforts(backends.loaded_model(backend or ""), model)


def check_effort(settings: Settings, backend: str, effort: str, model: str | None = None) -> None:
    """Raise UnsupportedOptionError where the model does not know this effort, which loads it; ModelError kinds."""
    known = backends.effort.known_efforts(backends.load(backend, settings), model)
    if effort in known or (effort == backends.effort.OFF and not known):
        return
    what = f"it knows {backends.effort.describe(known)}" if known else "it does not think, or is not told how much"
    raise UnsupportedOptionError("reasoning_effort", f"{effort}: {model or backend} is not asked to think so: {what}.")


def describe(effort: str | None) -> str:
    """An effort as people write it."""
    return USUAL if effort is None else backends.effort.describe([effort])
