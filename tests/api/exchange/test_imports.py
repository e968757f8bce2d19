"""Files of other programs and of this one, taken in over the API."""

import io
import json
import zipfile
from typing import Any

import httpx

from tests.api.conftest import Serve
from tests.conversations.exchange.made import FIXTURES

KEYS = {"API_KEYS": "sk-one,sk-two"}
PROJECT = {"uuid": "p-1", "name": "Lights", "prompt_template": "Speak of lights.", "docs": []}


def send(client: httpx.Client, name: str, data: bytes, **headers: str) -> httpx.Response:
    return client.post("/conversations/import", files={"file": (name, data)}, headers=headers)


def claude() -> bytes:
    """Claude's zip, with a project that its conversation is in."""
    talk = {**json.loads((FIXTURES / "claude.json").read_text())[0], "project_uuid": "p-1"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([talk]))
        archive.writestr("projects.json", json.dumps([PROJECT]))
    return packed.getvalue()


def test_what_another_program_exports_comes_in_and_goes_on(serve: Serve) -> None:
    client = serve(**KEYS)
    client.headers["Authorization"] = "Bearer sk-one"
    told = send(client, "claude.zip", claude()).json()
    assert (told["programs"], told["projects"], told["skipped"]) == (["Claude"], ["Lights"], [])
    assert told["lines"][0] == "1 added from Claude, 0 there already; projects: Lights."
    assert any("not kept: files" in line for line in told["lines"]), "as the page says it"
    [identity] = told["added"]
    [project] = client.get("/projects").json()["data"]
    assert [each["session_id"] for each in client.get(f"/projects/{project['id']}/sessions").json()["data"]] == [
        identity
    ]
    [kept] = client.get(f"/conversations/{identity}/export").json()["conversations"]
    assert kept["title"] == "The lamp at Skerry"
    said = client.post("/predict", json={"text": "hi", "session_id": identity, "max_tokens": 4}).json()
    assert said["session_id"] == identity
    other = client.get(f"/conversations/{identity}/export", headers={"Authorization": "Bearer sk-two"})
    assert other.status_code == 404, "it is nobody else's"


def test_a_card_is_a_persona_and_our_own_file_is_there_already(serve: Serve) -> None:
    client = serve()
    told = send(client, "card.json", (FIXTURES / "card-v2.json").read_bytes()).json()
    assert (told["programs"], told["personas"], len(told["added"])) == (["a character's card"], ["Keeper"], 1)
    ours = client.get(f"/conversations/{told['added'][0]}/export").content
    again = send(client, "anything.txt", ours).json()
    assert (again["programs"], again["added"], again["skipped"]) == ([], [], told["added"])


def test_a_file_that_is_none_brings_nothing(serve: Serve) -> None:
    client = serve(**KEYS, IMPORT_MAX_BYTES="1000", MAX_BODY_BYTES="1000")
    client.headers["Authorization"] = "Bearer sk-one"

    def refusal(answer: httpx.Response) -> tuple[int, Any, Any]:
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["message"]

    status, code, text = refusal(send(client, "notes.json", b'{"a": 1}'))
    assert (status, code) == (400, "invalid_file")
    assert text.startswith("notes.json: it is not a chat export that is known: this program, ")
    status, code, text = refusal(send(client, "cut.json", b'[{"uuid": "1", "chat_messages": ['))
    assert (status, code) == (400, "invalid_file")
    assert text.startswith("cut.json: ")
    assert refusal(send(client, "large.json", b"[" + b" " * 2_000 + b"]"))[:2] == (413, "body_too_large")
    assert refusal(client.post("/conversations/import", json={}))[:2] == (400, "invalid_form")
    two = [("file", ("a.json", b"[]")), ("file", ("b.json", b"[]"))]
    assert refusal(client.post("/conversations/import", files=two))[:2] == (400, "invalid_value")
    named = client.post("/conversations/import", files={"file": ("a.json", b"[]")}, data={"owner": "me"})
    assert refusal(named)[0] == 400
    assert send(client, "notes.json", b"[]", Authorization="Bearer wrong").status_code == 401
    assert client.get("/projects").json()["data"] == []
