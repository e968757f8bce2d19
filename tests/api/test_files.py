"""Documents over the API: OpenAI's own client and curl, on the shipped model and on a server."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openpyxl import Workbook  # type: ignore[import-untyped]
from sqlalchemy import func, select

from api.http import form
from conversations.store.database import connect
from conversations.store.schema import Conversation, Document, Message
from tests.api.conftest import Serve
from tests.api.process import served
from tests.conftest import free_port
from tests.loopback import KEY, Loopback, running
from tests.pdf import pdf

pytestmark = pytest.mark.server  # PDF files are read in a process of their own

FACT = "The lighthouse of Port Selden was built in 1874 by the engineer Ada Marlow."
PAGES = [
    f"Chapter {n}. The harbour master counted {n * 11} ships, and wrote of fog and of herring." for n in range(1, 21)
]
PAGES[6] = FACT + " Its lamp burned whale oil."
BOOK = pdf(PAGES)
QUESTION = "Who built the lighthouse of Port Selden?"
ASKED: Any = [{"role": "user", "content": QUESTION}]
LARGEST = 60_000
ONE, TWO = "the-key-of-the-first-caller", "the-key-of-the-second-caller"


@dataclass
class House:
    """A server with two callers, the server that its `openai` backend asks, and the database."""

    url: str
    loopback: Loopback
    database: str
    log: Path

    def client(self, key: str = ONE) -> OpenAI:
        """OpenAI's own, which tries nothing twice."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    def post(self, path: str, key: str = ONE, **given: Any) -> httpx.Response:
        return httpx.post(self.url + path, headers={"Authorization": f"Bearer {key}"}, timeout=300, **given)

    def kept(self) -> tuple[int, ...]:
        """How many conversations, messages and documents there are."""
        with connect(self.database).reading() as session:
            return tuple(
                session.scalar(select(func.count()).select_from(t)) or 0 for t in (Conversation, Message, Document)
            )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this file."""
    folder = tmp_path_factory.mktemp("house")
    database = f"sqlite:///{folder}/conversations.db"
    with (
        running(free_port()) as loopback,
        served(
            folder,
            DATABASE_URL=database,
            API_KEYS=f"{ONE},{TWO}",
            OPENAI_BASE_URL=loopback.url,
            OPENAI_API_KEY=KEY,
            DOCUMENTS_MAX_BYTES=str(LARGEST),
            MAX_BODY_BYTES="20000",
            MAX_TOKENS="8",
        ) as process,
    ):
        yield House(process.url, loopback, database, process.log)


@pytest.fixture(scope="module")
def book(house: House) -> str:
    """The id of the book, which the first caller gave."""
    with house.client() as client:
        return client.files.create(file=("book.pdf", BOOK), purpose="assistants").id


def page_seven(sources: Any, number: int | None = 1) -> None:
    """The best passage is the one of page 7, word for word; in a reply it has a number."""
    assert sources[0].get("number") == number
    assert [*sources[0]][:5] == ["file", "page", "place", "quote", "score"]
    assert (sources[0]["file"], sources[0]["page"]) == ("book.pdf", 7)
    assert " ".join(sources[0]["quote"].split()).startswith(FACT)
    assert sources[0]["score"] > 0


def curl(house: House, *more: str) -> Any:
    command = ["curl", "-sS", "-H", f"Authorization: Bearer {ONE}", *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def test_openais_client_keeps_lists_reads_and_deletes_files(house: House) -> None:
    before = house.kept()
    with house.client() as client, house.client(TWO) as other:
        made = client.files.create(file=("notes.md", b"# Notes\n\nThe ferry leaves at noon."), purpose="user_data")
        late = client.files.create(file=("late.txt", BytesIO(b"The ferry is late.")), purpose="assistants")
        assert (made.object, made.filename, made.status, made.bytes) == ("file", "notes.md", "processed", 34)
        assert (made.model_extra or {}) == {"pages": None, "passages": 1, "vectors": 0}
        refused = house.post(f"/v1/files/{made.id}/vectors")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "embeddings_off")
        assert "by words alone: EMBEDDINGS=none" in refused.json()["error"]["message"]
        assert house.post(f"/v1/files/{made.id}/vectors", TWO).status_code == 404
        assert abs(made.created_at - time.time()) < 3600
        assert client.files.retrieve(made.id) == made
        assert client.files.content(made.id).text == "# Notes\n\nThe ferry leaves at noon."
        listed = [each.id for each in client.files.list(limit=1)]  # the client asks on, page by page
        assert [each for each in listed if each in {made.id, late.id}] == [late.id, made.id]
        assert [each.id for each in client.files.list(order="asc", after=made.id)][-1:] == [late.id]
        assert not {made.id, late.id} & {each.id for each in other.files.list()}
        for ask in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError, match=made.id):
                ask(made.id)
        for each in (made, late):
            gone = client.files.delete(each.id)
            assert (gone.id, gone.deleted, gone.object) == (each.id, True, "file")
        with pytest.raises(openai.NotFoundError, match=made.id):
            client.files.content(made.id)
    assert house.kept() == before


def test_a_search_asks_no_model_and_nobody_elses_files(house: House, book: str) -> None:
    asked: dict[str, Any] = {"query": QUESTION, "files": [book], "top": 2}
    few = house.post("/v1/files/search", json={**asked, "query": "What did the harbour master count?"}).json()["data"]
    assert len(few) == 2
    found = house.post("/v1/files/search", json=asked).json()
    assert found["object"] == "list"
    page_seven(found["data"], None)
    assert house.post("/v1/files/search", json={**asked, "query": "zebra quantum"}).json()["data"] == []
    assert not house.loopback.requests
    for key, ids in ((TWO, [book]), (ONE, [book, "file-nobody"])):
        answer = house.post("/v1/files/search", key, json={**asked, "files": ids})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert ids[-1] in answer.json()["error"]["message"]
    wrongs: list[dict[str, Any]] = [{"files": []}, {"query": ""}, {"top": 0}, {"top": 51}, {"files": [5]}, {"more": 1}]
    for wrong in wrongs:
        assert house.post("/v1/files/search", json={**asked, **wrong}).status_code == 400, wrong


def test_a_search_in_a_workbook_names_its_cells(house: House) -> None:
    book, file = Workbook(), BytesIO()
    for row in (["place", "height"], ["Ardmore", 12.5], ["Bantry", 8]):
        book.active.append(row)
    book.save(file)
    with house.client() as client:
        kept = client.files.create(file=("lights.xlsx", file.getvalue()), purpose="assistants")
    found = house.post("/v1/files/search", json={"query": "How tall is Ardmore?", "files": [kept.id]}).json()["data"]
    assert [(each["file"], each["page"], each["place"]) for each in found] == [("lights.xlsx", None, "Sheet!A2:B3")]
    assert found[0]["quote"] == "place: Ardmore\nheight: 12.5\n\nplace: Bantry\nheight: 8"


@pytest.mark.parametrize("model", ["llamacpp", "openai"])
def test_a_chat_about_page_seven_cites_page_seven(house: House, book: str, model: str) -> None:
    with house.client() as client:
        named: Any = {"model": model, "messages": ASKED, "max_tokens": 8, "extra_body": {"files": [book]}}
        whole = client.chat.completions.create(**named, n=2)
        page_seven((whole.model_extra or {})["sources"])
        assert len(whole.choices) == 2
        assert whole.choices[0].message.content
        chunks = list(client.chat.completions.create(**named, stream=True, stream_options={"include_usage": True}))
    told = [chunk for chunk in chunks if "sources" in (chunk.model_extra or {})]
    assert [chunk.choices[0].finish_reason is not None for chunk in told] == [True]
    page_seven((told[0].model_extra or {})["sources"])
    assert chunks[-1].usage is not None
    if model == "openai":
        system, question = house.loopback.requests[-1]["messages"]
        assert FACT in " ".join(question["content"].split())
        assert QUESTION in question["content"]
        assert system["role"] == "system"
    else:
        assert whole.usage is not None
        assert whole.usage.prompt_tokens > 60  # the passages are counted


def test_without_files_no_byte_of_an_answer_is_another(house: House, book: str) -> None:
    asked = {"model": "openai", "messages": ASKED}
    plain = house.post("/v1/chat/completions", json=asked)
    assert list(plain.json()) == ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]
    assert house.loopback.requests[-1]["messages"] == ASKED
    assert "sources" not in house.post("/v1/chat/completions", json={**asked, "stream": True}).text
    unfit = house.post(
        "/v1/chat/completions", json={"messages": [{"role": "user", "content": "zebra"}], "files": [book]}
    )
    assert unfit.json()["sources"] == []
    assert house.post("/v1/chat/completions", json={**asked, "files": []}).json()["sources"] == []


def test_a_chat_with_somebody_elses_file_is_404(house: House, book: str) -> None:
    asked = len(house.loopback.requests)
    for key, number in ((TWO, book), (ONE, "file-nobody")):
        answer = house.post("/v1/chat/completions", key, json={"model": "openai", "messages": ASKED, "files": [number]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert number in answer.json()["error"]["message"]
    assert house.post("/v1/chat/completions", json={"messages": ASKED, "files": "x"}).status_code == 400
    assert len(house.loopback.requests) == asked


def test_predict_takes_files_and_keeps_them_for_the_session(house: House, tmp_path: Path) -> None:
    (tmp_path / "book.pdf").write_bytes(BOOK)
    (tmp_path / "ferry.txt").write_text("The ferry to Marstrand leaves at noon.")
    fields = (f"text={QUESTION}", "persona=beekeeper", "temperature=0", "stop=##", "stop=%%")
    attached = (f"files=@{tmp_path}/book.pdf", f"files=@{tmp_path}/ferry.txt")
    found = curl(house, f"{house.url}/predict", *(part for field in (*fields, *attached) for part in ("-F", field)))
    page_seven(found["sources"])
    session = {"session_id": found["session_id"]}
    assert found["reply"].strip()
    later = house.post("/predict", json={"text": "When does the ferry to Marstrand leave?", **session}).json()
    assert (later["sources"][0]["file"], later["sources"][0]["page"]) == ("ferry.txt", None)
    foreign = house.post("/predict", TWO, data={"text": "hi", **session}, files={"files": ("a.txt", b"one")})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "session_not_found")
    documents = house.kept()[2]
    assert house.post("/reset", json=session).status_code == 200
    assert house.kept()[2] == documents - 2
    assert house.post("/predict", json={"text": QUESTION, **session}).json()["sources"] == []


def test_predict_on_a_server_cites_page_seven(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    first = client.post("/predict", json={"text": "hi"}).json()
    assert first["sources"] == []
    book = {"files": ("book.pdf", BOOK)}
    found = client.post("/predict", data={"text": QUESTION}, files=book).json()  # the session of the cookie
    page_seven(found["sources"])
    assert found["session_id"] == first["session_id"]
    assert FACT in " ".join(loopback.requests[-1]["messages"][-1]["content"].split())
    page_seven(client.post("/predict", json={"text": QUESTION}).json()["sources"])
    refused = client.get("/v1/files")  # without keys all callers are one
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "key_needed")


BAD: list[tuple[str, bytes, str]] = [
    ("notes.exe", b"MZ", "notes.exe"),
    ("empty.txt", b"", "empty.txt"),
    ("no.pdf", b"plain words", "no.pdf"),
    ("../../etc/pass\nwd.csv", b"\x00\x01", "pass"),
]


def test_a_file_that_cannot_be_read_is_400_and_named(house: House) -> None:
    before = house.kept()
    for name, data, told in BAD:
        answer = house.post("/v1/files", files={"file": (name, data)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_file")
        assert answer.json()["error"]["message"].startswith(told)
    assert house.kept() == before


@pytest.mark.parametrize("name", ["lamp.html", "lamp.txt", "lamp.csv"])
@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251", '"ISO-8859-5"'])
def test_a_text_is_of_the_charset_that_its_part_of_the_form_names(house: House, name: str, charset: str) -> None:
    client = house.client(ONE)
    text = "Лампа зелёная."
    if name.endswith("html"):
        text = f'<meta charset="utf-8"><p>{text}'  # a server that wrote its header knows better
    part = (name, text.encode(charset.strip('"')), f"text/plain; charset={charset}")
    row = client.files.create(file=part, purpose="user_data")
    found = house.post("/v1/files/search", json={"query": "лампа", "files": [row.id]})
    assert "Лампа зелёная" in found.text
    assert row.bytes == len(part[1])
    client.files.delete(row.id)


def test_of_two_files_one_of_which_is_bad_nothing_is_kept(house: House) -> None:
    before = house.kept()
    files = [("files", ("good.txt", b"The ferry leaves at noon.")), ("files", ("cut.pdf", BOOK[:3000]))]
    answer = house.post("/predict", data={"text": "When?"}, files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_file")
    assert answer.json()["error"]["message"].startswith("cut.pdf")
    assert "set-cookie" not in answer.headers
    assert house.kept() == before


def test_a_session_that_was_there_stays_as_it_was(house: House) -> None:
    session = house.post("/predict", json={"text": "hi"}).json()["session_id"]
    assert house.post("/reset", json={"session_id": session}).status_code == 200
    before = house.kept()
    fields = {"text": "When?", "session_id": session, "persona": "nurse"}
    files = [("files", ("good.txt", b"The ferry leaves at noon.")), ("files", ("no.pdf", b"plain words"))]
    assert house.post("/predict", data=fields, files=files).json()["error"]["code"] == "invalid_file"
    assert house.kept() == before
    with connect(house.database).reading() as reading:
        assert reading.get_one(Conversation, session).persona is None
    fields["persona"] = "beekeeper"
    assert house.post("/predict", json=fields).json()["sources"] == []


FILE: dict[str, Any] = {"files": ("a.txt", b"one")}
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("/predict", {"files": FILE}, "invalid_value", "text"),
    ("/predict", {"data": {"text": " "}, "files": FILE}, "", ""),
    ("/predict", {"data": {"text": "hi", "txet": "x"}, "files": FILE}, "unknown_parameter", "txet"),
    ("/predict", {"data": {"text": "hi", "temperature": "hot"}, "files": FILE}, "invalid_value", "temperature"),
    ("/predict", {"data": {"text": ["a", "b"]}, "files": FILE}, "invalid_value", "text"),
    ("/predict", {"data": {"text": "hi", "mode": "complete"}, "files": FILE}, "invalid_value", "files"),
    ("/predict", {"data": {"text": "hi"}, "files": {"file": ("a.txt", b"one")}}, "invalid_value", "file"),
    ("/predict", {"data": {"text": "hi"}, "files": {"files": (None, "one")}}, "invalid_value", "files"),
    ("/predict", {"data": {"text": "hi"}, "files": [("files", ("a.txt", b"one"))] * 21}, "invalid_form", ""),
    ("/v1/files", {"files": {"purpose": (None, "assistants")}}, "invalid_value", "file"),
    ("/v1/files", {"files": [("file", ("a.txt", b"one"))] * 2}, "invalid_value", "file"),
    ("/v1/files", {"data": {"expires": "1"}, "files": {"file": ("a.txt", b"one")}}, "unknown_parameter", "expires"),
    ("/v1/files", {"json": {"file": "a"}}, "invalid_form", ""),
    ("/v1/files", {"content": b"x", "headers": {"Content-Type": form.MULTIPART}}, "invalid_form", ""),
    ("/v1/files", {"content": b"x", "headers": {"Content-Type": f"{form.MULTIPART}; boundary=b"}}, "invalid_form", ""),
]


def test_wrong_forms_are_told_what_is_wrong(house: House) -> None:
    before = house.kept()
    for path, given, code, param in WRONG:
        headers = {"Authorization": f"Bearer {ONE}", **given.pop("headers", {})}
        answer = httpx.post(house.url + path, headers=headers, **given)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"] or "", error["param"] or "") == (400, code, param), error
    assert house.kept() == before


def test_too_large_a_file_is_413(house: House) -> None:
    before = house.kept()
    for path, name in (("/v1/files", "file"), ("/predict", "files")):
        fields = {"text": "hi"} if path == "/predict" else {}
        answer = house.post(path, data=fields, files={name: ("big.txt", b"word " * (LARGEST // 5 + 1))})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "file_too_large")
        assert answer.json()["error"]["message"].startswith("big.txt has 0.1 MB; at most")
        answer = house.post(path, data=fields, files={name: ("huge.txt", b"word " * LARGEST)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert "DOCUMENTS_MAX_BYTES" in answer.json()["error"]["message"]
    answer = house.post("/predict", data={"text": "x" * 20_001}, files=FILE)
    assert answer.status_code == 400
    assert house.kept() == before


def test_a_length_that_is_told_is_refused_before_a_byte_is_sent(house: House) -> None:
    host, _, port = house.url.removeprefix("http://").partition(":")
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Authorization: Bearer {ONE}\r\nContent-Length: 999999999\r\n\r\n"
    )
    for text, status in ((head, b"413"), (head.replace(ONE, "wrong"), b"401")):
        with socket.create_connection((host, int(port)), timeout=300) as connection:
            connection.sendall(text.encode())
            assert connection.recv(12) == b"HTTP/1.1 " + status


def test_a_file_may_take_longer_than_a_body_as_long_as_it_comes(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "DEADLINE_BYTES", 1000)
    client = serve(SEND_TIMEOUT="1.5")
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.exe"\r\n\r\n'

    def steadily() -> Iterator[bytes]:
        yield head
        for _ in range(5):
            time.sleep(0.4)
            yield b"word " * 300
        yield b"\r\n--b--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/files", content=steadily(), headers=kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_file")  # all of it was read
    host, port = str(client.base_url.host), client.base_url.port or 0
    with socket.create_connection((host, port), timeout=300) as connection:
        lines = (f"{name}: {value}\r\n" for name, value in {"Host": host, "Content-Length": 9999, **kind}.items())
        connection.sendall(b"POST /v1/files HTTP/1.1\r\n" + "".join(lines).encode() + b"\r\n" + head)
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_the_log_names_no_file_and_no_word(house: House, book: str) -> None:
    log = house.log.read_text()
    assert "/v1/files/{file_id}" in log
    for word in (book, "book.pdf", "lighthouse", "notes.md", "good.txt", "cut.pdf", ONE):
        assert word not in log
