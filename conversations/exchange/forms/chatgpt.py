"""ChatGPT's conversations.json as an importer. Its form is read in `conversations/exchange/chatgpt`."""

from typing import Any

from conversations.exchange import chatgpt
from conversations.exchange.folder import make_folder
from conversations.exchange.form import Form, Source


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return "mapping" in item


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    made = chatgpt.convert(item, source.chatgpt)
    identity = str(made["extra"].get("gizmo_id"))
    if name := source.chatgpt.projects.get(identity):
        if identity not in source.folders:
            source.folders[identity] = make_folder(name, source.lose)
        source.folders[identity].members.append(made["id"])
    return made


FORM = Form("ChatGPT", recognizes, convert)
