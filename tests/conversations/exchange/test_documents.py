"""Documents and what replies quote of them: out of one database and into another, and back after a delete."""

import random
from typing import Any

import pytest
from sqlalchemy import select

from conversations.exchange import (
    ExchangeError,
    export_conversation,
    import_all,
    import_conversation,
    parse,
    render_markdown,
)
from conversations.exchange.schema import DocumentSchema, SourceSchema, validate_conversation
from conversations.library import files
from conversations.replies import turn
from conversations.store.schema import Citation, Document, Passage
from conversations.store.store import Store
from documents.part import number_parts
from documents.split import join_parts, separate_parts, split_parts
from tests.conversations.exchange.made import chain, document
from tests.conversations.exchange.test_exporter import other as other
from tests.conversations.exchange.test_markdown import tokens
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback
from tests.pdf import pdf

pytestmark = pytest.mark.server  # documents are read by a process of their own

PAGES = ["", "Of bees. " * 120, "The lighthouse of Sorrel Point is 41 metres tall.", "", "An index.", " "]
HOSTILE = "</blockquote> <img src=x> ![a](http://x/y) [b](http://x) www.x.org\n```\n~~~\n# wren http://x/z"


def paper(**fields: Any) -> dict[str, Any]:
    return {"name": "notes.md", "kind": "text", "bytes": 30, "created": 5.0, "pages": ["A wren sings."]} | fields


TIDES = "\n".join(["port;high", *(f"Bay {number};{number},5" for number in range(30))]).encode()


def cited(*sources: tuple[int, int, float], papers: Any = None, **fields: Any) -> dict[str, Any]:
    """A question and a reply from these sources."""
    made = chain(2, id="cites", documents=[paper()] if papers is None else papers) | fields
    made["messages"][1]["sources"] = [{"document": d, "begins": b, "score": s} for d, b, s in sources]
    return made


def kept(store: Store) -> list[tuple[Any, ...]]:
    """Every passage but for its number."""
    columns = (Document.name, Document.pages, Document.passages, Passage.page, Passage.start, Passage.end)
    query = select(*columns, Passage.place, Passage.text).join(Document).order_by(Passage.id)
    with store.database.reading() as session:
        return [tuple(row) for row in session.execute(query)]


def test_every_lasting_column_is_in_the_form() -> None:
    made_anew = {
        "project_id",
        "id",
        "owner",
        "conversation_id",
        "passages",
        "text",
        "embedding",
        "vectors",
    }  # `pages` are the texts there
    of_passages = {"places"}
    assert set(Document.__table__.columns.keys()) - made_anew | of_passages == set(DocumentSchema.model_fields)
    assert set(Citation.__table__.columns.keys()) - {"message_id", "rank", "passage_id"} | {
        "document",
        "begins",
        "number",
    } == set(SourceSchema.model_fields)


@pytest.mark.usefixtures("database_url")
def test_documents_passages_and_sources_go_along_and_come_back(loopback: Loopback, other: Store) -> None:
    store = mine()
    row = over(store, turn.send(store, None, "hi", ask("openai")))
    identity = row.conversation_id
    files.add(store, "point.pdf", pdf(PAGES), identity)
    files.add(store, "notes.md", b"\n  A wren sings.\n", identity)
    files.add(store, "tides.csv", TIDES, identity)
    row = over(store, turn.send(store, identity, "How tall is the lighthouse, and what sings?", ask("openai")))
    shown, before = store.thread(identity).sources, kept(store)
    assert {source.location for source in shown[row.id]} == {"point.pdf, page 3", "notes.md"}
    written = export_conversation(store, identity)
    assert [len(each["pages"]) for each in written["documents"]] == [6, 1, 2]
    assert [each.get("places") for each in written["documents"]] == [None, None, ["rows 2-21", "rows 22-31"]]
    assert "sources" not in written["messages"][1]

    import_all(other, parse(document(written), "x"))
    assert export_conversation(other, identity) == written
    assert kept(other) == before
    assert list(other.thread(identity).sources.values()) == list(shown.values())
    assert [found.metadata["page"] for found in files.search(other, identity, "tall lighthouse")] == [3]

    store.delete(identity)
    assert kept(store) == []
    assert import_conversation(store, written) == identity
    assert (export_conversation(store, identity), kept(store)) == (written, before)
    assert list(store.thread(identity).sources.values()) == list(shown.values())
    assert import_all(store, [written]).skipped == [identity]


@pytest.mark.usefixtures("database_url")
def test_sources_that_are_no_passage_are_left_out() -> None:
    store = mine()
    wrong = cited((0, 3, 1.0), (7, 0, 1.0), (0, 0, 2), (2**31 - 1, 2**31 - 1, 1.0))
    identity = import_conversation(store, wrong)
    [message] = export_conversation(store, identity)["messages"][1:]
    assert message["sources"] == [{"document": 0, "begins": 0, "score": 2.0, "number": 3}]
    [found] = store.thread(identity).sources.values()
    assert [source.quote for source in found] == ["A wren sings."]
    assert import_all(store, [wrong]).skipped == [identity]
    assert (
        "sources"
        not in export_conversation(store, import_conversation(store, cited((0, 1, 1.0), id="none")))["messages"][1]
    )


@pytest.mark.parametrize(
    ("papers", "why"),
    [
        ([paper(kind="exe")], "its kind is 'exe', and only csv, docx"),
        ([paper(pages=["a", "b"])], "a text document has one text, and this has 2"),
        ([paper(kind="csv", pages=["a", "b"], places=["row 2"])], "it has 1 places for 2 texts"),
        ([paper(kind="csv", pages=["a", "b"], places=["row 2", "row 2"])], "it has 1 places for 2 texts"),
        ([paper(kind="csv", pages=["a", " "], places=["row 2", "row 3"])], "it has 2 places for 2 texts"),
        ([paper(kind="pdf", pages=["a"], places=["page 2"])], "it has 1 places for 1 texts"),
        ([paper(kind="pdf", pages=["", " "])], "it holds no words"),
        ([paper(), paper(bytes=2**63)], "documents.1.bytes"),
        ([paper(pages=["word " * 5000])], "document 'notes.md' has 25,000 characters; DOCUMENTS_MAX_CHARACTERS"),
        ([paper(kind="pdf", pages=["a"] * 30)], "has 30 pages; DOCUMENTS_MAX_PAGES is 20"),
        ([paper()] * 4, "you would keep 4, and at most 3 are kept"),
        ([paper(ends=9)], "Extra inputs are not permitted"),
    ],
)
def test_what_is_refused_leaves_nothing(papers: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_CHARACTERS", "20000"), ("MAX_PAGES", "20"), ("MAX_FILES", "3")):
        monkeypatch.setenv(f"DOCUMENTS_{name}", value)
    store = mine()
    with pytest.raises(ExchangeError, match=why):
        import_all(store, [chain(2, id="fine"), cited(papers=papers)])
    assert store.listing() == []
    assert kept(store) == []


def test_a_conversation_without_documents_is_written_as_ever() -> None:
    written = export_conversation(mine(), import_conversation(mine(), chain(2, documents=[])))
    assert "documents" not in written
    assert "sources" not in written["messages"][1]
    assert validate_conversation(chain(2))["id"] == validate_conversation(chain(2, documents=[]))["id"]


def test_a_document_belongs_to_who_imports_it() -> None:
    identity = import_conversation(mine("anna"), cited((0, 0, 1.0)))
    theirs = import_conversation(mine("bert"), cited((0, 0, 1.0)))
    assert theirs != identity
    [one], [two] = files.listing(mine("anna"), identity), files.listing(mine("bert"), theirs)
    assert (one.owner, two.owner) == ("anna", "bert")
    mine("anna").delete(identity)
    assert files.content(mine("bert"), two.id) == "A wren sings."


def test_names_are_shown_as_those_of_files_are() -> None:
    [made] = validate_conversation(cited(papers=[paper(name="/etc/a\n\x1b[31m\u202eb.md")]))["documents"]
    assert made["name"] == "a__[31m_b.md"


def test_sources_in_markdown_are_words_and_nothing_else() -> None:
    odd = paper(name="a*b*<i>.md", pages=[HOSTILE])
    text = render_markdown(
        validate_conversation(
            cited((0, 0, 1.0), (1, 11, 1.0), papers=[odd, paper(kind="pdf", pages=["One wren.", "Two."])])
        )
    )
    assert "**Documents:** a\\*b\\*&lt;i\\>.md, notes.md\n" in text
    assert "*Source 2: notes.md, page 2*\n\n> ```\n> Two.\n> ```\n" in text
    found = tokens(text)
    assert not {"html_inline", "image", "link_open"} & {token.type for token in found}
    assert [t.content for t in found if t.type == "html_block"] == [text.splitlines()[0] + "\n"]  # the note
    assert [t.content for t in found if t.type == "fence"] == [f"{HOSTILE}\n", "Two.\n"]


def test_markers_in_markdown_are_footnotes_with_the_words_they_lead_to() -> None:
    papers = [paper(name="a*b*.md", pages=[HOSTILE]), paper(kind="pdf", pages=["One wren.", "Two."])]
    made = cited((0, 0, 1.0), (1, 0, 1.0), (1, 11, 1.0), papers=papers)
    made["messages"][1]["text"] = "It is so [1], and `[2]`; a[2] and [9]. Also [3]."
    text = render_markdown(validate_conversation(made))
    assert "> It is so [^1-1], and `[2]`; a[2] and [9]. Also [^1-3].\n" in text
    assert "[^1-1]: *Source 1: a\\*b\\*.md*\n\n    ```" in text
    assert "[^1-3]: *Source 3: notes.md, page 2*\n\n    ```\n    Two.\n    ```\n" in text
    assert "*Source 2: notes.md, page 1*\n\n> ```\n> One wren.\n> ```\n" in text
    assert not {"html_inline", "image", "link_open"} & {token.type for token in tokens(text)}
    made["messages"][1]["text"] = "There was one wren."
    text = render_markdown(validate_conversation(made))
    assert "> There was one wren. ≈[^1-2]\n" in text
    assert "*≈: the model named no source" in text


def test_pages_are_found_again_in_the_whole_text() -> None:
    draw = random.Random(4)
    for _ in range(200):
        words = draw.choice([["a"], ["a\n\n", "bc ", "d\n"], ["wren ", "owl.\n\n"]])
        pages = ["".join(draw.choices(words, k=draw.choice([0, 1, 3, 700]))).strip() for _ in range(draw.randint(1, 5))]
        first: dict[int, int] = {}
        for passage in split_parts(number_parts(pages, "page")):
            first.setdefault(passage.page or 0, passage.start)
        assert separate_parts(join_parts(number_parts(pages, "page")), first, len(pages)) == pages
