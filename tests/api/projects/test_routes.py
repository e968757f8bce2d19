"""/projects by a real client: made, filled, talked in, searched, left and deleted, by whoever owns them alone."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Serve
from tests.loopback import Loopback

KEYS = "a-key-of-32-characters-at-the-least,another-of-32-characters-at-least"
FERRY = b"The ferry leaves at nine. It costs four crowns."


@pytest.fixture
def client(serve: Serve, loopback: Loopback) -> httpx.Client:
    """Of the first key; what answers is scripted."""
    made = serve(LLM_BACKEND="openai", API_KEYS=KEYS)
    made.headers["Authorization"] = f"Bearer {KEYS.split(',')[0]}"
    return made


def prompt(loopback: Loopback) -> str:
    return "\n".join(str(message["content"]) for message in loopback.requests[-1]["messages"])


def make(client: httpx.Client, **fields: Any) -> str:
    answer = client.post("/projects", json={"name": "Garden", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def say(client: httpx.Client, text: str, **fields: Any) -> str:
    answer = client.post("/predict", json={"text": text, **fields})
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return str(answer.json()["session_id"])


def test_sessions_of_a_project_are_answered_with_its_prompt_files_and_tools(
    client: httpx.Client, loopback: Loopback
) -> None:
    project = make(client, system="Answer as a gardener.", tools=["calculator"])
    kept = client.post(f"/projects/{project}/files", files={"file": ("ferry.txt", FERRY)})
    assert (kept.status_code, kept.json()["filename"]) == (200, "ferry.txt")
    assert client.get("/v1/files").json()["data"] == []
    session = say(client, "When does the ferry leave?", project=project)
    assert prompt(loopback).startswith("Answer as a gardener.")
    assert "leaves at nine" in prompt(loopback)
    assert [tool["function"]["name"] for tool in loopback.requests[-1]["tools"]] == ["calculator"]
    say(client, "And now?", session_id=session, tools=[])
    assert "tools" not in loopback.requests[-1]
    changed = client.patch(f"/projects/{project}", json={"persona": "beekeeper", "name": " The  bees "})
    assert (changed.json()["name"], changed.json()["persona"]) == ("The bees", "beekeeper")
    say(client, "Who are you?", session_id=session)
    assert "Answer as a gardener." not in prompt(loopback)
    assert client.delete(f"/v1/files/{kept.json()['id']}").status_code == 200
    say(client, "When does the ferry leave?", session_id=session)
    assert "leaves at nine" not in prompt(loopback)


def test_what_a_project_names_answers(client: httpx.Client, loopback: Loopback) -> None:
    project = make(client, model="llamacpp")
    answer = client.post("/predict", json={"text": "hi", "project": project, "max_tokens": 2}).json()
    assert answer["backend"] == "llamacpp"
    assert client.patch(f"/projects/{project}", json={"model": "default"}).json()["model"] is None
    named = {"text": "hi", "session_id": answer["session_id"]}
    assert client.post("/predict", json=named).json()["backend"] == "openai"
    for field, value, status in (("model", "gpt-9", 404), ("persona", "nobody", 404), ("tools", ["hammer"], 400)):
        refused = client.patch(f"/projects/{project}", json={field: value})
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, field)


def test_sessions_are_listed_moved_and_found_within(client: httpx.Client) -> None:
    garden, boats = make(client), make(client, name="Boats")
    oak, elm = say(client, "an oak", project=garden), say(client, "an elm")
    listed = client.get(f"/projects/{garden}/sessions").json()
    assert ([each["session_id"] for each in listed["data"]], listed["has_more"]) == ([oak], False)
    found = client.post(f"/projects/{garden}/search", json={"query": "elm"}).json()
    assert found == {"data": []}
    assert client.put(f"/projects/{garden}/sessions/{elm}").json()["project"] == garden
    found = client.post(f"/projects/{garden}/search", json={"query": "elm"}).json()
    assert [(each["session_id"], each["snippet"]) for each in found["data"]] == [(elm, "an elm")]
    refused = client.post("/predict", json={"text": "hi", "session_id": elm, "project": boats})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "project_differs")
    assert client.delete(f"/projects/{boats}/sessions/{elm}").status_code == 404
    assert client.delete(f"/projects/{garden}/sessions/{elm}").json()["project"] is None
    page = client.get(f"/projects/{garden}/sessions", params={"limit": 1, "offset": 0}).json()
    assert ([each["session_id"] for each in page["data"]], page["has_more"]) == ([oak], False)
    assert [each["name"] for each in client.get("/projects").json()["data"]] == ["Boats", "Garden"]


def test_a_deletion_says_what_becomes_of_the_sessions(client: httpx.Client) -> None:
    first, second = make(client), make(client)
    kept, gone = say(client, "an oak", project=first), say(client, "an elm", project=second)
    assert client.delete(f"/projects/{first}").status_code == 400
    assert client.delete(f"/projects/{first}", params={"sessions": "keep"}).json()["deleted"]
    assert client.delete(f"/projects/{second}", params={"sessions": "delete"}).json()["sessions"] == "delete"
    assert client.post("/predict", json={"text": "hi", "session_id": kept}).status_code == 200
    assert client.post("/predict", json={"text": "hi", "session_id": gone}).status_code == 404
    assert client.post("/predict", json={"text": "hi", "project": first}).status_code == 404


def test_a_project_is_one_file(client: httpx.Client) -> None:
    project = make(client, system="Prune.", model="llamacpp")
    client.post(f"/projects/{project}/files", files={"file": ("ferry.txt", FERRY)})
    say(client, "an oak", project=project)
    kept = client.get(f"/projects/{project}/export")
    assert (kept.status_code, kept.headers["content-type"]) == (200, "application/json")
    other = {"Authorization": f"Bearer {KEYS.split(',')[1]}"}
    made = client.post("/projects/import", content=kept.content, headers=other)
    assert (made.status_code, made.json()["project"], len(made.json()["added"])) == (200, "Garden", 1)
    (listed,) = client.get("/projects", headers=other).json()["data"]
    told = client.get(f"/projects/{listed['id']}", headers=other).json()
    assert (told["system"], told["model"]) == ("Prune.", "llamacpp")
    assert made.json()["notes"] == ["its project answers with llamacpp"]
    names = client.get(f"/projects/{listed['id']}/files", headers=other).json()["data"]
    assert [each["filename"] for each in names] == ["ferry.txt"]
    assert client.get(f"/projects/{project}/export", headers=other).status_code == 404
    for body in (b"{", b'{"format": "llm-assistant", "version": 1, "conversations": []}', b"[]"):
        refused = client.post("/projects/import", content=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_file")


def test_nobody_else_finds_a_project(client: httpx.Client) -> None:
    project, session = make(client), say(client, "an oak")
    other = {"Authorization": f"Bearer {KEYS.split(',')[1]}"}
    for method, path, body in (
        ("GET", f"/projects/{project}", None),
        ("PATCH", f"/projects/{project}", {"name": "mine"}),
        ("GET", f"/projects/{project}/sessions", None),
        ("GET", f"/projects/{project}/files", None),
        ("PUT", f"/projects/{project}/sessions/{session}", None),
        ("POST", f"/projects/{project}/search", {"query": "oak"}),
        ("DELETE", f"/projects/{project}?sessions=delete", None),
        ("POST", "/predict", {"text": "hi", "project": project}),
    ):
        assert client.request(method, path, json=body, headers=other).status_code == 404, path
    assert client.get("/projects", headers=other).json() == {"data": []}
    assert client.get(f"/projects/{project}").json()["name"] == "Garden"


def test_without_keys_no_projects_are_listed(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    project = make(client)
    assert client.get("/projects").status_code == 403
    assert client.get(f"/projects/{project}").json()["name"] == "Garden"
