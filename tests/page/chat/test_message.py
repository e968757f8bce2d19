"""A message that an import brought, as the page draws it."""

from conversations.exchange import import_conversation
from tests.conversations.exchange.made import chain, message
from tests.conversations.talk import mine
from tests.page.test_app import page, texts

PAGES = [
    {"title": "Lamps *and* lights", "url": "https://a.example/(1)"},
    {"title": "no page", "url": "javascript:alert(1)"},
    "wrong",
]


def test_what_stands_beside_a_reply_is_drawn_and_a_hidden_message_is_not() -> None:
    beside = {
        "references": PAGES,
        "attachments": [{"kind": "image", "name": "lamp.png", "prompt": "a red lamp"}],
        "reasoning": ["I think so."],
    }
    messages = [
        message(0, text="What is red?"),
        message(1, 0, "user", text="a secret", extra={"hidden": True}),
        message(2, 1, "assistant", text="A lamp.", extra=beside),
    ]
    identity = import_conversation(mine("me"), chain(0) | {"messages": messages})
    app = page({"c": identity}, "me")
    assert not app.exception
    assert texts(app) == ["What is red?", "I think so.", "A lamp."]
    captions = [str(each.value) for each in app.main.caption]
    assert ":material/attach_file: lamp.png (a red lamp)" in captions
    assert any(r"[Lamps \*and\* lights](https://a.example/%281%29) · no page" in each for each in captions)
