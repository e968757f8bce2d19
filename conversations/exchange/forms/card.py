"""A character's card (V1, V2, V3; JSON, or in a PNG): a persona, and a conversation that begins with its greetings.

Knows that form and ours. Each greeting is a branch.
"""

import re
from typing import Any

from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.personas import make_persona
from conversations.exchange.whole import build_conversation

OLDEST = {"name", "description", "first_mes"}
MACRO = re.compile(r"\{\{(char|bot|user)\}\}|<(CHAR|BOT|USER)>", re.IGNORECASE)
PERSON = "the user"  # whoever talks to the character
TEXTS = ("system_prompt", "description", "personality", "scenario", "mes_example", "post_history_instructions")
LABELS = {"personality": "Personality: ", "scenario": "Scenario: "}


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is a card."""
    spec = item.get("spec")
    return (isinstance(spec, str) and spec.startswith("chara_card")) or item.keys() >= OLDEST


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form, with the persona. Raises ExchangeError for a card without a name or a word."""
    outer = Fields(item)
    fields = Fields(outer.take("data") if isinstance(item.get("data"), dict) else item)
    name = fields.text("nickname") or fields.text("name")
    texts = {each: _spoken(fields.text(each), name) for each in TEXTS}
    comment = fields.text("creator_notes", "creatorcomment")
    persona = make_persona(
        source, name, comment, [f"You are {name}.", *(LABELS.get(n, "") + t for n, t in texts.items() if t)]
    )
    if persona is None or not any(texts.values()):
        raise ExchangeError("the card has no name, or describes nobody")
    greetings = [fields.take("first_mes"), *fields.items("alternate_greetings")]
    fields.drop("group_only_greetings")
    book = fields.object("character_book")
    source.lose("lorebooks, which stand beside the conversation and are told to no model", bool(book.get("entries")))
    source.lose("pictures of characters", len(fields.items("assets")))
    nodes = {str(n): Node(None, [], _greeting(_spoken(g, name)).message()) for n, g in enumerate(greetings)}
    return build_conversation(
        nodes,
        "0" if nodes["0"].message else None,
        source="character-card",
        title=name,
        created=fields.time("creation_date"),
        persona=persona.to_dict(),
        extra={**fields.rest(), "creator_notes": comment, "lorebook": book, "spec": outer.text("spec")},
    )


def _greeting(text: str) -> Draft:
    draft = Draft("assistant")
    draft.say(text)
    return draft


def _spoken(text: Any, name: str) -> str:
    """A text with the names that stand for others filled in."""
    filled = text if isinstance(text, str) else ""
    return MACRO.sub(lambda found: PERSON if (found[1] or found[2]).lower() == "user" else name, filled)


FORM = Form("a character's card", recognizes, convert)
