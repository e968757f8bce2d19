"""Thoughts of ChatGPT's stand with the reply that they led to, with their time; none is lost."""

import time
from typing import Any

import pytest

from conversations.exchange import export_conversation, import_all, parse, render_markdown
from tests.conversations.exchange.made import chatgpt, node
from tests.conversations.talk import mine


def thought(parent: str | None, *words: Any, **metadata: Any) -> dict[str, Any]:
    """A node of thoughts."""
    content = {"content_type": "thoughts", "thoughts": list(words)}
    return written(parent, content, **metadata)


def recap(parent: str | None, text: str = "Thought for 4s", **metadata: Any) -> dict[str, Any]:
    """A node that says how long."""
    return written(parent, {"content_type": "reasoning_recap", "content": text}, **metadata)


def written(parent: str | None, content: Any, **metadata: Any) -> dict[str, Any]:
    said = {"author": {"role": "assistant"}, "content": content, "metadata": metadata}
    return {"message": said, "parent": parent, "children": []}


def messages(**nodes: Any) -> list[dict[str, Any]]:
    """The messages of these nodes, which are the same after an export."""
    [found] = parse(chatgpt(nodes, id="one"), "x")
    (identity,) = import_all(mine(), [found]).added
    assert export_conversation(mine(), identity) == {**found, "id": identity}
    listed: list[dict[str, Any]] = found["messages"]
    return listed


A = {"summary": "Weighing", "content": "How much?"}
B = {"summary": "", "content": "A kilo."}


def test_they_stand_with_the_reply_that_they_led_to() -> None:
    tool = node("b", "5", role="tool")
    found = messages(
        q=node(None), a=thought("q", A), b=recap("a"), t=tool, c=thought("t", B), d=recap("c", "Thought for 1m 2s"),
        r=node("d", "Yes.", role="assistant"),
    )  # fmt: skip
    assert [(m["role"], m["text"], m["parent"]) for m in found] == [
        ("user", "hi", None),
        ("tool", "5", 0),
        ("assistant", "Yes.", 1),
    ]
    assert (found[2]["thinking"], found[2]["thinking_ms"]) == ("Weighing\nHow much?\n\nA kilo.", 66_000.0)
    assert "> Weighing\n> How much?" in render_markdown(export_conversation(mine(), "one"))


def test_of_several_replies_the_first_has_them_and_no_question_does() -> None:
    found = messages(
        q=node(None), a=thought("q", A), r=node("a", "One.", role="assistant"), s=node("a", "Two.", role="assistant"),
        u=node("r", "And?"), b=thought("u", B), v=node("b", "Never mind."), w=node("v", "Well.", role="assistant"),
    )  # fmt: skip
    thoughts = {m["text"]: m.get("thinking") for m in found}
    assert thoughts == {
        "hi": None, "One.": "Weighing\nHow much?", "Two.": None, "And?": None, "": "A kilo.", "Never mind.": None,
        "Well.": None,
    }  # fmt: skip


def test_thoughts_without_a_reply_are_one_without_a_word() -> None:
    found = messages(q=node(None), a=thought("q", A), b=thought("a", B))
    assert [(m["role"], m["text"], m["state"]) for m in found] == [
        ("user", "hi", "done"),
        ("assistant", "", "interrupted"),
    ]
    assert found[1]["thinking"] == "Weighing\nHow much?\n\nA kilo."


@pytest.mark.parametrize(
    ("text", "metadata", "milliseconds"),
    [
        ("Thought for 4s", {}, 4000.0),
        ("Thought for 1m 5s", {}, 65_000.0),
        ("Thought for 2h 1m", {}, 7_260_000.0),
        ("Thought for 12 seconds", {}, 12_000.0),
        ("Reasoned", {"finished_duration_sec": 7}, 7000.0),
        ("Thought for 4s", {"finished_duration_sec": 3.5}, 3500.0),
        ("Thought for 4s", {"finished_duration_sec": "many"}, 4000.0),
        ("Thought for a while", {}, None),
        ("Thought for 0s", {}, None),
    ],
)
def test_how_long_it_took(text: str, metadata: dict[str, Any], milliseconds: float | None) -> None:
    found = messages(q=node(None), a=thought("q", A), b=recap("a", text, **metadata), r=node("b", "Yes.", "assistant"))
    assert found[1].get("thinking_ms") == milliseconds
    if milliseconds is None and "0s" not in text:
        assert found[1]["extra"] == {"thoughts": [{"text": text}]}


@pytest.mark.parametrize(
    ("words", "thinking"),
    [
        ([{"summary": "only this", "content": ""}], "only this"),
        ([{"summary": "A", "content": "", "chunks": ["d", "e"]}], "A\nde"),
        (["bare"], "bare"),
    ],
)
def test_each_way_to_write_them(words: list[Any], thinking: str) -> None:
    assert messages(a=thought(None, *words), r=node("a", "Yes.", role="assistant"))[0]["thinking"] == thinking


def test_what_stands_beside_them_is_kept_and_hidden_ones_stay_hidden() -> None:
    found = messages(a=thought(None, {**B, "confidence": "low"}), r=node("a", "Yes.", role="assistant"))
    assert found[0]["extra"] == {"thoughts": [{"content": {"thoughts": [{"confidence": "low"}]}}]}
    hidden = thought(None, A, is_visually_hidden_from_conversation=True)
    found = messages(a=hidden, r=node("a", "Yes.", role="assistant"))
    assert [(m["role"], m.get("thinking")) for m in found] == [("tool", None), ("assistant", None)]
    assert found[0]["extra"]["hidden"] is True


def test_many_thoughts_before_many_replies_take_no_time() -> None:
    chain = {f"t{n}": thought(f"t{n - 1}" if n else None, B) for n in range(2000)}
    replies = {f"r{n}": node("t1999", "Yes.", role="assistant") for n in range(2000)}
    begun = time.monotonic()
    [found] = parse(chatgpt({**chain, **replies}), "x")
    assert time.monotonic() - begun < 10
    assert len(found["messages"]) == 2000
