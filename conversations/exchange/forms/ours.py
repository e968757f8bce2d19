"""What this program exports. Knows where its list stands; `schema` knows the rest."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conversations.exchange import schema
from conversations.exchange.form import Form, Source
from conversations.exchange.project import validate_project


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is a file of ours, or what stands around its conversations."""
    return item.get("format") == schema.FORMAT


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The conversations. Raises ExchangeError for another version, and without a list."""
    if source.around:
        _read_project(source.around, source)
        schema.conversations_of(source.around)
        return iter(items)
    return _conversations(items, source)


def _conversations(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """Those of each file of ours."""
    for item in items:
        _read_project(item, source)
        yield from schema.conversations_of(item)


def _read_project(around: Mapping[str, Any], source: Source) -> None:
    """Note the project that the conversations are in. Raises ExchangeError for one that cannot be read."""
    if around.get("project") is not None:
        source.project = validate_project(around["project"])


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation with every field. Raises ExchangeError."""
    return schema.validate_conversation(item)


FORM = Form("this program", recognizes, convert, gather)
