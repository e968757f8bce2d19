"""A conversation that came in goes on here, with the shipped model, whatever it begins with."""

import pytest

from conversations.exchange import import_all, parse
from conversations.replies import turn
from conversations.store.schema import State
from tests.conversations.exchange.made import FIXTURES
from tests.conversations.talk import ask, mine, over


@pytest.mark.parametrize("name", ["card-v2.json", "sillytavern.jsonl", "llamacpp.json"])
def test_it_goes_on(name: str) -> None:
    store, found = mine(), parse((FIXTURES / name).read_bytes(), name)
    [identity] = import_all(store, found, found.personas).added
    row = over(store, turn.send(store, identity, "And in the morning?", ask(max_tokens=8)))
    assert (row.state, row.text.strip() != "") == (State.DONE, True)
    branch = store.thread(identity, 100).messages
    assert [m.role for m in branch[-2:]] == ["user", "assistant"]
    assert all(message.imported for message in branch[:-2])
