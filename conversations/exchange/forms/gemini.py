"""A conversation of Gemini's as Takeout has it where it has whole ones: a file each. Knows that form and ours."""

from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.draft import Draft
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation, chain


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one."""
    return "conversation_turns" in item


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    drafts = []
    for turn in (Fields(each) for each in fields.items("conversation_turns")):
        asked, answered = turn.object("user_turn"), turn.object("system_turn")
        drafts += [_question(Fields(asked), source)] if asked else []
        drafts += [_reply(Fields(answered), source)] if answered else []
    return build_conversation(
        *chain(drafts),
        source="gemini",
        title=fields.text("title") or source.title,
        created=fields.time("creation_time"),
        updated=fields.time("last_modification_time"),
        extra=fields.rest(),
    )


def _question(turn: Fields, source: Source) -> Draft:
    draft = Draft("user", turn.time("turn_last_modified"))
    draft.say(turn.text("prompt"))
    _add_rest(draft, turn, source)
    return draft


def _reply(turn: Fields, source: Source) -> Draft:
    draft = Draft("assistant", turn.time("turn_last_modified"), turn.text("model") or None)
    for thought in (Fields(each) for each in turn.items("model_thoughts")):
        draft.think("\n\n".join(filter(None, (thought.text("headline"), thought.text("description")))))
    for part in (Fields(each) for each in turn.items("text")):
        draft.say(part.text("data"))
        for card in part.items("cards"):
            draft.say(Fields(card).text("content"))
    _add_rest(draft, turn, source)
    return draft


def _add_rest(draft: Draft, turn: Fields, source: Source) -> None:
    """Pictures and files by their names, and what else stands there."""
    for kind, names in (("image", turn.items("images")), ("file", turn.items("files", "attachments"))):
        for name in names:
            named = name if isinstance(name, str) else Fields(name).text("name", "file_name")
            attach(draft, source, kind, named, members=(named,))
    turn.drop("turn_index")
    draft.keep(turn.rest())


FORM = Form("Gemini", recognizes, convert)
