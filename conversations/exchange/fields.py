"""Fields of a foreign object, each as the type that is wanted, or absent. Knows JSON and times; no format.

What nobody took, and what is of another type than it should be, is the rest: it goes into `extra`, so that nothing is
lost. The data of a file that stands in the middle of it (`data:…;base64,…`) is cut: only names of files are kept.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from conversations.exchange.schema import MAX_DEPTH, MAX_TIMESTAMP

MAX_SECONDS = 1e11  # a time beyond it (the year 5138) is in milliseconds or finer
EXTRA_DEPTH = MAX_DEPTH - 6  # levels of a foreign value; above it stand the names that we give it in `extra`
DATA = re.compile(r"(data:[\w.+/-]*(?:;[\w.+=-]+)*;base64,)[A-Za-z0-9+/=_-]{64,}")

T = TypeVar("T")


class Fields:
    """The fields of a value that should be an object; each is taken once, under the first of its names."""

    def __init__(self, value: Any) -> None:
        self._left = dict(value) if isinstance(value, dict) else {}

    def take(self, *names: str) -> Any:
        """The first value that is not empty; None where there is none."""
        name = next((each for each in names if not is_empty(self._left.get(each))), None)
        return None if name is None else self._left.pop(name)

    def text(self, *names: str) -> str:
        """The first text that is not empty; else an empty one."""
        return self._typed(str, names)

    def object(self, *names: str) -> dict[str, Any]:
        """The first object that is not empty; else an empty one."""
        return self._typed(dict, names)

    def items(self, *names: str) -> list[Any]:
        """The first list that is not empty; else an empty one."""
        return self._typed(list, names)

    def flag(self, *names: str) -> bool:
        """Whether one of these is true."""
        return self._typed(bool, names)

    def time(self, *names: str) -> float | None:
        """The first time, in seconds since 1970; None where there is none."""
        found = next(((name, time) for name in names if (time := to_seconds(self._left.get(name))) is not None), None)
        if found is None:
            return None
        del self._left[found[0]]
        return found[1]

    def put(self, name: str, value: Any) -> None:
        """Give a field back, to be among the rest."""
        self._left[name] = value

    def drop(self, *names: str) -> None:
        """Leave out fields that say nothing to a reader."""
        for name in names:
            self._left.pop(name, None)

    def rest(self) -> dict[str, Any]:
        """The fields that were not taken and are not empty, as `extra` may hold them."""
        return {str(name): storable(value) for name, value in self._left.items() if not is_empty(value)}

    def _typed(self, wanted: type[T], names: tuple[str, ...]) -> T:
        for name in names:
            value = self._left.get(name)
            if isinstance(value, wanted) and value:
                del self._left[name]
                return value
        return wanted()


def is_empty(value: Any) -> bool:
    """Whether a value says nothing; a 0 does."""
    return value is None or value is False or value in ("", [], {})


def is_address(url: Any) -> bool:
    """Whether it is the address of a page."""
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        return False
    try:
        return bool(urlsplit(url).netloc)
    except ValueError:
        return False


def storable(value: Any, depth: int = EXTRA_DEPTH) -> Any:
    """A foreign value as `extra` may hold it: what is nested deeper than is kept becomes its JSON, as text.

    Raises RecursionError for what is nested too deep to be written.
    """
    if isinstance(value, dict | list) and depth == 0:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return {str(name): storable(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list):
        return [storable(each, depth - 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return DATA.sub(r"\1…", value) if isinstance(value, str) else value


def show_json(label: str, value: Any) -> str:
    """A value that nobody knows how to show, as its JSON under a label."""
    return f"[{label}]\n{json.dumps(storable(value), ensure_ascii=False, indent=2)}"


def to_seconds(time: Any) -> float | None:
    """Seconds since 1970 of a number of seconds, milli-, micro- or nanoseconds, or of a date in ISO 8601.

    None for what is no time, is before 1970 or after the year 9999.
    """
    if isinstance(time, str):
        time = _parse_time(time.strip())
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    try:
        seconds = float(time)
    except OverflowError:
        return None
    while MAX_SECONDS < seconds < math.inf:
        seconds /= 1000
    return seconds if 0 <= seconds <= MAX_TIMESTAMP else None


def _parse_time(text: str) -> float | None:
    """A date without a zone is taken as UTC."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
