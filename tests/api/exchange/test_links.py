"""Links to conversations over the API: what a stranger with one reads, and nothing else."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from conversations import exchange
from conversations.store import NotFoundError, Store, links
from tests.api.conftest import Serve
from tests.api.exchange.test_exports import KEYS, owner_of, talk
from tests.conversations.exchange.made import PERSONA, message
from tests.conversations.talk import texts

SECRETS = ("Be secretive", "I have bees", "notes.txt", "the quoted words", "read_page", "a thought", "so-called error")
QUOTED = "Here the quoted words are."


def secretive() -> dict[str, Any]:
    """A conversation with everything that a link shows only where it is wanted, or never."""
    document = {
        "name": "notes.txt",
        "kind": "text",
        "bytes": 20,
        "created": 1.0,
        "pages": ["Here the quoted words are."],
    }
    call = {
        **{"step": 0, "position": 0, "call_id": "c", "name": "read_page", "origin": "own", "arguments": "{}"},
        **{
            "result": "It is closed.",
            "status": "done",
            "asked": 1.0,
            "decided": 1.0,
            "finished": 2.0,
            "decided_by": None,
        },
    }
    source = {"document": 0, "begins": 0, "score": 1.0}
    reply = message(1, 0, "assistant", text="An answer [1]", thinking="a thought", sources=[source], calls=[call])
    other = message(2, 0, "assistant", text="Another answer", error="so-called error", state="failed")
    hidden = message(3, 1, text="nobody reads this", extra={"hidden": True})
    shown = message(4, 3, text="<script>alert(1)</script> and?")
    return talk(
        [message(0), reply, other, hidden, shown], system="Be secretive", documents=[document], head=4, persona=None
    )


def made(client: httpx.Client, identity: str, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"/conversations/{identity}/links", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def client(serve: Serve) -> httpx.Client:
    client = serve(SHARE_LINKS="1", **KEYS)
    client.headers["Authorization"] = "Bearer sk-one"
    return client


def stranger(client: httpx.Client, path: str) -> httpx.Response:
    return httpx.get(f"{client.base_url}{path}", timeout=300)


def test_a_stranger_reads_what_was_said_and_nothing_else(client: httpx.Client) -> None:
    store = owner_of(client)
    identity = exchange.import_conversation(store, secretive())
    link = made(client, identity)
    page = stranger(client, link["path"])
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == f"{exchange.content_policy()}; frame-ancestors 'none'"
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "An answer [1]" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    for secret in (*SECRETS, "nobody reads this", "Another answer", identity, "<script", store.owner):
        assert secret not in page.text
    for route in (f"/conversations/{identity}/export", "/links", f"{link['path']}/copy"):
        assert stranger(client, route).status_code in {401, 405}


def test_documents_calls_thoughts_and_branches_are_shown_where_that_is_chosen(client: httpx.Client) -> None:
    identity = exchange.import_conversation(owner_of(client), secretive())
    link = made(client, identity, documents=True, branches=True)
    page = stranger(client, link["path"]).text
    for shown in ("Documents: notes.txt", "the quoted words", "read_page", "a thought"):
        assert shown in page
    assert "so-called error" not in page
    [end] = re.findall(r'href="\?end=(\d+)"', page)
    other = stranger(client, f"{link['path']}?end={end}").text
    assert "Another answer" in other
    assert "An answer" not in other
    assert "An answer" in stranger(client, f"{link['path']}?end=99").text


def test_what_is_said_later_is_not_shown(client: httpx.Client) -> None:
    store = owner_of(client)
    identity = exchange.import_conversation(store, secretive())
    link = made(client, identity)
    before = stranger(client, link["path"]).text
    store.update(identity, title="Another title")
    with store.database.writing() as session:
        store.message_row(session, store.thread(identity).messages[1].id).text = "rewritten"
    assert stranger(client, link["path"]).text == before


def test_it_is_listed_expires_is_revoked_and_goes_with_its_conversation(client: httpx.Client) -> None:
    store = owner_of(client)
    identity = exchange.import_conversation(store, secretive())
    first, second, third = (made(client, identity, days=days) for days in (1, 2, 3))
    assert [each["id"] for each in client.get("/links").json()["links"]] == [third["id"], second["id"], first["id"]]
    other = client.delete(f"/links/{first['id']}", headers={"Authorization": "Bearer sk-two"})
    assert (other.status_code, stranger(client, first["path"]).status_code) == (404, 200)
    assert client.delete(f"/links/{first['id']}").json() == {"id": first["id"], "revoked": True}
    expired, _ = exchange.share(store, identity, -1)
    store.delete(identity)
    gone = [stranger(client, each["path"]) for each in (first, second, third)]
    assert {each.status_code for each in (*gone, stranger(client, "/shared/nonsense"))} == {404}
    assert {each.json()["error"]["message"] for each in gone} == {links.GONE}
    assert client.get("/links").json() == {"links": []}
    with pytest.raises(NotFoundError):
        links.revoke(store, expired.id)


def test_a_stranger_goes_on_with_a_copy_of_his_own(client: httpx.Client) -> None:
    identity = exchange.import_conversation(owner_of(client), secretive())
    link = made(client, identity, documents=True)
    theirs = {"Authorization": "Bearer sk-two"}
    copied = client.post(f"{link['path']}/copy", headers=theirs).json()["conversation_id"]
    other = owner_of(client, "sk-two")
    assert texts(other, copied) == ["text 0", "An answer [1]", "<script>alert(1)</script> and?"]
    assert copied != identity
    assert client.post(f"{link['path']}/copy", headers=theirs).json()["conversation_id"] == copied
    assert client.post(f"{link['path']}/copy").json()["conversation_id"] != copied


def test_the_token_is_kept_and_logged_nowhere(
    client: httpx.Client, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    store = owner_of(client)
    link = made(client, exchange.import_conversation(store, secretive()))
    token = link["path"].removeprefix("/shared/")
    assert len(token) >= 43  # 256 bits
    with caplog.at_level("DEBUG"):
        stranger(client, link["path"])
        client.post(f"{link['path']}/copy")
        stranger(client, f"/shared/{token}x")
    metrics = client.get("/metrics").text
    assert "/shared/{token}" in metrics
    said = capfd.readouterr()
    logged = "".join(record.getMessage() + str(vars(record)) for record in caplog.records if record.name != "httpx")
    assert "/shared/{token}" in logged + said.err
    for kept in (metrics, said.out + said.err.replace("HTTP Request", ""), *tables(store)):
        assert token not in kept
    assert token not in "".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))


def tables(store: Store) -> list[str]:
    """All bytes of the database's files, as text."""
    assert store.database.file is not None
    folder: Path = store.database.file.parent
    return [path.read_bytes().decode("latin-1") for path in folder.iterdir() if path.is_file()]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"days": 31}, "days=31: at most 30 (SHARE_LINK_DAYS)."), ({"days": 0}, "days"), ({"pages": True}, "pages")],
)
def test_what_cannot_be_is_refused(client: httpx.Client, fields: dict[str, Any], words: str) -> None:
    identity = exchange.import_conversation(owner_of(client), secretive())
    answer = client.post(f"/conversations/{identity}/links", json=fields)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    theirs = client.post(f"/conversations/{identity}/links", json={}, headers={"Authorization": "Bearer sk-two"})
    assert theirs.status_code == 404


def test_nothing_is_opened_where_links_are_off(serve: Serve) -> None:
    client = serve(**KEYS)
    client.headers["Authorization"] = "Bearer sk-one"
    store = owner_of(client)
    identity = exchange.import_conversation(store, talk([message(0), message(1, 0, "assistant")], persona=PERSONA))
    _, token = exchange.share(store, identity, 1)
    answers = [
        client.post(f"/conversations/{identity}/links", json={}),
        client.get("/links"),
        stranger(client, f"/shared/{token}"),
    ]
    assert {(each.status_code, each.json()["error"]["code"]) for each in answers} == {(404, "links_off")}
