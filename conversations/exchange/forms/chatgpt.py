"""ChatGPT's conversations.json as an importer. Its form is read in `conversations/exchange/chatgpt`."""

from typing import Any

from conversations.exchange import chatgpt
from conversations.exchange.form import Form, Source


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return "mapping" in item


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    return chatgpt.convert(item, source.chatgpt)


FORM = Form("ChatGPT", recognizes, convert)
