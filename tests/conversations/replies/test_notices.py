"""What a reply's reader has to know of it: kept with the reply, and said in page, terminal and API."""

import json
from typing import Any

import pytest

from conversations.replies import turn
from conversations.replies.compaction import NOTE, save_note
from tests.api.conftest import Serve, serve  # noqa: F401  (a fixture)
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback
from tests.terminal.conftest import Run, run  # noqa: F401  (a fixture)

LONG = "The lamp stands at the window, and nobody has lit it for many years now. " * 434
SAYS = "The server read 2,050 of about 7,9"


@pytest.fixture
def cutting(loopback: Loopback) -> Loopback:
    """A server that reads 2,050 tokens of any prompt that has more."""
    loopback.read = 2050
    return loopback


def test_it_is_kept_with_the_reply(cutting: Loopback) -> None:
    store = mine()
    row = over(store, turn.send(store, None, LONG, ask("openai")))
    assert row.extra is not None
    assert row.extra[NOTE].startswith(SAYS)
    assert row.text.strip() == cutting.reply
    second = over(store, turn.send(store, row.conversation_id, "and now?", ask("openai")))
    assert SAYS[:10] in (second.extra or {}).get(NOTE, ""), "the whole conversation is sent again"


def test_nothing_is_kept_where_all_was_read(loopback: Loopback) -> None:
    loopback.read = 8000
    store = mine()
    assert over(store, turn.send(store, None, LONG, ask("openai"))).extra is None


def test_one_note_does_not_replace_another(loopback: Loopback) -> None:
    store = mine()
    row = over(store, turn.send(store, None, "hi", ask("openai")))
    for text in ("One.", "Two.", "Two."):
        save_note(store.database, row, text)
    assert store.message(row.id).extra == {NOTE: "One. Two."}


def test_the_terminal_says_it(run: Run, cutting: Loopback) -> None:  # noqa: F811
    done = run("chat", said=f"{LONG}\n", LLM_BACKEND="openai")
    assert done.out.strip() == cutting.reply
    assert SAYS in done.err
    asked = run("ask", "--backend", "openai", said=LONG)
    assert asked.out.strip() == cutting.reply
    assert SAYS in asked.err
    assert json.loads(run("ask", "--json", "--backend", "openai", said=LONG).out)["notice"].startswith(SAYS)


def test_the_api_says_it(serve: Serve, cutting: Loopback) -> None:  # noqa: F811
    client = serve(LLM_BACKEND="openai")
    assert client.post("/predict", json={"text": LONG}).json()["notice"].startswith(SAYS)
    asked: Any = {"model": "default", "messages": [{"role": "user", "content": LONG}]}
    assert client.post("/v1/chat/completions", json=asked).json()["notice"].startswith(SAYS)
    streamed = client.post("/v1/chat/completions", json={**asked, "stream": True}).text
    rows = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    assert [row["notice"][: len(SAYS)] for row in rows if "notice" in row] == [SAYS]
    short = client.post("/v1/chat/completions", json={**asked, "messages": [{"role": "user", "content": "hi"}]})
    assert "notice" not in short.json()
