"""Our own form: out of one database and into another, on both."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from conversations.exchange import (
    ExchangeError,
    export_all,
    export_conversation,
    import_all,
    import_conversation,
    json_chunks,
    parse,
)
from conversations.exchange.schema import (
    CallSchema,
    FeedbackSchema,
    MessageSchema,
    SummarySchema,
    validate_conversation,
)
from conversations.replies import turn
from conversations.store.database import Database
from conversations.store.schema import Conversation, Feedback, Message, State, Summary, ToolCall
from conversations.store.search import search_conversations
from conversations.store.store import NotFoundError, Store
from tests.conversations.exchange.made import chain, document, full, message
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback


def everything(store: Store) -> bytes:
    return "".join(json_chunks(export_all(store))).encode()


@pytest.fixture
def other(tmp_path: Any) -> Any:
    """Another database."""
    database = Database(f"sqlite:///{tmp_path}/other.db")
    yield Store(database, "me")
    database.close()


def test_every_lasting_column_is_in_the_form() -> None:
    here = {
        Message: {
            *("id", "conversation_id", "parent_id", "process", "heartbeat", "stopping", "answering", "imported"),
            *("folded", "thinking_folded"),
        },
        ToolCall: {"id", "message_id", "strange", "passage", "expires", "folded"},
        Feedback: {"message_id"},
        Summary: {"id", "message_id"},
    }
    forms = {Message: MessageSchema, Feedback: FeedbackSchema, Summary: SummarySchema, ToolCall: CallSchema}
    for table, left_out in here.items():
        held = set(table.__table__.columns.keys()) - left_out
        assert held <= set(forms[table].model_fields), table  # type: ignore[attr-defined]
    # Of one installation: no file switches a tool on, gives leave, names the project by number, or says who wrote it.
    picked = {"backend", "model", "tools", "grants", "project_id", "imported"}
    assert set(Conversation.__table__.columns.keys()) - {"owner"} - picked <= set(full())
    assert set(MessageSchema.model_fields) - {"sources", "pictures"} == set(full()["messages"][1])


@pytest.mark.usefixtures("database_url")
def test_a_round_trip_is_exact(other: Store) -> None:
    store = mine()
    import_all(store, [full(), chain(5, id="second", system="Be brief."), chain(0, id="empty", created=0.5)])
    written = everything(store)
    assert export_conversation(store, "Ab_-9") == validate_conversation(full())
    import_all(other, parse(written, "mine.json"))
    assert everything(other) == written
    back = mine("somebody else")
    for identity in ("Ab_-9", "second", "empty"):
        store.delete(identity)
    import_all(back, parse(everything(other), "back.json"))
    assert everything(back) == written


@pytest.mark.usefixtures("database_url")
def test_a_real_conversation_round_trips(loopback: Loopback, other: Store) -> None:
    store = mine()
    row = over(store, turn.send(store, None, "one", ask("openai"), {"system": "Be brief."}))
    again = over(store, turn.regenerate(store, row.id, ask("openai")))
    over(store, turn.edit(store, again.parent_id or 0, "uno", ask("openai")))
    store.rate(row.id, 1, "good")
    written = export_conversation(store, row.conversation_id)
    assert [(m["role"], m["parent"]) for m in written["messages"]] == [
        ("user", None),
        ("assistant", 0),
        ("assistant", 0),
        ("user", None),
        ("assistant", 3),
    ]
    assert written["messages"][1]["feedback"]["comment"] == "good"
    assert (written["head"], written["system"], written["title"]) == (4, "Be brief.", "one")
    import_all(other, parse(document(written), "x"))
    assert export_conversation(other, row.conversation_id) == written
    assert [m.text for m in other.thread(row.conversation_id).messages] == ["uno", loopback.reply + " "]
    following = over(other, turn.send(other, row.conversation_id, "go on", ask("openai")))
    assert other.message(following.parent_id or 0).parent_id == other.thread(row.conversation_id).messages[1].id


@pytest.mark.usefixtures("database_url")
def test_what_is_there_unchanged_is_skipped() -> None:
    store = mine()
    first = import_all(store, [full()])
    assert (first.added, first.renamed, first.skipped) == (["Ab_-9"], [], [])
    again = import_all(store, [full()])
    assert (again.added, again.renamed, again.skipped) == ([], [], ["Ab_-9"])
    assert import_conversation(store, full()) == "Ab_-9"


@pytest.mark.usefixtures("database_url")
def test_a_taken_id_gives_a_new_one_once() -> None:
    store, other = mine("anna"), mine("bert")
    import_conversation(store, full())
    theirs = import_conversation(other, full())
    assert theirs != "Ab_-9"
    assert import_conversation(other, full()) == theirs
    assert {**export_conversation(other, theirs), "id": "Ab_-9"} == export_conversation(store, "Ab_-9")
    store.update("Ab_-9", title="mine now")
    report = import_all(store, [full()])
    assert report.added == report.renamed
    assert report.added[0] not in {theirs, "Ab_-9"}
    assert store.get("Ab_-9").title == "mine now"
    store.update(report.added[0], title="changed too")
    assert import_conversation(store, full()) not in {theirs, "Ab_-9", *report.added}
    assert len(store.listing()) == 3


@pytest.mark.usefixtures("database_url")
def test_one_wrong_conversation_leaves_nothing() -> None:
    store = mine()
    wrong = chain(3, id="wrong")
    wrong["messages"][2]["parent"] = 2
    with pytest.raises(ExchangeError, match="message 2 names 2 as its parent"):
        import_all(store, [full(), wrong])
    assert store.listing() == []


@pytest.mark.usefixtures("database_url")
def test_a_failure_in_the_middle_leaves_nothing() -> None:
    store = mine()
    trigger = (
        "CREATE TRIGGER no BEFORE INSERT ON message WHEN NEW.text = 'text 4' BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    rule = "ALTER TABLE message ADD CONSTRAINT no CHECK (text <> 'text 4')"
    with store.database.writing() as session:
        session.execute(text(trigger if store.database.sqlite else rule))
    with pytest.raises(DBAPIError, match=r"full|violates check"):
        import_all(store, [chain(3, id="fine"), chain(6, id="not")])
    assert store.listing() == []
    assert import_conversation(store, chain(3, id="fine")) == "fine"


def test_a_running_reply_is_exported_as_interrupted(loopback: Loopback) -> None:
    store = mine()
    loopback.script.append("slow")
    row = turn.send(store, None, "hi", ask("openai"))
    written = export_conversation(store, row.conversation_id)
    assert written["messages"][1]["state"] == State.INTERRUPTED
    assert parse(document(written), "x") == [written]
    store.delete(row.conversation_id)


def test_somebody_elses_conversation_is_not_found() -> None:
    identity = import_conversation(mine("anna"), full())
    with pytest.raises(NotFoundError, match="no conversation 'Ab_-9' of yours"):
        export_conversation(mine("bert"), identity)
    assert list(export_all(mine("bert"))) == []


@pytest.mark.usefixtures("database_url")
def test_imported_text_is_found() -> None:
    store = mine()
    import_conversation(store, chain(1) | {"messages": [message(0, text="A wren sings.")]})
    fts = "SELECT rowid FROM message_text WHERE message_text MATCH 'wren'"
    vectors = "SELECT id FROM message WHERE to_tsvector('simple', left(text, 200000)) @@ to_tsquery('simple', 'wren')"
    with store.database.reading() as session:
        number = session.scalar(text(fts if store.database.sqlite else vectors))
    assert number is not None
    assert store.message(number).text == "A wren sings."


@pytest.mark.usefixtures("database_url")
def test_long_chains() -> None:
    store = mine()
    identity = import_conversation(store, chain(3000))
    assert len(export_conversation(store, identity)["messages"]) == 3000
    assert [m.text for m in store.thread(identity, 2).messages] == ["text 2998", "text 2999"]


def test_what_no_database_holds_is_replaced() -> None:
    store = mine()
    odd = {"title": "a\x00b", "extra": {"k\x00": ["\ud800"]}, "messages": [message(0, text="\ud83d half")]}
    identity = import_conversation(store, chain(0) | odd)
    found = export_conversation(store, identity)
    assert (found["title"], found["extra"], found["messages"][0]["text"]) == (
        "a\ufffdb",
        {"k\ufffd": ["\ufffd"]},
        "\ufffd half",
    )


def test_without_an_id_the_same_conversation_is_the_same() -> None:
    store = mine()
    assert import_conversation(store, chain(2)) == import_conversation(store, chain(2))
    assert import_conversation(store, chain(2)) != import_conversation(store, chain(3))
    assert len(store.listing()) == 2


def test_two_beginnings_are_branches() -> None:
    store = mine()
    identity = import_conversation(store, chain(0) | {"messages": [message(0), message(1, None)]})
    assert [m.text for m in store.thread(identity).messages] == ["text 1"]
    assert list(store.thread(identity).branches.values()) == [[m.id for m in _messages(store)]]


def _messages(store: Store) -> list[Message]:
    with store.database.reading() as session:
        return list(session.query(Message).order_by(Message.id))


@pytest.mark.usefixtures("database_url")
def test_imported_thinking_is_found_on_request() -> None:
    thought = message(1, 0, "assistant", thinking="A Köhler, 鷺")
    import_all(mine(), [{"created": 1.0, "updated": 2.0, "messages": [message(0), thought]}])
    for words in ("kohler", "鷺"):
        assert search_conversations(mine(), words) == []
        assert [hit.is_thought for hit in search_conversations(mine(), words, with_thinking=True)] == [True]
