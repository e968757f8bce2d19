"""What TypingMind exports: chats with their folders, prompts and characters in one file. Knows that form and ours."""

from collections.abc import Iterator
from typing import Any

from conversations.exchange.chat import read_chat
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.personas import make_persona
from conversations.exchange.whole import build_conversation

TECHNICAL = ("preview", "tokenUsage", "syncedAt", "chatIDPrefix", "id", "messagesArray")


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its chats."""
    return "chatID" in item or ("chatTitle" in item and "messages" in item)


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    written = fields.take("messages")
    if not isinstance(written, list | None):
        raise ExchangeError(f"messages: should be a list ({preview(written)})")
    params, chosen = Fields(fields.object("chatParams")), fields.take("model")
    model = Fields(chosen).text("id", "modelID") if isinstance(chosen, dict) else chosen
    folder = fields.text("folderID")
    prompts = [params.text("systemMessage"), fields.text("systemMessage")]
    fields.drop(*TECHNICAL)
    return build_conversation(
        *read_chat(written or [], source, model if isinstance(model, str) else None),
        source="typingmind",
        ids=[fields.text("chatID")],
        title=fields.text("chatTitle", "title"),
        created=fields.time("createdAt"),
        updated=fields.time("updatedAt"),
        pinned=fields.flag("pinned", "isPinned"),
        system=prompts,
        extra={**fields.rest(), "folder": _folders(source).get(folder) or folder, "params": params.rest()},
    )


def _inside(source: Source) -> Fields:
    """What stands around the chats."""
    inner = source.around.get("data")
    return Fields(inner if isinstance(inner, dict) else source.around)


def _folders(source: Source) -> dict[str, str]:
    folders = [Fields(each) for each in _inside(source).items("folders")]
    return {each.text("id"): each.text("title", "name") for each in folders}


def beside(source: Source) -> Iterator[dict[str, Any]]:
    """No conversation; characters become personas, and prompts are not kept."""
    around = _inside(source)
    for character in (Fields(each) for each in around.items("userCharacters", "characters")):
        texts = [character.text("instruction", "prompt", "systemMessage")]
        make_persona(source, character.text("title", "name"), character.text("description"), texts)
    source.lose("prompts of the library", len(around.items("userPrompts", "prompts")))
    yield from ()


FORM = Form("TypingMind", recognizes, convert, beside=beside)
