"""What a message costs on its way, counted: our own calls, its transactions, and what is loaded for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from conversations.replies import turn
from conversations.replies.generation import load_context
from conversations.store.schema import Message
from settings import ROOT
from tests.conftest import GGUF
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback


def test_the_second_message_of_a_chat_calls_few_functions(tmp_path: Path) -> None:
    """In a process of its own: threads that are there already are not counted. The least: words may come slowly."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LLAMACPP_MODEL": str(GGUF)}
    command = [sys.executable, "-m", "benchmarks.calls", "--json", "--rounds", "5"]
    figures = json.loads(subprocess.check_output(command, cwd=tmp_path, env=environment, text=True))
    assert 100 < figures["calls"] <= 300
    assert figures["transactions"] == 2  # one writes the message and the reply's row, one reads what it is made from
    assert figures["jobs for other threads"] == 1


@pytest.mark.usefixtures("database_url")  # SQLite and PostgreSQL
def test_only_the_messages_of_its_branch_are_loaded_for_a_reply(loopback: Loopback) -> None:
    store = mine()
    first = over(store, turn.send(store, None, "one", ask("openai")))
    second = over(store, turn.send(store, first.conversation_id, "two", ask("openai")))
    assert second.parent_id is not None
    over(store, turn.edit(store, second.parent_id, "another two", ask("openai")))
    beside = over(store, turn.regenerate(store, first.id, ask("openai")))
    third = over(store, turn.send(store, first.conversation_id, "three", ask("openai")))
    loaded: list[str] = []
    transactions: list[object] = []

    def begin(connection: object) -> None:
        transactions.append(connection)

    def load(message: Message, _: object) -> None:
        loaded.append(message.text)

    event.listen(Message, "load", load)
    event.listen(store.database.engine, "begin", begin)
    try:
        context = load_context(store.database, third, with_summary=True)
    finally:
        event.remove(Message, "load", load)
        event.remove(store.database.engine, "begin", begin)
    assert [message.text for message in context.history] == ["one", beside.text]
    assert (context.question.text, context.partial) == ("three", third.text)
    assert loaded == ["one", beside.text, "three"]
    assert len(transactions) == 1
