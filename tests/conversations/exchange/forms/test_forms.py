"""Other programs' exports: each is recognised by what stands in it, and what has no place here is said."""

import io
import json
from typing import Any

import pytest

from conversations.exchange import ExchangeError, ParsedFile, export_conversation, import_all, parse, render_markdown
from conversations.exchange.forms import FORMS
from conversations.exchange.parsed import parse_stream
from tests.conversations.exchange.made import FIXTURES
from tests.conversations.talk import mine

Row = tuple[int | None, str, str]
# Of the first conversation each message: the one before, who wrote it, and its text.
EXPECTED: dict[str, tuple[str, int, list[Row]]] = {
    "claude.json": (
        "Claude",
        1,
        [
            (None, "user", "When was the lamp lit?\n\nlog.txt:\n\n```\n1811: the lamp is lit\n```"),
            (0, "assistant", "I look it up.\n\nIt was lit in 1811."),
            (0, "assistant", "In 1812, I think."),
            (2, "user", "Are you sure?"),
        ],
    ),
    "librechat-flat.json": (
        "LibreChat",
        1,
        [
            (None, "user", "How high is the tower?"),
            (0, "assistant", "I measure.\n\n35 metres."),
            (1, "user", "Thank you"),
            (2, "assistant", "the server is away"),
            (0, "assistant", "About 40 metres."),
        ],
    ),
    "chatui.json": (
        "HF chat-ui",
        1,
        [
            (None, "user", "Why do gulls cry?"),
            (0, "assistant", "To call each other."),
            (0, "assistant", "They are hungry."),
        ],
    ),
    "llamacpp.json": (
        "llama.cpp's page",
        1,
        [
            (None, "user", "When is high tide?\n\ntides.txt:\n\n```\nhigh 06:10\n```"),
            (0, "assistant", "At 06:10."),
            (1, "user", "And low?"),
            (2, "assistant", "At 12:20."),
            (0, "assistant", "I do not know."),
        ],
    ),
    "lmstudio.json": (
        "LM Studio",
        1,
        [(None, "user", "Name my boat."), (0, "assistant", "Marta"), (0, "assistant", "Call her Petrel.")],
    ),
    "gemini.json": (
        "Gemini",
        1,
        [(None, "user", "Which knot holds a boat?"), (0, "assistant", "A cleat hitch.\n\nOn a cleat.")],
    ),
    "takeout.json": (
        "Gemini's Takeout",
        2,
        [
            (None, "user", "Where do puffins sleep?"),
            (0, "assistant", "In *burrows*:\n\n```\nburrow\n```"),
            (1, "user", "And in winter?"),
            (2, "assistant", "They **stay**.\n\n- on the cliff\n- in the bay"),
        ],
    ),
    "aistudio.json": (
        "AI Studio",
        1,
        [
            (None, "user", "What is this fish?"),
            (0, "assistant", "A mackerel."),
            (1, "user", "Compute 2 + 2"),
            (2, "assistant", "```python\nprint(2 + 2)\n```\n\n```\n4\n```\n\nIt is 4."),
        ],
    ),
    "typingmind.json": (
        "TypingMind",
        1,
        [(None, "user", "How long does it rise?"), (0, "assistant", "An hour.")],
    ),
    "sillytavern.jsonl": (
        "SillyTavern",
        1,
        [
            (None, "assistant", "Who is there?"),
            (None, "assistant", "Good evening, Ines."),
            (1, "user", "Is the lamp lit?"),
            (2, "assistant", "It is."),
            (3, "system", "The wind rises."),
        ],
    ),
    "card-v2.json": (
        "a character's card",
        1,
        [(None, "assistant", "Good evening, the user."), (None, "assistant", "Who is there?")],
    ),
    "sharegpt.json": ("ShareGPT", 2, [(None, "user", "Is the ferry late?"), (0, "assistant", "By ten minutes.")]),
    "messages.json": (
        "messages (plain, or for fine-tuning)",
        1,
        [(None, "user", "Where do we land?"), (0, "assistant", "On runway 27.")],
    ),
    "finetuning.jsonl": (
        "messages (plain, or for fine-tuning)",
        6,
        [(None, "user", "Colour of coal?"), (0, "assistant", "Black.")],
    ),
    "deepseek.json": (
        "DeepSeek",
        1,
        [(None, "user", "Does moss sleep?"), (0, "assistant", "It rests when dry.")],
    ),
}
SAME = {"librechat-tree.json": "librechat-flat.json"} | dict.fromkeys(
    ("llamacpp.jsonl", "llamacpp-database.json"), "llamacpp.json"
)
ALL = sorted([*EXPECTED, *SAME])


def data_of(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def found_in(name: str) -> ParsedFile:
    return parse(data_of(name), name)


def first(name: str) -> dict[str, Any]:
    return found_in(name)[0]


def slowly(data: bytes, name: str) -> ParsedFile:
    """The conversations, read an item at a time as if the file were large."""
    return parse_stream(io.BytesIO(data), len(data), name, whole=0)


@pytest.mark.parametrize("name", ALL)
def test_each_is_recognised_by_what_stands_in_it(name: str) -> None:
    form, count, rows = EXPECTED[SAME.get(name, name)]
    found = parse(data_of(name), "conversations.json")
    assert (found.forms, len(found), found.left_out) == ([form], count, [])
    assert [(m["parent"], m["role"], m["text"]) for m in found[0]["messages"]] == rows


@pytest.mark.parametrize("name", ALL)
def test_an_item_at_a_time_it_is_the_same(name: str) -> None:
    whole, slow = found_in(name), slowly(data_of(name), name)
    assert slow == whole
    assert (slow.notes, slow.personas, slow.empty) == (whole.notes, whole.personas, whole.empty)


@pytest.mark.parametrize("name", ALL)
def test_it_lasts_and_is_there_once(name: str) -> None:
    store, found = mine(), found_in(name)
    report = import_all(store, found)
    assert [export_conversation(store, identity) for identity in report.added] == found
    assert len(import_all(store, found_in(name)).skipped) == len(found)
    written = json.dumps(list(found))
    assert "AAAAAAAA" not in written  # the data of a file
    assert "sk-secret" not in written  # keys of other servers
    assert all("<script" not in render_markdown(each) for each in found)


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(".json")])
@pytest.mark.parametrize("is_slow", [False, True])
def test_half_of_it_is_refused(name: str, is_slow: bool) -> None:
    half = data_of(name)[: len(data_of(name)) // 2]
    with pytest.raises(ExchangeError, match="it ends in the middle: it was cut short"):
        slowly(half, name) if is_slow else parse(half, name)


def test_half_of_a_chat_of_lines_is_refused() -> None:
    lines = data_of("sillytavern.jsonl").splitlines()
    with pytest.raises(ExchangeError, match="line 4 of the chat: it "):
        parse(b"\n".join([*lines[:3], lines[3][:60]]), "chat.jsonl")


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("claude.json", [("web_search", '{"query": "Skerry lamp"}', "Lit in 1811.", "done")]),
        ("librechat-flat.json", [("measure", '{"what": "tower"}', "35 m", "done")]),
        ("llamacpp.json", [("tides", '{"port": "Skerry"}', "06:10", "done")]),
        ("lmstudio.json", [("names", '{"about": "sea"}', "Petrel", "done")]),
        ("chatui.json", [("birds", '{"kind": "gull"}', '[{"text": "larus"}]', "done")]),
        ("sharegpt.json", [("ferry", '{"line": 7}', "10 minutes", "done")]),
        ("messages.json", [("wind", "{}", "west", "done"), ("runway", "{}", "27", "done")]),
    ],
)
def test_calls_stand_in_the_reply_that_made_them(name: str, calls: list[tuple[str, ...]]) -> None:
    made = [call for message in first(name)["messages"] for call in message.get("calls", [])]
    assert [(c["name"], c["arguments"], c["result"], c["status"]) for c in made] == calls
    assert all(call["step"] == 0 for call in made)


@pytest.mark.parametrize(
    ("name", "thought"),
    [
        ("claude.json", "The log says 1811."),
        ("librechat-tree.json", "It is in the plan."),
        ("chatui.json", "They call each other."),
        ("llamacpp.jsonl", "I need the table."),
        ("lmstudio.json", "Something with the sea."),
        ("gemini.json", "Knots\n\nCleats are usual."),
        ("aistudio.json", "It has a stripe."),
        ("sillytavern.jsonl", "He looked up."),
        ("messages.json", "West wind."),
        ("deepseek.json", "It dries."),
    ],
)
def test_what_was_thought_stands_beside_the_reply(name: str, thought: str) -> None:
    thinking = [m["thinking"] for m in first(name)["messages"] if m.get("thinking")]
    assert thinking == [thought]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("claude.json", "of Claude, not kept: files, but for their names (1), pictures of tools (1)"),
        ("llamacpp.json", "of llama.cpp's page, not kept: files, but for their names (1)"),
        ("typingmind.json", "of TypingMind, not kept: files, but for their names (1), prompts of the library (1)"),
        (
            "takeout.json",
            "not kept: files, but for their names (1), records of what was done without a word (1)",
        ),
        ("card-v2.json", "not kept: lorebooks, which stand beside the conversation and are told to no model (1)"),
    ],
)
def test_what_is_not_kept_is_said(name: str, note: str) -> None:
    assert any(note in line for line in found_in(name).notes)


def test_what_else_a_conversation_has() -> None:
    claude, boat = first("claude.json"), first("lmstudio.json")
    assert (claude["id"], claude["title"], claude["head"]) == ("5f0e-claude", "The lamp at Skerry", 1)
    reply = claude["messages"][1]
    assert (reply["thinking_ms"], reply["extra"]["references"]) == (
        60000.0,
        [{"title": "Skerry", "url": "https://lights.example/skerry"}],
    )
    assert (boat["system"], boat["head"], boat["pinned"]) == ("You name boats.", 2, True)
    assert (boat["messages"][2]["model"], boat["messages"][2]["completion_tokens"]) == ("qwen3-4b", 9)
    assert first("llamacpp.json")["head"] == 3
    assert first("librechat-flat.json")["system"] == "Answer in metres."
    assert [m["state"] for m in first("librechat-flat.json")["messages"]][3:] == ["failed", "interrupted"]
    assert first("librechat-flat.json")["messages"][1]["feedback"]["comment"] == "right\naccurate_reliable"
    assert first("typingmind.json")["extra"]["folder"] == "Kitchen"
    assert first("sillytavern.jsonl")["messages"][0]["model"] == "old-model"


def test_a_preferred_answer_is_the_branch_that_is_shown() -> None:
    for conversation in (found_in("finetuning.jsonl")[3], found_in("sharegpt.json")[1]):
        assert [m["parent"] for m in conversation["messages"]] == [None, 0, 0]
        assert conversation["messages"][conversation["head"]]["text"] in {"Green.", "Hello!"}


def test_each_form_has_a_fixture() -> None:
    assert {form.name for form in FORMS[1:]} - {"ChatGPT", "Open WebUI"} == {form for form, _, _ in EXPECTED.values()}
