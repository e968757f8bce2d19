"""Files asked about in a terminal: `ask --file`, `find`, and the commands of a chat."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from conversations.library import files
from documents import load
from tests.conversations.talk import mine
from tests.documents.scan.drawing import WITHOUT_SCANS, draw, encode, lines, needs_scans
from tests.documents.test_scans import scan
from tests.loopback import Loopback
from tests.pdf import pdf
from tests.terminal.conftest import TAB, Run, Start, run_process

pytestmark = pytest.mark.server  # PDF files are read in a process of their own

FACT = "The lighthouse of Sorrel Point is 41 metres tall."
QUESTION = "How tall is the lighthouse of Sorrel Point?"
CITED = "[1] notes.pdf, page 7: "


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A PDF of 20 pages, the fact on its seventh."""
    pages = [f"Chapter {number}. " + "The harbour was quiet, and nets dried. " * 30 for number in range(1, 21)]
    pages[6] += f"\n{FACT}\n"
    path = tmp_path / "notes.pdf"
    path.write_bytes(pdf(pages))
    return path


def answer(asked: dict[str, Any]) -> str:
    """What a model says that reads the passages it is given: the sentence with the figure, and its number."""
    prompt = str(asked["messages"][-1]["content"])
    found = re.search(r"\[(\d+)\] notes\.pdf, page 7\n.*?(The lighthouse[^.]*\.)", prompt, re.DOTALL)
    return f"{' '.join(found[2].split())} [{found[1]}]" if found else "The files do not say."


def test_ask_cites_page_7(notes: Path, run: Run, loopback: Loopback) -> None:
    loopback.answer = answer
    done = run("ask", "--file", str(notes), QUESTION, "--backend", "openai")
    assert (done.code, done.out.split()) == (0, [*FACT.split(), "[1]"])
    first, *_ = done.err.splitlines()  # and nothing of how the reading goes on
    assert first.startswith(CITED)
    assert FACT in first
    own = run_process("ask", "--file", str(notes), QUESTION, "--backend", "llamacpp", "--json", "--max-tokens", "5")
    assert (own.code, own.err) == (0, "")
    said = json.loads(own.out)
    assert (said["sources"][0]["file"], said["sources"][0]["page"]) == ("notes.pdf", 7)
    assert FACT in said["sources"][0]["quote"].replace("\r\n", " ").replace("\n", " ")
    assert said["sources"][0]["score"] > 0
    assert "trust the passages below" in said["note"]


def test_a_chat_cites_page_7(notes: Path, chat: Start, loopback: Loopback) -> None:
    loopback.answer = answer
    talk = chat(MAX_TOKENS="8")
    talk.child.timeout = 300
    talk.send_key("/attach no" + TAB)
    talk.expect("tes.pdf")
    talk.send_line("")
    talk.expect("Reading notes.pdf")
    talk.expect("notes.pdf: 20 pages, ")
    talk.wait_for_prompt()
    for backend, said in (("llamacpp", "trust the passages below"), ("openai", "metres tall. [1]")):
        talk.send_line(f"/backend {backend}")
        talk.expect("answers from now on.")
        talk.wait_for_prompt()
        talk.send_line(QUESTION)
        talk.expect(said)
        talk.expect(CITED)
        talk.expect(f"{backend} · ")
        talk.wait_for_prompt()
    talk.send_line("exit")
    assert talk.wait_for_exit() == 0
    [kept] = mine("terminal").listing()
    assert kept.title == QUESTION
    sources = mine("terminal").thread(kept.id).sources
    assert [found[0].page for found in sources.values()] == [7, 7]
    again = chat("--resume")
    assert "Documents: notes.pdf" in again.shown


def test_the_commands_of_a_chat(notes: Path, run: Run, loopback: Loopback) -> None:
    more = notes.with_name("more of it.md")
    more.write_text("A wren sings at \x1b[31mnoon\x9b5m.\n")
    lines = (
        "/documents",
        "/find wren",
        f"/attach '{more}'",
        f"/attach {more}",
        "/documents",
        "/find wren",
        "/find zebra",
        "/detach 2",
        "When does the wren sing?",
        "/detach more of it.md",
        "/documents",
        "And the wren?",
    )
    done = run("chat", said="\n".join(lines), LLM_BACKEND="openai")
    none = "There are no documents in this conversation: /attach FILE adds one."
    found = "more of it.md: A wren sings at [31mnoon5m."
    gone = "more of it.md is deleted, and with it what replies quoted of it."
    assert [line.strip() for line in done.out.splitlines()] == [
        none,
        *["more of it.md: 1 passage."] * 2,
        *(f"[{number}]\tmore of it.md\t1 passage" for number in (1, 2)),
        *(f"[{number}] {found}" for number in (1, 2)),
        "Nothing found.",
        gone,
        loopback.reply,
        gone,
        none,
        loopback.reply,
    ]
    assert [line for line in done.err.splitlines() if not line.startswith("openai · ")] == [none, f"[1] {found}"]
    assert "A wren sings" in loopback.requests[0]["messages"][-1]["content"]
    assert loopback.requests[1]["messages"][-1]["content"] == "And the wren?"
    assert done.code == 1  # one line failed


def test_what_a_chat_refuses_leaves_nothing(tmp_path: Path, run: Run, loopback: Loopback) -> None:
    (tmp_path / "a.exe").write_text("x")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe\xff")
    for line, why in (
        ("/attach", "name a file"),
        ("/attach none.pdf", "none.pdf: No such file or directory."),
        ("/attach .", ". is a folder: name a file."),
        ("/attach ~nobody-of-this-name/x.md", "Name a folder without ~"),
        ("/attach a.exe", "a.exe: files of this kind are not read"),
        ("/attach bad.md", "bad.md "),
        ("/attach a\0b", "zero byte"),
        ("/detach 1", "There are no documents"),
        ("/find", "say what is to be found"),
    ):
        done = run("chat", said=line, LLM_BACKEND="openai")
        assert (done.code, done.out, why in done.err) == (1, "", True), done.err
        assert len(done.err.splitlines()) == 1
    assert mine("terminal").listing() == []
    store = mine("terminal")
    assert run("chat", said="hi", LLM_BACKEND="openai").code == 0
    [kept] = store.listing()
    files.add(store, "a.md", b"one", kept.id)
    files.add(store, "a.md", b"two", kept.id)
    for line, why in (
        ("/detach a.mf", "Near: a.md"),
        ("/detach a.md", "2 documents"),
        ("/detach 3", "no such document"),
    ):
        assert why in run("chat", "--resume", said=line, LLM_BACKEND="openai").err


def test_find_needs_no_model(notes: Path, run: Run) -> None:
    more = notes.with_name("more.md")
    more.write_text("The lighthouse\nis closed.")
    found = run("find", "tall lighthouse", str(notes), str(more))
    assert (found.code, found.err) == (0, "")
    assert [line.partition(":")[0] for line in found.out.splitlines()] == ["[1] notes.pdf, page 7", "[2] more.md"]
    assert "The lighthouse is closed." in found.out
    one = json.loads(run("find", "lighthouse", str(more), str(more), "--json", "--top", "1").out)
    assert [(source["file"], source["quote"]) for source in one["sources"]] == [("more.md", more.read_text())]
    none = run("find", "zebra", str(more), "--json")
    assert (none.code, json.loads(none.out), none.err) == (1, {"sources": []}, "Nothing found.\n")


def test_what_is_no_passage_is_said(notes: Path, run: Run, loopback: Loopback) -> None:
    more = notes.with_name("more.md")
    more.write_text("A wren sings.")
    done = run("ask", "--file", str(more), "zebra?", "--json")
    said = json.loads(done.out)
    assert (said["sources"], said["note"][:42]) == ([], "No passage of the documents fits this ques")
    assert loopback.requests[-1]["messages"][-1]["content"] == "zebra?"


def test_what_is_refused_is_one_line(notes: Path, run: Run, loopback: Loopback) -> None:
    broken = notes.with_name("broken.pdf")
    broken.write_bytes(b"%PDF-1.4 and no more")
    odd = notes.with_name("\x1b[31m.exe")
    odd.write_text("x")
    for words, why in (
        (("ask", "hi", "--raw", "--file", str(notes)), "--raw and --file"),
        (("ask", "hi", "--file", "none.pdf"), "none.pdf: No such file or directory."),
        (("ask", "hi", "--file", "."), ". is a folder"),
        (("ask", "hi", "--file", "/dev/null"), "/dev/null is no file"),
        (("ask", "hi", "--file", str(broken)), "broken.pdf is damaged or cut short"),
        (("find", "hi", str(odd)), "[31m.exe: files of this kind are not read"),
        (("find", str(notes), "hi"), "The words come first"),
        (("find", " ", str(notes)), "WORDS is empty"),
    ):
        done = run(*words)
        assert (done.code, done.out, why in done.err) == (2, "", True), done.err
        assert len(done.err.splitlines()) == 1
        assert "\x1b" not in done.err
    assert "DOCUMENTS_MAX_BYTES" in run("find", "x", str(notes), DOCUMENTS_MAX_BYTES="9").err
    assert loopback.requests == []


def test_ask_reads_a_file_whole_and_names_what_was_quoted_of_it(notes: Path, run: Run, loopback: Loopback) -> None:
    loopback.answer, loopback.read = answer, 6000
    done = run("ask", "--file", str(notes), "--whole", QUESTION, "--backend", "openai")
    number = done.out.strip().rpartition("[")[2].removesuffix("]")
    assert int(number) > 7  # of all sections, several a page
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == [f"[{number}] notes.pdf, page 7"]
    assert str(loopback.requests[-1]["messages"][-1]["content"]).count("Chapter ") == 20
    loopback.answer = lambda asked: FACT
    done = run("ask", "--file", str(notes), QUESTION, "--backend", "openai", "--json")
    [mentioned] = [source for source in json.loads(done.out)["sources"] if source["mentions"]]
    assert mentioned["mentions"] == [{"start": len(FACT), "end": len(FACT), "by": "server"}]
    assert FACT in " ".join(mentioned["quote"].split())
    assert "name what is to be read whole" in run("ask", "--whole", QUESTION).err


@needs_scans
def test_find_in_a_picture_and_in_a_scan(tmp_path: Path, run: Run) -> None:
    (tmp_path / "page.png").write_bytes(encode(draw(lines("Notes of the keeper", FACT), size=(1600, 400))))
    sheets = [(draw(lines(text), size=(1600, 2000)), "") for text in ("A quiet harbour.", FACT)]
    (tmp_path / "scan.pdf").write_bytes(scan(sheets))
    found = run("find", "How tall is the lighthouse?", "page.png", "scan.pdf")
    assert (found.code, found.err) == (0, "")
    assert sorted(line[4:] for line in found.out.splitlines()) == [
        f"page.png, page 1: Notes of the keeper {FACT}",
        f"scan.pdf, page 2: {FACT}",
    ]
    [source] = json.loads(run("find", "tall", "scan.pdf", "--json").out)["sources"]
    assert (source["page"], len(source["region"]), len(source["region"][0])) == (2, 1, 4)
    assert "document" not in source


def test_where_nothing_reads_pictures_the_requirements_are_named(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = draw(lines(FACT), size=(1200, 1697))
    (tmp_path / "page.png").write_bytes(encode(page))
    (tmp_path / "scan.pdf").write_bytes(scan([(page, "")]))
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_SCANS)
    monkeypatch.setitem(load.ENVIRONMENT, "PYTHONPATH", str(tmp_path))  # as if it were not there, in the child too
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    for name in ("page.png", "scan.pdf"):
        told = run("find", "How tall?", name)
        assert told.code != 0
        assert "pip install -r requirements-scans.txt" in told.err
        assert len(told.err.splitlines()) == 1
