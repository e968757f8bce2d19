"""Open WebUI's chats as an importer. Their form is read in `conversations/exchange/openwebui`."""

from typing import Any

from conversations.exchange import openwebui
from conversations.exchange.form import Form, Source


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    return openwebui.convert(item)


FORM = Form("Open WebUI", openwebui.is_chat, convert)
