"""/predict and /reset, by curl and by a client that keeps cookies."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.predict.session import COOKIE
from conversations.replies.reply import running_replies
from conversations.store.database import connect
from conversations.store.personas import save
from conversations.store.store import Store
from prompts.persona import Persona
from settings import ROOT
from tests.api.conftest import Serve, idle, wait
from tests.conftest import answers, free_port
from tests.loopback import Loopback

KEYS = [
    "reply",
    "session_id",
    "backend",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "stop_reason",
    "dropped_turns",
    "sources",
]


def said(loopback: Loopback) -> list[str]:
    """The last prompt, without its system message."""
    return [message["content"] for message in loopback.requests[-1]["messages"] if message["role"] != "system"]


def stored(owner: str = "api") -> Store:
    return Store(connect(os.environ["DATABASE_URL"]), owner)


def leave(client: httpx.Client, asked: dict[str, Any]) -> None:
    """Ask, and go away after a second."""
    with pytest.raises(httpx.ReadTimeout):
        client.post("/predict", json=asked, timeout=1)


def curl(client: httpx.Client, path: str, *more: str) -> Any:
    command = ["curl", "-sS", "-X", "POST", f"{client.base_url}{path}".replace("//", "/").replace(":/", "://"), *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def test_curl_as_everybody_calls_it(serve: Serve) -> None:
    client = serve()
    found = curl(client, "/predict", "-d", '{"text":"Data Science is"}')
    assert list(found) == KEYS
    assert found["reply"].strip()
    assert (found["backend"], found["dropped_turns"]) == ("llamacpp", 0)
    assert min(found["prompt_tokens"], found["completion_tokens"]) > 0
    assert found["stop_reason"] in {"stop", "length"}
    assert len(found["session_id"]) >= 22  # 128 bits
    assert curl(client, "/reset") == {"session_id": None}
    named = json.dumps({"session_id": found["session_id"]})
    assert curl(client, "/reset", "-d", named) == {"session_id": found["session_id"]}


def test_a_session_remembers_by_id_and_by_cookie(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    first = client.post("/predict", json={"text": "My name is Ada."})
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    session = first.json()["session_id"]
    assert client.cookies[COOKIE] == session
    second = client.post("/predict", json={"text": "Who am I?"})
    assert second.json()["session_id"] == session
    assert "set-cookie" not in second.headers
    assert said(loopback) == ["My name is Ada.", loopback.reply + " ", "Who am I?"]
    other = httpx.post(client.base_url.join("/predict"), json={"text": "Again?", "session_id": session})
    assert other.json()["session_id"] == session
    assert len(said(loopback)) == 5


def test_the_cookie_is_secure_behind_https(serve: Serve, loopback: Loopback) -> None:
    proxied = {"X-Forwarded-Proto": "https"}
    answer = serve(LLM_BACKEND="openai").post("/predict", json={"text": "hi"}, headers=proxied)
    assert "Secure" in answer.headers["set-cookie"]


def test_the_id_in_the_body_wins_and_a_stale_cookie_begins_anew(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    one = client.post("/predict", json={"text": "one"}).json()["session_id"]
    client.cookies.clear()
    two = client.post("/predict", json={"text": "two"}).json()["session_id"]
    assert one != two
    assert client.post("/predict", json={"text": "more", "session_id": one}).json()["session_id"] == one
    assert said(loopback)[0] == "one"
    assert client.cookies[COOKIE] == two
    client.cookies.clear()
    client.cookies.set(COOKIE, "nobody's")
    three = client.post("/predict", json={"text": "three"})
    assert three.status_code == 200
    assert three.json()["session_id"] not in {one, two, "nobody's"}


def test_reset_empties_the_session_under_its_id(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    session = client.post("/predict", json={"text": "My name is Ada.", "persona": "beekeeper"}).json()["session_id"]
    assert client.post("/reset").json() == {"session_id": session}
    found = stored().get(session)
    assert (found.head, found.title, stored().thread(session).messages) == (None, "", [])
    assert client.post("/predict", json={"text": "Who am I?", "persona": "nurse"}).json()["session_id"] == session
    assert said(loopback) == ["Who am I?"]
    kept = stored().get(session).persona
    assert kept is not None
    assert kept["slug"] == "nurse"


def test_reset_ends_the_running_reply(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    session = client.post("/predict", json={"text": "hi"}).json()["session_id"]
    loopback.script.append("slow")
    late: list[httpx.Response] = []
    asks = [threading.Thread(target=lambda: late.append(client.post("/predict", json={"text": "more"}))) for _ in "12"]
    for ask in asks:
        ask.start()
    wait(lambda: loopback.sent > 2 and len(running_replies()) == 2)
    assert client.post("/reset").json() == {"session_id": session}
    for ask in asks:
        ask.join(5)
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in late] == [(503, "stopped")] * 2
    wait(lambda: loopback.gone)
    assert len(loopback.requests) == 2  # the one that waited never began
    assert client.post("/predict", json={"text": "anew"}).status_code == 200
    assert said(loopback) == ["anew"]


def test_personas(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    save(stored(), Persona("my-cat", "My cat", "A cat", ("I am a cat.",)))
    first = {"text": "Who are you?", "persona": "my-cat"}
    assert client.post("/predict", json=first).status_code == 200
    assert "I am a cat." in str(loopback.requests[-1]["messages"][0])
    assert client.post("/predict", json=first).status_code == 200  # the same one may be named again
    other = client.post("/predict", json={"text": "And you?", "persona": "beekeeper"})
    assert other.status_code == 400
    assert "'my-cat'" in other.json()["error"]["message"]
    nobody = client.post("/predict", json={"text": "hi", "persona": "nobody"})
    assert (nobody.status_code, nobody.json()["error"]["param"]) == (404, "persona")
    assert "ballet-dancer" in nobody.json()["error"]["message"]


def test_a_text_is_completed_as_it_is(serve: Serve) -> None:
    client = serve()
    asked = {"text": "I like music and", "mode": "complete", "seed": 1, "max_tokens": 5, "ignore_eos": True}
    found = client.post("/predict", json=asked)
    assert found.json()["session_id"] is None
    assert found.json()["completion_tokens"] == 5
    assert found.json()["stop_reason"] == "length"
    assert "set-cookie" not in found.headers
    assert client.post("/predict", json=asked).json()["reply"] == found.json()["reply"]
    assert stored().listing() == []
    refused = client.post("/predict", json={**asked, "session_id": "any"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "session_id")


def test_predict_mode_is_the_default(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", PREDICT_MODE="complete")
    assert client.post("/predict", json={"text": "Once"}).json()["reply"] == " upon a time"
    assert loopback.requests[-1]["prompt"] == "Once"
    assert client.post("/predict", json={"text": "Once", "mode": "chat"}).json()["session_id"]


def test_sampling_reaches_the_model(serve: Serve, loopback: Loopback) -> None:
    asked = {"text": "hi", "temperature": 0.25, "max_tokens": 9, "seed": 3.0, "stop": "."}
    assert serve(LLM_BACKEND="openai").post("/predict", json=asked).status_code == 200
    sent = loopback.requests[-1]
    assert (sent["temperature"], sent["seed"], sent["stop"]) == (0.25, 3, ["."])
    assert sent.get("max_completion_tokens", sent.get("max_tokens")) == 9


def test_turns_that_no_longer_fit_are_dropped_and_counted(serve: Serve, fresh_backends: None) -> None:
    client = serve(LLAMACPP_N_CTX="96", MAX_TOKENS="8")
    counts = [client.post("/predict", json={"text": f"I have {n} cats and two old dogs."}) for n in range(6)]
    assert counts[0].json()["dropped_turns"] == 0
    assert counts[-1].json()["dropped_turns"] > 0


BAD = [
    ("", "invalid_json"),
    ("{", "invalid_json"),
    ("[]", "invalid_value"),
    ("{}", "invalid_value"),
    ('{"text": 3}', "invalid_value"),
    ('{"text": "  "}', None),
    ('{"text": "hi", "mode": "sing"}', "invalid_value"),
    ('{"text": "hi", "temperature": 9}', "invalid_value"),
    ('{"text": "hi", "seed": "1"}', "invalid_value"),
    ('{"text": "hi", "txt": "hi"}', "unknown_parameter"),
    ('{"text": "hi", "session_id": 5}', "invalid_value"),
    ('{"text": "  ", "mode": "complete"}', None),
]


def test_bad_bodies(serve: Serve) -> None:
    client = serve()
    for sent, code in BAD:
        answer = client.post("/predict", content=sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), sent
    assert stored().listing() == []
    for path in ("/predict", "/reset"):
        unknown = client.post(
            path, json={"text": "hi", "session_id": "x\0y"} if path == "/predict" else {"session_id": "x"}
        )
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "session_not_found")
        assert "Leave session_id out" in unknown.json()["error"]["message"]


def test_a_key_has_its_own_sessions(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", API_KEYS="one, two")
    assert client.post("/predict", json={"text": "hi"}).status_code == 401
    assert client.post("/reset").status_code == 401
    one, two = ({"Authorization": f"Bearer {key}"} for key in ("one", "two"))
    session = client.post("/predict", json={"text": "hi"}, headers=one).json()["session_id"]
    mine = {"text": "hi", "session_id": session}
    assert client.post("/predict", json=mine, headers=one).status_code == 200
    assert client.post("/predict", json=mine, headers=two).status_code == 404
    assert client.post("/predict", json={"text": "hi"}, headers=two).json()["session_id"] != session  # cookie sent


def test_a_failed_reply_has_its_status_and_the_session_goes_on(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    session = client.post("/predict", json={"text": "one"}).json()["session_id"]
    loopback.script.append("refuse x")
    assert client.post("/predict", json={"text": "two"}).status_code == 400
    loopback.script.append("overflow")
    assert client.post("/predict", json={"text": "three"}).status_code == 400
    loopback.script.append("cut")
    assert client.post("/predict", json={"text": "four"}).status_code == 502
    assert client.post("/predict", json={"text": "five"}).json()["session_id"] == session
    assert said(loopback)[0] == "one"
    assert not {"two", "three", "four"} & set(said(loopback))


def test_a_client_that_leaves_stops_its_reply(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    client.post("/predict", json={"text": "hi"})
    loopback.script.append("slow")
    with pytest.raises(httpx.ReadTimeout):
        client.post("/predict", json={"text": "more"}, timeout=0.5)
    wait(lambda: loopback.gone and idle("openai"))
    assert loopback.sent < 30
    assert client.post("/predict", json={"text": "and?"}).status_code == 200


def test_a_reply_takes_no_longer_than_it_may(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", REPLY_TIMEOUT="3")
    loopback.script.append("slow")
    answer = client.post("/predict", json={"text": "hi"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    wait(lambda: loopback.gone and idle("openai"))


def test_a_full_queue_is_told_at_once_and_nothing_is_kept(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai", MAX_QUEUE="1")
    loopback.script.append("slow 100000")
    with client.stream("POST", "/predict", json={"text": "hi", "stream": True}) as first:
        lines = first.iter_lines()  # dropped, it would end the connection
        next(lines)
        answer = httpx.post(client.base_url.join("/predict"), json={"text": "me too"}, timeout=300)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_full")
    assert len(stored().listing()) == 1
    wait(lambda: idle("openai"))
    assert client.post("/predict", json={"text": "now"}).status_code == 200


def test_the_next_request_of_a_session_waits_its_turn(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    client.post("/predict", json={"text": "hi"})
    loopback.script.append("slow")
    leaver = threading.Thread(target=leave, args=(client, {"text": "tell me"}))
    leaver.start()
    wait(lambda: loopback.sent > 3)
    answer = client.post("/predict", json={"text": "and then?"})
    leaver.join()
    assert answer.status_code == 200
    before = said(loopback)
    assert before[2] == "tell me"
    assert before[3].startswith("word0 word1")  # what was said until its client left
    assert before[4] == "and then?"


def test_no_backend_is_503_with_the_remedy(serve: Serve) -> None:
    client = serve(LLM_BACKEND="", LLAMACPP_MODEL="/no/such.gguf", GPT2_MODEL="/no/such")
    answer = client.post("/predict", json={"text": "hi"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "backend_unavailable")
    assert "OPENAI_API_KEY" in answer.json()["error"]["message"]


def test_every_route_has_examples(serve: Serve) -> None:
    found = serve().get("/openapi.json").json()["paths"]
    body = found["/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["examples"]["text"]["value"] == {"text": "Data Science is"}
    assert not found["/reset"]["post"]["requestBody"]["required"]


@contextmanager
def workers(folder: Path, count: int) -> Iterator[list[str]]:
    """Several processes as an operator starts them, on one database; their addresses."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_BACKEND": "openai"}
    with ExitStack() as stack:
        addresses = []
        for _ in range(count):
            port = free_port()
            command = [sys.executable, "-m", "uvicorn", "api:app", "--port", str(port)]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=folder, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
            addresses.append(f"http://127.0.0.1:{port}")
            answers(f"{addresses[-1]}/health", process)
        yield addresses


def test_workers_of_one_database_share_sessions(database_url: str, loopback: Loopback, tmp_path: Path) -> None:
    with workers(tmp_path, 2) as (one, two), httpx.Client(timeout=300) as client:
        first = client.post(f"{one}/predict", json={"text": "My name is Ada."}).json()
        second = client.post(f"{two}/predict", json={"text": "Who am I?"}).json()  # the cookie counts for every port
        assert second["session_id"] == first["session_id"]
        assert said(loopback) == ["My name is Ada.", loopback.reply + " ", "Who am I?"]
        assert client.post(f"{two}/reset").json() == {"session_id": first["session_id"]}
        client.post(f"{one}/predict", json={"text": "And now?", "session_id": first["session_id"]})
        assert said(loopback) == ["And now?"]
