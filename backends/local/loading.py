"""How far the loading of a model is, and whether anybody still waits for it.

Who starts it hands a `Loading` in (`use`); what loads, in the same thread, finds it there (`current`).
Knows fractions; no model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from langchain_core.exceptions import ModelError


class LoadCancelledError(ModelError):
    """Nobody waits for the model any more, so the rest of it was not loaded."""


class Loading:
    """One model on its way into memory; `fraction` is how much of it is there, from 0 to 1, read from any thread."""

    def __init__(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """`is_wanted`: a function that says whether anybody waits for it."""
        self._is_wanted = is_wanted
        self.fraction = 0.0

    def advance(self, fraction: float) -> bool:
        """Note how much is there; False where the loading is to end. Never raises: C calls it."""
        self.fraction = min(1.0, max(self.fraction, fraction))
        return self._is_wanted()

    def check(self, fraction: float) -> None:
        """Note how much is there. Raises LoadCancelledError where the loading is to end."""
        if not self.advance(fraction):
            raise LoadCancelledError("Nobody waits for this model any more: it was not loaded.")


_current: ContextVar[Loading | None] = ContextVar("loading", default=None)


def current() -> Loading:
    """The loading that this thread does; one that nobody looks at where it was not begun with `use`."""
    return _current.get() or Loading()


@contextmanager
def use(loading: Loading) -> Iterator[None]:
    """Have the block's thread load for this one."""
    token = _current.set(loading)
    try:
        yield
    finally:
        _current.reset(token)
