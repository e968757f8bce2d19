"""Tools in sessions of /predict: switched on, called, and answered over HTTP, once."""

import json

from tests.api.conftest import Serve
from tests.conversations.replies.web import Web
from tests.loopback import Loopback


def test_a_call_waits_for_an_answer_over_http(serve: Serve, loopback: Loopback, web: Web) -> None:
    reads = [f"call read_page {json.dumps({'url': web.url(path)})}" for path in ("a", "b")]
    loopback.script.extend(["I look.\n" + "\n".join(reads), "say One is closed."])
    client = serve(LLM_BACKEND="openai")
    offered = {tool["name"]: tool for tool in client.get("/predict/tools").json()["data"]}
    assert (offered["read_page"]["needs_approval"], offered["search_web"]["problem"] is None) == (True, False)
    asked = client.post("/predict", json={"text": "Open?", "tools": ["read_page"]}).json()
    assert (asked["status"], asked["reply"]) == ("requires_action", "I look. ")
    assert [call["arguments"] for call in asked["calls"]] == [{"url": web.url("a")}, {"url": web.url("b")}]
    first, second = (call["id"] for call in client.get("/predict/calls").json()["data"])
    assert client.get("/predict/calls", params={"session_id": "other"}).json() == {"data": []}

    left = client.post(f"/predict/calls/{first}", json={"decision": "once"}).json()
    assert (left["status"], [call["status"] for call in left["calls"]]) == ("requires_action", ["approved", "waiting"])
    assert web.asked == []
    with client.stream("POST", f"/predict/calls/{second}", json={"decision": "no", "stream": True}) as events:
        lines = [line.removeprefix("data: ") for line in events.iter_lines() if line.startswith("data: ")]
    ended = json.loads(lines[-2])
    assert (ended["reply"], "status" in ended, lines[-1]) == ("I look. \n\nOne is closed. ", False, "[DONE]")
    assert [(call["status"], call["decided_by"]) for call in ended["calls"]] == [("done", "api"), ("denied", "api")]
    assert (ended["session_id"], web.asked) == (asked["session_id"], ["/a"])

    again = client.post(f"/predict/calls/{second}", json={"decision": "once"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "call_answered")
    assert "waits no more: it is denied (api)" in again.json()["error"]["message"]
    assert client.post("/predict/calls/999", json={"decision": "once"}).status_code == 404
    assert client.post(f"/predict/calls/{second}", json={"decision": "perhaps"}).status_code == 400


def test_a_tool_that_is_not_there_is_named(serve: Serve) -> None:
    client = serve()
    for name, said in (("nothing", "there is none; there is calculator"), ("search_web", "set SEARXNG_URL")):
        refused = client.post("/predict", json={"text": "hi", "tools": [name]})
        assert refused.status_code == 400
        assert f"tools: {name}: " in refused.json()["error"]["message"]
        assert said in refused.json()["error"]["message"]
