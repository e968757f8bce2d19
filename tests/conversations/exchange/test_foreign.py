"""Whatever JSON stands in another program's export: it becomes conversations that last, or one line says why not."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.exchange import ExchangeError, ParsedFile, export_conversation, import_all, parse, render_markdown
from tests.conversations.talk import mine

WORDS = st.text(max_size=12) | st.sampled_from(
    ["\ue200cite\ue202turn0\ue201", "<script>", "](x)", "\x00", "\ud800", "# "]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
ROLES = st.sampled_from(["user", "assistant", "system", "tool", "robot"]) | VALUES
IDS = st.sampled_from(["a", "b", "c", "d", "nowhere"])


def usually(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of these, and one time in ten anything."""
    return st.integers(0, 9).flatmap(lambda drawn: VALUES if drawn == 9 else st.one_of(*strategies))


def objects(*always: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of these fields, and always with those of these names."""
    others = {name: strategy for name, strategy in fields.items() if name not in always}
    return st.fixed_dictionaries({name: fields[name] for name in always}, optional=others)


KINDS = st.sampled_from(
    ["text", "multimodal_text", "code", "thoughts", "tether_quote", "computer_output", "app_pairing_content", "new"]
)
PARTS = usually(st.lists(WORDS | objects(content_type=WORDS | st.just("image_asset_pointer"), text=VALUES), max_size=3))
REFERENCES = st.lists(
    objects(matched_text=WORDS, items=PARTS, url=st.just("https://a.example"), title=VALUES), max_size=2
)
CONTENT = objects(
    "content_type",
    "parts",
    content_type=KINDS | VALUES,
    parts=PARTS,
    text=usually(WORDS),
    thoughts=PARTS,
    state=VALUES,
    workspaces=PARTS,
    screenshot=VALUES,
    url=VALUES,
    title=VALUES,
    language=VALUES,
)
METADATA = objects(
    attachments=PARTS,
    content_references=REFERENCES | VALUES,
    citations=VALUES,
    canvas=VALUES,
    model_slug=VALUES,
    aggregate_result=VALUES,
    finish_details=VALUES,
    is_visually_hidden_from_conversation=VALUES,
    other=VALUES,
)
CHATGPT_MESSAGE = objects(
    "author",
    "content",
    "metadata",
    author=usually(objects(role=ROLES, name=VALUES)),
    content=usually(CONTENT),
    metadata=usually(METADATA),
    create_time=VALUES,
    status=VALUES,
    recipient=VALUES,
    channel=VALUES,
)
CHATGPT_NODE = objects(
    "message",
    "parent",
    message=usually(CHATGPT_MESSAGE),
    parent=usually(IDS),
    children=usually(st.lists(IDS, max_size=2)),
)
CHATGPT = st.fixed_dictionaries(
    {"mapping": usually(st.dictionaries(IDS, usually(CHATGPT_NODE), min_size=1, max_size=4))},
    optional=dict.fromkeys(("id", "title", "create_time", "update_time", "current_node", "is_starred", "new"), VALUES),
)
OPENWEBUI_MESSAGE = objects(
    "role",
    "content",
    role=ROLES,
    content=usually(WORDS, PARTS),
    parentId=usually(IDS),
    childrenIds=VALUES,
    timestamp=VALUES,
    files=PARTS,
    output=PARTS,
    sources=PARTS,
    usage=VALUES,
    annotation=usually(objects(rating=VALUES, comment=VALUES)),
    error=VALUES,
)
OPENWEBUI = st.fixed_dictionaries(
    {
        "chat": usually(
            objects(
                "history",
                history=usually(
                    objects(messages=st.dictionaries(IDS, OPENWEBUI_MESSAGE, min_size=1, max_size=4), currentId=VALUES)
                ),
                messages=usually(st.lists(OPENWEBUI_MESSAGE, max_size=3)),
                models=VALUES,
                params=VALUES,
            )
        )
    },
    optional=dict.fromkeys(("id", "title", "created_at", "updated_at", "pinned", "meta", "new"), VALUES),
)


def read(items: list[Any]) -> tuple[ParsedFile | None, str]:
    """What a file of these holds, or why it is refused."""
    try:
        return parse(json.dumps(items).encode(), "x.json"), ""
    except ExchangeError as error:
        return None, str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(usually(CHATGPT), min_size=1, max_size=2) | st.lists(OPENWEBUI, min_size=1, max_size=2))
def test_whatever_stands_there(items: list[Any]) -> None:
    found, why = read(items)
    assert why.isprintable()
    if found is None:
        return
    assert len(found) + len(found.left_out) + found.empty == len(items)
    assert all(line.isprintable() for line in found.left_out)
    store = mine()
    report = import_all(store, found)
    for identity, conversation in zip(report.added, found, strict=False):
        if not report.skipped:
            assert export_conversation(store, identity) == {**conversation, "id": identity}
    for conversation in found:
        assert all(m["text"] or m["error"] or m.get("thinking") for m in conversation["messages"])
        assert "<script" not in render_markdown(conversation)
