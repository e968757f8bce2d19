"""What this program exports. Knows where its list stands; `schema` knows the rest."""

from collections.abc import Iterable, Iterator
from typing import Any

from conversations.exchange import schema
from conversations.exchange.form import Form, Source


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is a file of ours, or what stands around its conversations."""
    return item.get("format") == schema.FORMAT


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The conversations. Raises ExchangeError for another version, and without a list."""
    if source.around:
        schema.conversations_of(source.around)
        return iter(items)
    return (each for item in items for each in schema.conversations_of(item))


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation with every field. Raises ExchangeError."""
    return schema.validate_conversation(item)


FORM = Form("this program", recognizes, convert, gather)
