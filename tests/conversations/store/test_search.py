"""Search, on both databases."""

import time
import unicodedata
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import delete, event, text, update

from conversations.replies import turn
from conversations.store import search
from conversations.store.schema import Conversation, Message, State
from conversations.store.search import Hit, search_conversations
from conversations.store.store import Store
from conversations.store.text import searched_words
from documents.folding import fold_words
from tests.conversations.talk import mine
from tests.documents.test_folding import PAIRS

pytestmark = pytest.mark.usefixtures("database_url")


def keep(store: Store, *texts: str, title: str = "", project_id: str | None = None, **fields: Any) -> str:
    """A conversation of these messages."""
    with store.database.writing() as session:
        found = store.create(session, project_id=project_id)
        for said in texts:
            found.head = turn.add_message(session, found, found.head, text=said, **fields).id
        found.title, found.updated = title, time.time()
    return found.id


def hits(words: str, store: Store | None = None, **where: Any) -> list[str]:
    """The ids that are found."""
    return [hit.conversation_id for hit in search_conversations(store or mine(), words, **where)]


def test_a_hit_names_its_conversation_and_its_newest_message() -> None:
    store = mine()
    identity = keep(store, "A walk by the sea", "It rained.", "The sea was calm", "Good.", title="Summer")
    keep(store, "The lake")
    numbers = [message.id for message in store.thread(identity).messages]
    updated = store.get(identity).updated
    assert search_conversations(store, "sea") == [Hit(identity, "Summer", numbers[2], "The sea was calm", updated)]


@pytest.mark.parametrize(
    ("extra", "is_found"), [({"hidden": True}, False), ({"hidden": "no"}, True), ({}, True), (None, True)]
)
def test_a_hidden_message_is_not_found(extra: Any, is_found: bool) -> None:
    identity = keep(mine(), "a secret lamp 灯", extra=extra)
    assert hits("lamp") == hits("灯") == ([identity] if is_found else [])


def test_every_word_has_to_occur_in_one_message() -> None:
    both = keep(mine(), "one red apple on the table")
    keep(mine(), "one red plum", "a green apple")
    assert hits("apple red") == [both]
    assert hits("apple red pear") == []


def test_a_word_is_found_by_its_beginning_but_not_by_one_letter() -> None:
    identity = keep(mine(), "Gardening with cats, plan C")
    for words in ("gard", "GARDEN cat", "cats wi", "c", "gardening,"):
        assert hits(words) == [identity], words
    for words in ("arden", "g", "cats gardens"):
        assert hits(words) == [], words


def test_the_last_changed_comes_first_and_each_once() -> None:
    first, second, third = (keep(mine(), "an owl", "the owl again") for _ in range(3))
    mine().update(first, updated=time.time() + 5)
    assert hits("owl") == [first, third, second]
    assert [hit.conversation_id for hit in search_conversations(mine(), "owl", limit=2)] == [first, third]


def test_a_list_is_filled_however_many_messages_match(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [keep(mine(), *["an owl"] * 4) for _ in range(6)]
    for newest in (1, 3, 100):
        monkeypatch.setattr(search, "COMMON_WORD", newest)
        monkeypatch.setattr(search, "NEWEST_CONVERSATIONS", newest)
        assert hits("owl") == made[::-1]


def test_titles_are_found_as_well() -> None:
    titled = keep(mine(), "Where to?", title="Übernachten in Köln: <b>now</b>")
    both = keep(mine(), "A cathedral in Köln", title="Köln")
    found = search_conversations(mine(), "kol")
    assert [(hit.conversation_id, hit.message_id is None) for hit in found] == [(both, False), (titled, True)]
    assert found[1].snippet == "Übernachten in Köln: <b>now</b>"
    assert hits("ubernachten koln") == [titled]
    assert hits("ubernachten where") == []
    keep(mine("other"), "x", title="Köln")
    mine().update(titled, title="")
    assert hits("koln") == [both]


def test_nobody_finds_what_is_somebody_elses() -> None:
    identity = keep(mine("anna"), "my secret 秘密", title="plan")
    for words in ("secret", "秘密", "sec", "plan"):
        assert hits(words, mine("anna")) == [identity]
        for other in ("bert", "%", "", "ann_"):
            assert hits(words, mine(other)) == []


SCRIPTS = {
    "Viele Grüße aus Zürich": ["grüße", "GRÜ", "zurich", "Zu\u0308rich"],
    "Tu\u0308rkei, decomposed": ["türkei", "tur"],
    "Ça va, señor? Déjà vu": ["ca", "senor", "DEJA"],
    "Это моя кошка Мурка": ["МОЯ кош", "мурка"],
    "Το μέλι": ["το", "μέλι"],
    "你好世界，再见": ["世界", "好", "再见 你好"],
    "Python入門の本": ["python入門", "入門", "pyt"],
    "สวัสดีชาวโลก": ["ชาวโลก"],
    "한국어 문장입니다": ["한국", "문장"],
    "हिन्दी में लिखा": ["हिन्दी", "लिखा"],
    "שלום עולם": ["עולם", "לום"],
    "well done 🎉👩‍🚀": ["🎉", "done 👩‍🚀"],
    "see foo.bar/baz_qux (it's a C++ file-name) at x@y.example": [
        "bar",
        "baz",
        "qux",
        "it's",
        "c++",
        "file-name",
        "name",
        "example",
        "x@y.example",
    ],
    "pi is 3.14, -5 below": ["3.14", "14", "5", "-5"],
    "„Zitat“ — «цитата» …ende": ["zitat", "цитата", "ende"],
}


def test_any_script_is_found() -> None:
    made = {said: keep(mine(), said) for said in SCRIPTS}
    for said, typed in SCRIPTS.items():
        for words in typed:
            assert hits(words) == [made[said]], words


def test_nothing_is_found_where_no_word_is_typed() -> None:
    keep(mine(), "anything � \"*'&", title="at all")
    for words in ("", " ", "\n\t", '"', "*", "'", "&", "()", "\x00", "\ud800", "-- ;"):
        assert hits(words) == [], ascii(words)


def test_signs_of_query_languages_are_no_words() -> None:
    identity = keep(mine(), "The owl: text with a � in it")
    keep(mine(), "no bird")
    for words in (
        '"owl',
        'owl"',
        '"owl"',
        "owl*",
        "*owl",
        "owl:*",
        "^owl",
        "text:owl",
        "{text}:owl",
        "-owl",
        "+owl",
        "!owl",
        "(owl",
        "owl)",
        "owl &",
        "| owl",
        "<-> owl",
        "owl\\",
        "'owl",
        "owl''",
        "owl;--",
        "%owl%",
        ":owl",
        "owl\x00",
        "\ud800 owl",
        "owl\u202e",
        "owl AND",
        "message_text",
        "%(x)s owl",
    ):
        found = [] if words in {"owl AND", "message_text", "%(x)s owl"} else [identity]
        assert hits(words) == found, ascii(words)


def test_operators_are_words() -> None:
    for said in ("an owl", "a bird", "owl bird"):
        keep(mine(), said)
    for words in ("owl OR bird", "owl NOT bird", "NEAR(owl bird, 5)", "owl AND bird"):
        assert hits(words) == []
        spelt = keep(mine(), f"somebody typed {words}")
        assert hits(words) == [spelt]
        mine().delete(spelt)


def test_whatever_is_typed_nothing_breaks() -> None:
    keep(mine(), "anything")
    for words in (
        "x" * 1_000_000,
        "a " * 500_000,
        "ab " * 200_000,
        "你" * 100_000,
        "🎉 " * 1000,
        '"' * 5000,
        "(" * 5000,
        "ä" * 5000,
        "\ud83d" * 500,
        "𝔘𝔫𝔦",
        "İstanbul",
        "ǅ ß ﬁ",
        "\u0301\u0301",
        "a\u0301\u0302\u0303" * 90,
        "".join(map(chr, range(1, 300))),
        "".join(map(chr, range(0x2000, 0x2100))),
    ):
        assert hits(words) == [], ascii(words[:20])


def test_a_long_word_is_found_by_its_beginning() -> None:
    identity = keep(mine(), "y" * 1500)
    assert hits("y" * 1500) == [identity]


def test_giant_texts_are_kept_and_their_beginning_is_found() -> None:
    """As many different words as fit, which is what an index of limited size minds most."""
    words = ["".join(chr(0x915 + (n // 36**place) % 36) for place in range(4)) for n in range(40_000)]
    for text_ in (" ".join(words), " ".join(map(chr, range(0x20000, 0x20000 + 42_000))), "\u0958\u0959 " * 60_000):
        identity = keep(mine(), f"heron {text_}")
        assert hits("heron") == [identity]
        mine().delete(identity)


def said(words: str) -> dict[str, str | None]:
    """The columns of a text, as the writer of replies sets them."""
    return {"text": words, "folded": searched_words(words)}


def test_a_reply_that_grows_is_found_when_it_is_over() -> None:
    store = mine()
    identity = keep(store, "a question")
    with store.database.writing() as session:
        found = store.lock_conversation(session, identity)
        reply = turn.add_message(session, found, found.head, role="assistant", text="a heron 鷺", state=State.RUNNING)
    assert hits("heron") == hits("鷺") == []
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == reply.id).values(**said("a heron and a stork 鷺")))
    assert hits("heron") == hits("鷺") == []
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == reply.id).values(state=State.STOPPED))
    assert hits("heron stork") == hits("鷺") == [identity]
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == reply.id).values(text="a crane", state=State.RUNNING))
    assert hits("heron") == hits("crane") == []


def test_what_is_changed_or_deleted_is_not_found_any_more() -> None:
    store = mine()
    identity = keep(store, "the old heron", title="x")
    with store.database.writing() as session:
        session.execute(update(Message).values(text="the new stork"))
    assert (hits("heron"), hits("stork")) == ([], [identity])
    store.delete(identity)
    assert hits("stork") == []
    with store.database.writing() as session:
        session.execute(delete(Conversation))
    if store.database.sqlite:  # every word of the index belongs to a message that is there
        with store.database.writing() as session:
            session.execute(text("INSERT INTO message_text(message_text, rank) VALUES ('integrity-check', 1)"))


def test_a_snippet_is_the_text_around_the_first_hit() -> None:
    keep(mine(), "word " * 100 + "the\n\n  needle, **here** <script>x</script> " + "tail " * 100)
    snippet = search_conversations(mine(), "needle")[0].snippet
    assert snippet.startswith("…word word")
    assert "the needle, **here** <script>x</script> tail" in snippet
    assert snippet.endswith("…")
    assert 100 <= len(snippet) <= 125


def test_a_snippet_holds_the_hit_whatever_is_before_it() -> None:
    for before in ("x" * 5000, "ǰ" * 300, "한국어 " * 400, "ﬀ" * 100 + "İ" * 300, "", "\n " * 300, "u\u0308" * 500):
        identity = keep(mine(), f"{before} Nädel {'z' * 5000}")
        snippet = search_conversations(mine(), "nadel")[0].snippet
        assert "Nädel" in snippet, ascii(before[:20])
        assert len(snippet) <= 200
        assert "\n" not in snippet
        mine().delete(identity)


def test_it_is_found_however_it_is_typed() -> None:
    """The same pairs as in documents, where their words are the same; on each database."""
    pairs = [pair for some in PAIRS.values() for pair in some if same_words(*pair)]
    assert len(pairs) > 100
    made = {side: keep(mine(), f"this is {side} here") for side in dict.fromkeys(chain(*pairs))}
    for text_, typed in pairs + [(second, first) for first, second in pairs]:
        assert {made[text_], made[typed]} <= set(hits(typed)), (text_, typed)


def same_words(first: str, second: str) -> bool:
    return fold_words(first).split() == fold_words(second).split()


def test_a_letter_or_word_inside_is_found_and_a_hit_shows_the_own_words() -> None:
    for said, typed in {
        "灯塔的灯": "灯",
        "学Python入門の本": "python",
        "Москва́ — столица": "москв",
        "Der Kö\u00adnigs\u00adberg steht": "konigsberg",
        unicodedata.normalize("NFD", "여객선은 아홉 시에"): "아홉",
        "मुझे किताब चाहिए": "किताब",
        "קָרָאתִי סֵפֶר": "ספר",
        "＜Ｔｏｋｙｏ＞": "tokyo",
    }.items():
        identity = keep(mine(), f"{'ǆ ' * 90}{said}")
        found = search_conversations(mine(), typed)
        assert [hit.conversation_id for hit in found] == [identity], typed
        assert said in found[0].snippet
        titled = keep(mine(), "x", title=said)
        assert hits(typed) == [titled, identity]
        for made in (titled, identity):
            mine().delete(made)


def test_letters_that_make_another_word_stay() -> None:
    keep(mine(), "кой мої がき पीना")
    for words in ("кои", "мои", "かき", "पिना"):
        assert hits(words) == [], words


@pytest.mark.parametrize("column", ["text", "thinking"])
def test_the_index_is_used(column: str) -> None:
    """Among many messages the database reads those with the word, not all."""
    store = mine()
    with store.database.writing() as session:
        found = store.create(session)
        session.add_all(
            Message(conversation_id=found.id, role="user", created=n, **{column: f"about number {n} of many"})
            for n in range(3000)
        )
    statements: list[tuple[str, Any]] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2:4]))
    assert len(search_conversations(store, "2718 number", with_thinking=column == "thinking")) == 1
    searches = [each for each in statements if "max(" in each[0] and (column == "text" or "thinking" in each[0])]
    assert searches
    how, index, scan = ("EXPLAIN QUERY PLAN ", "VIRTUAL TABLE INDEX", "'SCAN message'")
    if not store.database.sqlite:
        how, index, scan = ("EXPLAIN ", f"Bitmap Index Scan on message_{column}", "Seq Scan on message ")
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")  # autovacuum's work; without statistics PostgreSQL expects a few rows
        for statement, values in searches:
            plan = "\n".join(str(row) for row in connection.exec_driver_sql(how + statement, values))
            assert index in plan
            assert scan not in plan
