"""How both databases answer what is asked of one project among many: by indexes, each of which is asked once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert

from conversations.store import Conversation, Message, Project, Store, projects, search, search_conversations
from tests.conversations.talk import mine

pytestmark = pytest.mark.usefixtures("database_url")
PROJECTS, INSIDE = 100, 12  # conversations in each
MESSAGES = 100  # of a conversation in the first project; one in any other


@pytest.fixture
def store() -> Store:
    """Many projects of one owner; the word `ferry` is in every message, `heron` in each 50th."""
    found = mine()
    times = {"created": 0.0, "updated": 0.0}
    with found.database.writing() as session:
        names = [f"project-{number}" for number in range(PROJECTS)]
        session.execute(insert(Project), [{"id": each, "owner": found.owner, "name": each, **times} for each in names])
        talks = [(f"{each}-{number}", each) for each in names for number in range(INSIDE)]
        rows = [{"id": talk, "owner": found.owner, "project_id": each, **times} for talk, each in talks]
        session.execute(insert(Conversation), rows)
        said = [(talk, n) for talk, each in talks for n in range(MESSAGES if each == names[0] else 1)]
        texts = (f"the ferry number {n}{' and a heron' * (n % 50 == 0)}" for _, n in said)
        pairs = zip(said, texts, strict=True)
        messages = [
            {"conversation_id": talk, "role": "user", "text": text, "created": 0.0} for (talk, _), text in pairs
        ]
        session.execute(insert(Message), messages)
    with found.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("ANALYZE")  # autovacuum's work
    return found


@contextmanager
def plans(store: Store) -> Iterator[list[str]]:
    """How each statement of the block was answered, once it is over."""
    statements: list[tuple[str, Any]] = []

    def remember(*call: Any) -> None:
        statements.append(call[2:4])

    how = "EXPLAIN QUERY PLAN " if store.database.sqlite else "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "
    found: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", remember)
    try:
        yield found
    finally:
        event.remove(store.database.engine, "before_cursor_execute", remember)
    with store.database.engine.connect() as connection:
        for statement, values in statements:
            if statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(how + statement, values)
                found.append("\n".join(str(row[-1]) for row in rows))


def test_a_search_within_a_project_asks_the_index_of_words_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for newest, word in ((400, "ferry"), (400, "heron"), (6, "heron")):
        monkeypatch.setattr(search, "NEWEST_CONVERSATIONS", newest)
        with plans(store) as found:
            assert len(search_conversations(store, word, project_id="project-0")) == INSIDE
        asked = [plan for plan in found if " message_text" in plan]
        assert len(asked) == (2 if newest < INSIDE and not store.database.sqlite else 1)
        for plan in asked:
            lines = plan.splitlines()
            words = [line for line in lines if " message_text" in line]
            assert len(words) == 1, plan
            assert store.database.sqlite or "loops=1)" in words[0], plan
            assert not [line for line in lines if line == "SCAN message" or "Seq Scan on message " in line], plan


def test_what_is_in_a_project_is_read_by_its_index(store: Store) -> None:
    for ask in (projects.conversations, projects.count, Store.newest_chat):
        with plans(store) as found:
            assert ask(store, "project-7")
        assert len(found) == 1
        assert "conversation_of_project" in found[0]
        assert "Seq Scan" not in found[0]
