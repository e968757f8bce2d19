"""What a careless export has twice, or where nobody looks for it, is kept."""

import json
from typing import Any

import pytest

from conversations.exchange import parse

TWO = ["first", "second"]
CLAUDE = [{"uuid": "a", "parent_message_uuid": "b", "sender": "human", "text": text} for text in TWO]
LLAMA = [{"id": None, "role": "user", "content": text} for text in TWO]
CHATUI = [{"id": "a", "from": "user", "content": text, "ancestors": ["b"]} for text in TWO]


def read(item: dict[str, Any]) -> dict[str, Any]:
    [found] = parse(json.dumps([item]).encode(), "x.json")
    return found


@pytest.mark.parametrize(
    "item", [{"chat_messages": CLAUDE}, {"conv": {"id": "c"}, "messages": LLAMA}, {"messages": CHATUI}]
)
def test_of_two_messages_with_one_id_none_is_lost(item: dict[str, Any]) -> None:
    assert [message["text"] for message in read(item)["messages"]] == TWO


def test_what_came_of_a_call_is_with_the_reply_that_asked_whoever_says_it() -> None:
    call = {"role": "model", "functionCall": {"id": "1", "name": "tide", "args": {"at": "noon"}}}
    answer = {"role": "user", "functionResponse": {"id": "1", "response": {"height": 2}}}
    words = [{"role": "user", "text": "How high?"}, call, answer, {"role": "model", "text": "Two metres."}]
    [asked, reply] = read({"chunkedPrompt": {"chunks": words}})["messages"]
    assert (asked["text"], reply["text"]) == ("How high?", "Two metres.")
    assert [(each["name"], each["result"], each["status"]) for each in reply["calls"]] == [
        ("tide", '{"height": 2}', "done")
    ]
    found = parse(json.dumps({"chunkedPrompt": {"chunks": [answer, *words[:1]]}}).encode(), "x.json")
    assert found.notes == ["of AI Studio, not kept: results of tools that no reply asked for (1)"]


def test_what_came_of_no_call_stands_beside_the_reply() -> None:
    updates = [{"type": "tool", "subtype": "result", "uuid": "1", "result": {"outputs": [{"tide": 2}]}}]
    said = [
        {"id": "a", "from": "user", "content": "How high?"},
        {"from": "assistant", "content": "Two.", "updates": updates},
    ]
    assert read({"messages": said})["messages"][1]["extra"] == {"results": [[{"tide": 2}]]}
