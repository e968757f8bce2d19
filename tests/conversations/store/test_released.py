"""What version 0.7.0 has written opens: databases, an export, a `.env` and a folder of personas.

`released_0_7_0` holds them. They were made in a checkout of v0.7.0, with `tests.loopback` as the server, by
`turn.send`, `regenerate`, `edit` and `Store.choose` (branches), `Store.rate`, a `Summary`, `files.add` (a text, a PDF,
a note), `comparison.vote`, `personas.keep` and a `Counter`; `sqlite3`'s `iterdump` (its index of texts is rebuilt from
them) and `pg_dump --inserts` wrote the two `.sql`, `exchange.dump_all` the export, `prompts.persona.save` the personas.
The `.json` beside each database is what v0.7.0 itself read from it, `settings.json` what it read from `dot.env`.
"""

import json
import os
import sqlite3
from pathlib import Path
from shutil import copy
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, func, make_url, select, text

from api.settings import all_settings
from conversations.exchange import export_all, import_all, parse_file
from conversations.library import files
from conversations.store import Counter, Period, Store, collect_statistics, personas, search_conversations
from conversations.store.schema import Citation, Message, Passage
from prompts.persona import load
from tests.conftest import QUICK
from tests.conversations.talk import mine
from tests.loopback import Loopback

FOLDER = Path(__file__).with_name("released_0_7_0")
ME, YOU = "browser:me", "browser:you"


@pytest.fixture
def written(database_url: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A database as 0.7.0 left it, at DATABASE_URL; what that version read from it."""
    monkeypatch.setenv("EMBEDDINGS", "openai")
    monkeypatch.setenv("EMBEDDINGS_MODEL", "loopback-embed")
    url = make_url(database_url)
    kind = url.get_backend_name()
    script = (FOLDER / f"{kind}.sql").read_text()
    if kind == "sqlite":
        assert url.database
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(url.database)
        connection.executescript(script)
        connection.close()
    else:
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as server:
            server.execute(script.encode())
    return dict(json.loads((FOLDER / f"{kind}.json").read_text()))


def thread(store: Store, conversation_id: str) -> dict[str, Any]:
    """All that is shown of a conversation."""
    seen = store.thread(conversation_id, 10_000)
    return {
        "title": seen.conversation.title,
        "pinned": seen.conversation.pinned,
        "system": seen.conversation.system,
        "persona": seen.conversation.persona,
        "head": seen.conversation.head,
        "messages": [
            [m.id, m.parent_id, m.role, m.text, m.state, m.model, m.prompt_tokens, m.completion_tokens]
            for m in seen.messages
        ],
        "branches": {str(number): beside for number, beside in seen.branches.items()},
        "feedback": {str(number): [thumb.value, thumb.comment] for number, thumb in seen.feedback.items()},
        "summary": seen.summary and [seen.summary.message_id, seen.summary.messages, seen.summary.text],
        "sources": {
            str(number): [[each.file, each.page, each.quote, each.score] for each in sources]
            for number, sources in seen.sources.items()
        },
    }


def test_every_message_branch_thumb_summary_and_citation_is_there(written: dict[str, Any]) -> None:
    for owner in (ME, YOU):
        store = mine(owner)
        assert {each.id: thread(store, each.id) for each in store.listing()} == written["threads"][owner]
        for cited in (store.thread(number, 10_000).sources for number in written["threads"][owner]):
            for each in (source for sources in cited.values() for source in sources):
                assert each.place == (f"page {each.page}" if each.page else None)
    with mine().database.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Message, Passage, Citation)]
    assert all(counts)
    assert any(thread["sources"] for thread in written["threads"][ME].values())


def test_every_branch_can_be_chosen(written: dict[str, Any]) -> None:
    store = mine(ME)
    for identity, was in written["threads"][ME].items():
        for number in {number for beside in was["branches"].values() for number in beside}:
            store.select_branch(number)
            assert number in [message.id for message in store.thread(identity).messages]


def test_searches_find_what_they_found(written: dict[str, Any]) -> None:
    for typed, hits in written["found"].items():
        found = search_conversations(mine(ME), typed)
        assert [[hit.conversation_id, hit.message_id, hit.snippet] for hit in found] == hits
    with_documents = next(identity for identity, was in written["threads"][ME].items() if was["sources"])
    for question, passages in written["passages"].items():
        assert [each.page_content for each in files.search(mine(ME), with_documents, question)] == passages


def test_what_no_search_found_is_found_after_the_upgrade(written: dict[str, Any], database_url: str) -> None:
    words = {"Ко\u0301фе": "кофе", "Ko\u00adnigsberg": "konigsberg", "ﬁne": "fine", "灯塔": "塔", "ＴＯＫＹＯ": "tokyo"}
    identity, was = next((identity, was) for identity, was in written["threads"][ME].items() if was["messages"])
    number = was["messages"][0][0]
    engine = create_engine(database_url)
    with engine.begin() as connection:  # as 0.7.0 would have written it
        change = text("UPDATE message SET text = :said WHERE id = :number")
        connection.execute(change, {"said": " ".join(words), "number": number})
    engine.dispose()
    for typed in words.values():
        assert [(hit.conversation_id, hit.message_id) for hit in search_conversations(mine(ME), typed)] == [
            (identity, number)
        ], typed


def test_a_system_prompt_is_a_files_where_an_import_brought_more_beside_it(
    written: dict[str, Any], database_url: str
) -> None:
    own, brought, *_ = written["threads"][ME]
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE conversation SET system = 'Be kind.'"))
        change = text("""UPDATE conversation SET extra = '{"source": "chatgpt"}' WHERE id = :identity""")
        connection.execute(change, {"identity": brought})
    engine.dispose()
    assert [mine(ME).get(identity).imported for identity in (own, brought)] == [False, True]


def test_documents_personas_counters_and_statistics_are_there(written: dict[str, Any]) -> None:
    store = mine(ME)
    for where, documents in written["documents"].items():
        rows = files.listing(store, where or None)
        assert [[d.id, d.name, d.kind, d.bytes, d.pages, d.passages, d.embedding] for d in rows] == documents
    assert {number: files.content(store, number) for number in written["contents"]} == written["contents"]
    own = [[p.slug, p.name, p.description, list(p.sentences)] for p in personas.listing(store)]
    assert own == written["personas"]
    assert [list(each) for each in collect_statistics(store, Period()).ratings] == written["opinions"]
    key, amount, expires = written["counter"]
    with store.database.reading() as session:
        counter = session.get_one(Counter, key)
    assert (counter.amount, counter.expires) == (amount, expires)


def test_an_export_comes_in_and_goes_out_as_it_was() -> None:
    conversations = parse_file(FOLDER / "export.json")
    report = import_all(mine(), conversations)
    assert (len(report.added), report.renamed, report.skipped) == (len(conversations), [], [])
    assert list(export_all(mine())) == json.loads((FOLDER / "export.json").read_text())["conversations"]


def test_a_database_goes_out_as_it_did(written: dict[str, Any]) -> None:
    identities = [conversation["id"] for conversation in export_all(mine(ME))]
    assert sorted(identities) == sorted(written["threads"][ME])
    if "sqlite" in os.environ["DATABASE_URL"]:
        assert list(export_all(mine(ME))) == json.loads((FOLDER / "export.json").read_text())["conversations"]


def test_every_variable_of_an_env_file_means_what_it_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(FOLDER / "dot.env", tmp_path / ".env")
    for name in ("DATABASE_URL", *QUICK):
        monkeypatch.delenv(name)
    settings = json.loads((FOLDER / "settings.json").read_text())
    options = {option.name: option for group in all_settings() for option in group.read().options()}
    assert set(settings["variables"]) <= set(options)
    assert {name: options[name].value for name in settings["set"]} == settings["set"]
    assert {options[name].origin for name in settings["set"]} == {".env"}


def test_a_folder_of_personas_is_read() -> None:
    assert [(each.slug, each.name, each.description, each.sentences) for each in load(FOLDER / "personas")] == [
        ("old-tom", "Old Tom", "Keeps the ferry.", ("I keep the ferry.",)),
        ("zoe-the-diver", "Zoë, the diver", "A diver of the islands.", ("I dive for pearls.", "I am 40.")),
    ]
