"""Tools of this server in a response: called, asked about as OpenAI's clients know it, and answered after a kill -9."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import BadRequestError, ConflictError, NotFoundError, OpenAI

from tests.api.conftest import Serve
from tests.api.openai.conftest import Talk
from tests.api.process import served
from tests.byte_server import STOP, ByteServer, chunk, delta, stream
from tests.conftest import free_port
from tests.conversations.replies.web import Web, pages
from tests.loopback import KEY, Loopback, running

OWN: Any = [{"type": "mcp", "server_label": "own", "allowed_tools": ["calculator", "read_page"]}]
SUM = 'call calculator {"expression": "6*7"}'


def reads(web: Web, path: str = "") -> str:
    return f"call read_page {json.dumps({'url': web.url(path)})}"


def answered(identity: str, approve: bool = True) -> Any:
    return [{"type": "mcp_approval_response", "approval_request_id": identity, "approve": approve}]


def kinds(response: Any) -> list[str]:
    return [item.type for item in response.output]


def test_what_needs_nobodys_leave_is_carried_out(talk: Talk, loopback: Loopback, web: Web) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.extend([f"Let me see.\n{SUM}", "say It is 42.", "say Sure."])
    asked: Any = {"model": "default", "tools": OWN, "instructions": "Be brief."}
    made = client.responses.create(input="What is 6 times 7?", **asked)
    assert (made.status, kinds(made)) == ("completed", ["mcp_call", "message"])
    call: Any = made.output[0]
    assert (call.server_label, call.name, call.output, call.error) == ("own", "calculator", "42", None)
    assert json.loads(call.arguments) == {"expression": "6*7"}
    assert made.output_text == "Let me see. \n\nIt is 42. "
    assert made.usage
    assert (made.usage.input_tokens, made.usage.output_tokens) > (13, 0), "of both prompts"
    assert loopback.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()
    # The next one goes on in the same conversation, with the calls and their results.
    again = client.responses.create(input="Sure?", previous_response_id=made.id, **asked)
    assert again.output_text == "Sure. "
    assert again.to_dict()["conversation"] == made.to_dict()["conversation"]
    roles = [row["role"] for row in loopback.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    # And one without tools reads them, too.
    client.responses.create(model="default", input="Really?", previous_response_id=again.id)
    assert ("tool", "42") in [(row["role"], row["content"]) for row in loopback.requests[-1]["messages"]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("approve", [False, True])
def test_a_call_waits_for_an_item_of_approval(
    talk: Talk, loopback: Loopback, web: Web, approve: bool, stream: bool
) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.extend([f"I look.\n{reads(web)}", "say It is closed."])

    def create(**fields: Any) -> tuple[Any, str]:
        made: Any = client.responses.create(model="default", tools=OWN, stream=stream, **fields)
        if not stream:
            return made, made.output_text
        events = list(made)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].type == "response.completed"
        added = [event.item.id for event in events if event.type == "response.output_item.added"]
        assert sorted(added) == sorted(item.id for item in events[-1].response.output)
        return events[-1].response, "".join(e.delta for e in events if e.type == "response.output_text.delta")

    made, text = create(input="Is it open?")
    assert (made.status, kinds(made)) == ("requires_action", ["message", "mcp_approval_request"])
    request = made.output[1]
    assert (request.server_label, request.name, web.asked) == ("own", "read_page", [])
    assert (json.loads(request.arguments), text) == ({"url": web.url()}, "I look. ")
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict(), "it waits, and is told again as it is"
    ended, text = create(input=answered(request.id, approve), previous_response_id=made.id)
    assert (ended.status, kinds(ended)) == ("completed", ["mcp_call", "message"])
    assert ended.output[0].approval_request_id == request.id
    assert ended.output[0].error == (None if approve else "The person did not allow this call.")
    assert (text.strip(), web.asked) == ("It is closed.", ["/"] if approve else [])
    assert ended.output_text == "It is closed. "
    with pytest.raises(ConflictError, match="waits no more"):
        create(input=answered(request.id), previous_response_id=made.id)
    # The first response, asked for again, has what became of it.
    told = client.responses.retrieve(made.id)
    assert (told.status, kinds(told)) == ("completed", ["mcp_call", "message"])


def test_answered_elsewhere_the_response_tells_it(serve: Serve, loopback: Loopback, web: Web) -> None:
    client = serve(LLM_BACKEND="openai", API_KEYS="one,two")
    one, two = ({"Authorization": f"Bearer {key}"} for key in ("one", "two"))
    loopback.script.extend([reads(web), "say It is closed."])
    asked = {"input": "Is it open?", "tools": OWN}
    made = client.post("/v1/responses", json=asked, headers=one).json()
    assert made["status"] == "requires_action"
    (request,) = made["output"]
    for other in (
        client.post("/v1/responses", json={"input": answered(request["id"])}, headers=two),
        client.get(f"/v1/responses/{made['id']}", headers=two),
        client.post("/v1/responses", json={"input": answered("mcpr_1")}, headers=one),
    ):
        assert other.status_code == 404, "somebody else's, or guessed"
    (call,) = client.get("/predict/calls", headers=one).json()["data"]
    assert client.get("/predict/calls", headers=two).json() == {"data": []}
    client.post(f"/predict/calls/{call['id']}", json={"decision": "once"}, headers=one)
    told = client.get(f"/v1/responses/{made['id']}", headers=one).json()
    assert (told["status"], [item["type"] for item in told["output"]]) == ("completed", ["mcp_call", "message"])
    assert told["output"][0]["output"].startswith("# ") or "closed" in told["output"][0]["output"]
    # Deleted, nothing of it is left.
    assert client.delete(f"/v1/responses/{made['id']}", headers=one).status_code == 200
    reset = client.post("/reset", json={"session_id": made["conversation"]["id"]}, headers=one)
    assert reset.status_code == 404


def test_two_calls_are_answered_together(talk: Talk, loopback: Loopback, web: Web) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.extend([f"{reads(web, 'a')}\n{reads(web, 'b')}\n{SUM}", "say Both."])
    made: Any = client.responses.create(model="default", input="Read both.", tools=OWN)
    assert kinds(made) == ["mcp_approval_request", "mcp_approval_request", "mcp_call"]
    first, second = made.output[0].id, made.output[1].id
    with pytest.raises(BadRequestError, match="read_page waits for an answer, too"):
        client.responses.create(model="default", input=answered(first), previous_response_id=made.id)
    both = [*answered(first), *answered(second, approve=False)]
    # As clients do that send everything again, and name no response.
    history: Any = [{"role": "user", "content": "Read both."}, *(item.to_dict() for item in made.output), *both]
    ended: Any = client.responses.create(model="default", input=history, tools=OWN)
    assert [(item.type, item.error) for item in ended.output[:2]] == [
        ("mcp_call", None),
        ("mcp_call", "The person did not allow this call."),
    ]
    assert (ended.output_text, web.asked) == ("Both. ", ["/a"])


@pytest.mark.server
def test_it_outlives_a_kill(tmp_path: Path) -> None:
    """The call is a row: another process on the same database is answered, and goes on."""
    with pages(free_port()) as web, running(free_port()) as loopback:
        given = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": loopback.url, "OPENAI_API_KEY": KEY,
                 "TOOLS_HOSTS": web.host, "API_KEYS": "one",
                 "DATABASE_URL": f"sqlite:///{tmp_path}/kept.db"}  # fmt: skip
        loopback.script.extend([f"I look.\n{reads(web)}", "say It is closed."])
        with served(tmp_path, **given) as process, _client(process.url) as client:
            made: Any = client.responses.create(model="default", input="Is it open?", tools=OWN)
            assert made.status == "requires_action"
            process.popen.kill()
            process.popen.wait()
        with served(tmp_path, **given) as process, _client(process.url) as client:
            assert client.responses.retrieve(made.id).to_dict() == made.to_dict()
            assert web.asked == []
            ended = client.responses.create(
                model="default", input=answered(made.output[-1].id), previous_response_id=made.id
            )
            assert (ended.status, ended.output_text, web.asked) == ("completed", "It is closed. ", ["/"])


def _client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="one", max_retries=0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "mcp", "server_label": "nope"}]}, "there is no server 'nope'; there are own"),
    ({"tools": [{**OWN[0], "server_url": "https://example.org/mcp"}]}, "server_url"),
    ({"tools": [{**OWN[0], "require_approval": "never"}]}, "require_approval"),
    ({"tools": [{**OWN[0], "allowed_tools": ["nothing"]}]}, "nothing: there is none; there is calculator"),
    ({"tools": [{**OWN[0], "allowed_tools": ["search_web"]}]}, "search_web: no SearXNG is named"),
    ({"tools": [*OWN, {"type": "function", "name": "f", "parameters": {}}]}, "function beside"),
    ({"tools": OWN, "tool_choice": "required"}, "tool_choice"),
    ({"tools": OWN, "store": False}, "store"),
    ({"tools": OWN, "input": [{"role": "assistant", "content": "hi"}]}, "a message of the user's"),
]


@pytest.mark.parametrize(("fields", "named"), WRONG)
def test_what_cannot_be_is_named(serve: Serve, web: Web, fields: dict[str, Any], named: str) -> None:
    refused: httpx.Response = serve().post("/v1/responses", json={"input": "hi", **fields})
    assert refused.status_code == 400
    assert named in refused.json()["error"]["message"]
    assert "\n" not in refused.json()["error"]["message"]


def test_without_a_key_a_session_is_the_key_to_its_calls(serve: Serve, loopback: Loopback, web: Web) -> None:
    client = serve(LLM_BACKEND="openai")
    loopback.script.extend([reads(web), "say It is closed."])
    asked = client.post("/predict", json={"text": "Open?", "tools": ["read_page"]}).json()
    number = asked["calls"][0]["id"]
    with httpx.Client(base_url=client.base_url, timeout=300) as stranger:
        assert stranger.get("/predict/calls").json()["error"]["code"] == "session_required"
        assert stranger.post(f"/predict/calls/{number}", json={"decision": "once"}).status_code == 404
        assert stranger.get("/predict/calls", params={"session_id": "other"}).json() == {"data": []}
        told = stranger.post(f"/predict/calls/{number}", json={"decision": "once", "session_id": asked["session_id"]})
        assert (told.json()["reply"], web.asked) == ("It is closed. ", ["/"])


def test_a_deleted_response_is_answered_by_nobody(talk: Talk, loopback: Loopback, web: Web) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.append(reads(web))
    made: Any = client.responses.create(model="default", input="Is it open?", tools=OWN)
    client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        client.responses.create(model="default", input=answered(made.output[0].id))
    assert web.asked == []


def thinks(thought: str, *rest: Any) -> list[bytes]:
    return stream(delta(reasoning_content=thought), *rest)


def calls(name: str, **arguments: str) -> list[Any]:
    call = {"index": 0, "id": "call_1", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [delta(tool_calls=[call]), chunk({"delta": {}, "finish_reason": "tool_calls"})]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_thought_between_calls_is_told_before_them(talk: Talk, byte_server: ByteServer, streamed: bool) -> None:
    byte_server.answer(
        thinks("I count.", *calls("calculator", expression="6*7")), thinks("So it is.", chunk("It is 42."), chunk(STOP))
    )
    client = talk(LLM_BACKEND="openai")
    own: Any = [{**OWN[0], "allowed_tools": ["calculator"]}]
    made: Any = client.responses.create(model="default", tools=own, input="6 times 7?", stream=streamed)
    if streamed:
        events = list(made)
        made = events[-1].response
        told = "".join(event.delta for event in events if event.type == "response.reasoning_text.delta")
        assert told == "I count.\n\nSo it is."
    assert kinds(made) == ["reasoning", "mcp_call", "message"]
    assert made.output[0].content[0].text == "I count.\n\nSo it is."
    assert made.usage.output_tokens_details.reasoning_tokens > 0
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()


@pytest.mark.parametrize("streamed", [False, True])
def test_what_was_thought_before_an_approval_is_told_once(
    talk: Talk, byte_server: ByteServer, web: Web, streamed: bool
) -> None:
    byte_server.answer(
        thinks("I look.", *calls("read_page", url=web.url())), thinks("I saw.", chunk("It is open."), chunk(STOP))
    )
    client = talk(LLM_BACKEND="openai")

    def create(**fields: Any) -> Any:
        made: Any = client.responses.create(model="default", tools=OWN, stream=streamed, **fields)
        return list(made)[-1].response if streamed else made

    made = create(input="Is it open?")
    assert kinds(made) == ["reasoning", "mcp_approval_request"]
    assert made.output[0].content[0].text == "I look."
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()
    ended = create(input=answered(made.output[1].id), previous_response_id=made.id)
    thoughts = [part.text for item in ended.output if item.type == "reasoning" for part in item.content]
    assert (thoughts, ended.output_text) == (["I saw."], "It is open.")
