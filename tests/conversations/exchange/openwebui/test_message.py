"""What stands in a message of Open WebUI's, old and new."""

import json
import time
from typing import Any

import pytest

from conversations.exchange import export_conversation, import_all, parse
from tests.conversations.talk import mine

THOUGHT = '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n&gt; I wonder\n</details>\n'


def chat(*said: dict[str, Any], **fields: Any) -> bytes:
    """A chat in which each message answers the one before."""
    names = [f"m{number}" for number in range(len(said))]
    tree = {
        name: {"id": name, "parentId": before, "timestamp": 1_780_000_000 + at} | each
        for at, (name, before, each) in enumerate(zip(names, [None, *names[:-1]], said, strict=True))
    }
    inner = {"history": {"messages": tree, "currentId": names[-1] if names else None}}
    return json.dumps([{"id": "one", "chat": inner | fields.pop("chat", {})} | fields]).encode()


def reply(**fields: Any) -> dict[str, Any]:
    """A reply with these fields, as ours; it is the same after an export."""
    [found] = parse(chat({"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"} | fields), "x")
    import_all(mine(), [found])
    assert export_conversation(mine(), "one") == found
    message: dict[str, Any] = found["messages"][1]
    return message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sources", [{"source": {"name": "notes.pdf"}, "document": ["its words"], "metadata": [{"page": 3}]}]),
        ("citations", [{"source": {"name": "notes.pdf"}, "document": ["its words"]}]),
        ("statusHistory", [{"action": "web_search", "description": "Searching", "urls": ["https://a.example"]}]),
        ("code_executions", [{"id": "1", "code": "f()", "result": {"output": "5"}}]),
        ("followUps", ["And then?"]),
        ("embeds", ["<html><script>alert(1)</script></html>"]),
        ("tool_calls", [{"id": "c", "function": {"name": "look", "arguments": "{}"}}]),
        ("originalContent", "before the edit"),
        ("a_field_of_tomorrow", {"deep": [1, {"deeper": None}]}),
        ("modelName", "Qwen"),
    ],
)
def test_what_stands_beside_a_reply_is_kept_by_its_name(field: str, value: Any) -> None:
    message = reply(**{field: value})
    assert message["extra"][field] == value
    assert message["text"] == "yes"


@pytest.mark.parametrize(
    ("sources", "references"),
    [
        ([{"source": {"name": "Page", "url": "https://a.example"}}], [("Page", "https://a.example")]),
        (
            [{"source": {"name": "found"}, "metadata": [{"source": "https://a.example/1"}]}],
            [("found", "https://a.example/1")],
        ),
        ([{"source": {}, "metadata": [{"url": "https://a.example/1"}]}], [("a.example", "https://a.example/1")]),
        ([{"source": {"name": "x", "url": "https://a.example"}}] * 2, [("x", "https://a.example")]),
        ([{"source": {"name": "notes.pdf"}, "metadata": [{"source": "notes.pdf"}]}], []),
        ([{"source": {"name": "x", "url": "javascript:alert(1)"}}], []),
        ([None, 7, {"source": "x"}, {"metadata": {"a": 1}}], []),
    ],
)
def test_pages_that_a_reply_was_made_from(sources: Any, references: list[tuple[str, str]]) -> None:
    found = (reply(sources=sources)["extra"] or {}).get("references", [])
    assert [(each["title"], each["url"]) for each in found] == references


ITEM = {"type": "reasoning", "content": [{"type": "output_text", "text": "I wonder"}]}


@pytest.mark.parametrize(
    ("fields", "milliseconds"),
    [
        ({"content": f"{THOUGHT}yes"}, 3000.0),
        ({"content": THOUGHT.replace("<details type", "<details id='1' type") + "yes"}, 3000.0),
        ({"content": THOUGHT.replace('"', "'") + "yes"}, 3000.0),
        ({"content": THOUGHT.replace(' duration="3"', "") + "yes"}, None),
        ({"content": THOUGHT.replace('"3"', '"0"') + "yes"}, None),
        ({"content": THOUGHT.replace('"3"', '"soon"') + "yes"}, None),
        ({"content": THOUGHT.replace("&gt; I", "I") + "yes"}, 3000.0),
        ({"content": THOUGHT.replace("<summary>Thought</summary>\n", "") + "yes"}, 3000.0),
        ({"content": f"{THOUGHT}yes", "output": [ITEM]}, 3000.0),
        ({"output": [ITEM]}, None),
        ({"output": [{**ITEM, "duration": 2.5}]}, 2500.0),
        ({"output": [{**ITEM, "duration": "long"}]}, None),
        ({"output": [{"type": "reasoning", "content": [], "summary": [{"text": "I wonder"}]}]}, None),
        ({"output": [{"type": "reasoning", "summary": "I wonder"}]}, None),
        ({"reasoning_content": "I wonder"}, None),
        ({"reasoning": "I wonder"}, None),
    ],
)
def test_what_was_thought_stands_with_its_reply(fields: dict[str, Any], milliseconds: float | None) -> None:
    message = reply(**fields)
    assert (message["text"].strip(), message["thinking"], message.get("thinking_ms")) == (
        "yes",
        "I wonder",
        milliseconds,
    )
    assert "I wonder" not in json.dumps(message["extra"])


def test_thoughts_are_joined_and_read_as_they_were_written() -> None:
    second = THOUGHT.replace("&gt; I wonder", "&gt; 1 &lt; 2 &amp;amp; so\n&gt;\n&gt; &gt; quoted")
    usage = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 5}}
    message = reply(content=f"{THOUGHT}one\n{second}two", usage=usage)
    assert message["thinking"] == "I wonder\n\n1 < 2 &amp; so\n\n> quoted"
    assert (message["thinking_ms"], message["thinking_tokens"], message["completion_tokens"]) == (6000.0, 5, 9)
    assert message["text"] == "one\ntwo"


def test_a_reply_that_only_thought_is_one_without_words() -> None:
    message = reply(content=THOUGHT, done=False)
    assert (message["role"], message["text"], message["thinking"]) == ("assistant", "", "I wonder")
    assert message["state"] == "interrupted"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"content": "yes" + THOUGHT.replace("reasoning", "code_interpreter")}, "I wonder"),
        ({"output": [{"type": "function_call", "name": "look", "arguments": "{}"}]}, "look"),
        ({"content": ["yes", {"type": "hologram", "colour": "blue"}, [["nested"]]]}, "blue"),
        ({"content": ["yes", ["nested"]]}, "nested"),
        ({"output": [{"type": "message", "content": [{"text": "another wording"}]}]}, "another wording"),
    ],
)
def test_calls_and_code_stand_beside_the_words(fields: dict[str, Any], words: str) -> None:
    message = reply(**fields)
    assert message["text"].strip() == "yes"
    assert words in json.dumps(message["extra"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"content": "", "tool_calls": [{"id": "call_1"}]}, "call_1"),
        ({"content": None, "statusHistory": [{"action": "web_search"}]}, "web_search"),
        ({"content": "", "code_executions": [{"code": "f()"}]}, "f()"),
        ({"content": {"not": "a text"}}, "a text"),
    ],
)
def test_what_has_no_words_is_shown_and_is_no_reply(fields: dict[str, Any], words: str) -> None:
    message = reply(**fields)
    assert message["role"] == "tool"
    assert message["text"].startswith("[without words]\n{")
    assert words in message["text"]
    assert words in json.dumps(message["extra"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"role": "robot"}, {"role": "tool"}),
        ({"role": []}, {"role": "assistant"}),
        ({"role": 7}, {"role": "tool"}),
        ({"content": 7}, {"text": "7"}),
        ({"content": ["a", {"type": "text", "text": "b"}, None]}, {"text": "a\nb"}),
        ({"timestamp": "2026-05-28T00:00:00Z"}, {"created": 1779926400.0}),
        ({"timestamp": 1779926400000}, {"created": 1779926400.0}),
        ({"timestamp": -1}, {"created": 1780000000.0}),
        ({"timestamp": "soon"}, {"created": 1780000000.0}),
        ({"model": 5}, {"model": None}),
        ({"done": False}, {"state": "interrupted"}),
        ({"error": {"content": "no memory"}}, {"state": "failed", "error": "no memory"}),
        ({"error": {"message": "no memory"}}, {"error": "no memory"}),
        ({"error": True}, {"error": "an error that is not described"}),
        ({"usage": {"input_tokens": 3, "output_tokens": 2**40}}, {"prompt_tokens": 3, "completion_tokens": None}),
        ({"usage": {"prompt_tokens": -4, "eval_count": 5}}, {"prompt_tokens": None, "completion_tokens": 5}),
        ({"usage": "many", "files": "none", "childrenIds": 3, "output": {"a": 1}}, {"text": "yes"}),
        (
            {"annotation": {"rating": 1, "reason": "clear"}},
            {"feedback": {"value": 1, "comment": "clear", "created": 1780000001.0}},
        ),
        ({"annotation": {"rating": 7}}, {"feedback": None}),
        ({"annotation": {"rating": {"a": 1}}}, {"feedback": None}),
    ],
)
def test_fields_of_another_type_or_name(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    message = reply(**fields)
    assert {name: message[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("outer", "kept"),
    [
        ({"archived": True}, {"archived": True}),
        ({"folder_id": "f"}, {"folder_id": "f"}),
        ({"meta": {"tags": ["birds"]}}, {"meta": {"tags": ["birds"]}}),
        ({"share_id": "s"}, {"share_id": "s"}),
        ({"chat": {"tags": ["birds"]}}, {"tags": ["birds"]}),
        ({"chat": {"models": ["a", "b"]}}, {"models": ["a", "b"]}),
        ({"chat": {"params": {"system": "x", "temperature": 0.3}}}, {"params": {"temperature": 0.3}}),
        ({"chat": {"files": [{"type": "collection", "name": "Birds"}]}}, {"files": ["Birds"]}),
        ({"chat": {"a_field_of_tomorrow": 1}}, {"a_field_of_tomorrow": 1}),
        ({"pinned": "yes", "title": 5}, {"pinned": "yes", "title": 5}),
        ({"chat": {"title": ["a"], "params": "none", "system": 7}}, {"title": ["a"], "params": "none", "system": 7}),
        ({"archived": False, "folder_id": None, "meta": {}}, {}),
    ],
)
def test_what_stands_beside_a_chat(outer: dict[str, Any], kept: dict[str, Any]) -> None:
    [found] = parse(chat({"role": "user", "content": "hi"}, **outer), "x")
    assert found["extra"] == {"source": "open-webui"} | kept


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("as_list", [True, False])
def test_the_oldest_ones_are_what_stands_under_chat(wrapped: bool, as_list: bool) -> None:
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    tree = {"a": said[0], "b": said[1] | {"parentId": "a"}}
    held = {"messages": said} if as_list else {"history": {"messages": tree, "currentId": "b"}}
    older = {"title": "Old", "models": ["mistral"], "system": "Be short.", "timestamp": 1780000000000} | held
    [found] = parse(json.dumps([{"chat": older} if wrapped else older]).encode(), "x")
    assert (found["title"], found["system"], found["created"]) == ("Old", "Be short.", 1780000000.0)
    assert [(m["parent"], m["text"], m["model"]) for m in found["messages"]] == [
        (None, "hi", None),
        (0, "yes", "mistral"),
    ]
    assert found["extra"] == {"source": "open-webui", "models": ["mistral"]}


def test_a_prompt_stands_once_without_the_blanks_around_it_and_what_stands_beside_it_is_kept() -> None:
    opening = {"role": "system", "content": "Be short.\n", "a_field_of_tomorrow": 1}
    fields = {"chat": {"title": "Old ", "system": " Be short."}, "title": " "}
    [found] = parse(chat(opening, {"role": "user", "content": "hi"}, **fields), "x")
    assert (found["title"], found["system"], [m["text"] for m in found["messages"]]) == ("Old", "Be short.", ["hi"])
    assert found["extra"]["system"] == [{"a_field_of_tomorrow": 1}]


def test_of_several_models_none_is_guessed() -> None:
    [found] = parse(chat({"role": "assistant", "content": "yes"}, chat={"models": ["a", "b"]}), "x")
    assert found["messages"][0]["model"] is None


def test_where_a_chat_has_no_time_its_messages_have() -> None:
    [found] = parse(chat({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}), "x")
    assert (found["created"], found["updated"]) == (1780000000.0, 1780000001.0)


def test_one_bad_chat_keeps_no_other_out() -> None:
    good = json.loads(chat({"role": "user", "content": "hi"}))[0]
    items = [good, {"chat": 5, "title": "Broken"}, None, {"chat": {}}, {"chat": {"history": {"messages": [good]}}}]
    found = parse(json.dumps(items).encode(), "x")
    assert [each["id"] for each in found][:1] == ["one"]
    assert found.left_out == [
        "conversation 2 ('Broken'): chat: should be an object (5)",
        "conversation 3 is null, not an object",
    ]
    assert found.empty == 2


def test_a_chat_a_line() -> None:
    lines = [json.dumps(json.loads(chat({"role": "user", "content": text}))[0] | {"id": text}) for text in ("a", "b")]
    assert [each["id"] for each in parse("\n".join(lines).encode(), "x.jsonl")] == ["a", "b"]


def test_blocks_with_much_before_their_type_take_no_time() -> None:
    text = "<details " * 50_000 + "<details " + "x " * 50_000
    begun = time.monotonic()
    [found] = parse(chat({"role": "assistant", "content": text}), "x")
    assert time.monotonic() - begun < 3
    assert found["messages"][0]["text"] == text
