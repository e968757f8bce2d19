"""Tools of clients over the API: offered, called, carried out by the client and answered; by real clients."""

import json
from functools import reduce
from operator import add
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import BadRequestError, OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

from tests.api.conftest import Serve
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


class Book(BaseModel):
    """Book a table."""

    place: str = Field(max_length=10)
    persons: int = Field(ge=1, le=20)


SCHEMA = {**Book.model_json_schema(), "additionalProperties": False}
BOOK: Any = {"type": "function", "function": {"name": "Book", "description": "Book a table.", "parameters": SCHEMA}}
NOW: Any = {"type": "function", "function": {"name": "now", "description": "The time."}}
CALL: Any = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
TALK: Any = [
    *HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "ten o'clock"},
]


def test_a_call_whole_and_in_pieces(talk: Talk) -> None:
    client = talk()
    asked: Any = {"model": "default", "messages": HI, "tools": [BOOK, NOW], "tool_choice": "required", "temperature": 0}
    whole = client.chat.completions.create(**asked, parallel_tool_calls=False)
    (choice,) = whole.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls
    function = choice.message.tool_calls[0].function
    assert whole.usage
    assert whole.usage.completion_tokens > 5
    names: list[str] = []
    arguments = ""
    ends = []
    for chunk in client.chat.completions.create(**asked, parallel_tool_calls=False, stream=True):
        for part in chunk.choices:
            ends.append(part.finish_reason)
            assert not part.delta.content
            for piece in part.delta.tool_calls or ():
                names += [piece.function.name] if piece.function.name else []
                arguments += piece.function.arguments or ""
    assert (names, arguments) == ([function.name], function.arguments)
    assert ends[-1] == "tool_calls"


def test_the_clients_own_helpers(talk: Talk) -> None:
    """OpenAI's client forbids what it does not know in a schema, so the bounds stay out of it."""

    class Mood(BaseModel):
        happy: bool

    client = talk()
    parsed = client.chat.completions.parse(
        model="default", messages=HI, tools=[pydantic_function_tool(Mood)], tool_choice="required", max_tokens=900
    )
    calls = parsed.choices[0].message.tool_calls
    assert calls
    assert isinstance(calls[0].function.parsed_arguments, Mood)
    with client.chat.completions.stream(
        model="default", messages=HI, tools=[pydantic_function_tool(Mood)], tool_choice="required"
    ) as stream:
        kinds = [event.type for event in stream]
    assert "tool_calls.function.arguments.done" in kinds


def test_results_are_read_and_may_come_back_as_the_client_holds_them(talk: Talk) -> None:
    client = talk()
    answer = client.chat.completions.create(model="default", messages=TALK, tools=[NOW], max_tokens=20)
    assert answer.usage
    without = client.chat.completions.create(model="default", messages=HI, max_tokens=1)
    assert without.usage
    assert answer.usage.prompt_tokens > without.usage.prompt_tokens + 10
    message = (
        client.chat.completions.create(
            model="default", messages=HI, tools=[NOW], tool_choice={"type": "function", "function": {"name": "now"}}
        )
        .choices[0]
        .message
    )
    assert message.tool_calls
    result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "ten"}
    said: Any = [*HI, message, result]
    assert client.chat.completions.create(model="default", messages=said, max_tokens=5).choices[0].message.content
    none = client.chat.completions.create(model="default", messages=HI, tools=[NOW], tool_choice="none", max_tokens=5)
    assert none.choices[0].message.tool_calls is None


def langchain(client: OpenAI, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=str(client.base_url), api_key="none", model="default", max_retries=0, **options)


@tool
def weather(city: str) -> str:
    """The weather."""
    return f"Sun in {city}."


@pytest.mark.parametrize("responses", [False, True])
def test_langchains_model_calls_and_reads_results(talk: Talk, responses: bool) -> None:
    model = langchain(talk(), use_responses_api=responses, temperature=0)
    called = model.bind_tools([Book], tool_choice="Book").invoke("hi")
    jsonschema.validate(called.tool_calls[0]["args"], SCHEMA)
    result = ToolMessage("booked", tool_call_id=called.tool_calls[0]["id"])
    rest = model.bind_tools([Book], tool_choice="none").invoke([HumanMessage("hi"), called, result])
    assert rest.text
    chunks = list(model.bind_tools([Book], tool_choice="Book").stream("hi"))
    whole: Any = reduce(add, chunks)
    assert whole.tool_calls[0]["args"] == called.tool_calls[0]["args"]
    pet = model.with_structured_output(Book, method="function_calling").invoke("hi")
    assert isinstance(pet, Book)


def test_langchains_agent_calls_and_answers(serve: Serve, loopback: Loopback) -> None:
    """Through a scripted server: its call comes to the client, and the client's result to it."""
    loopback.script.append('call weather {"city": "Paris"}')
    client = OpenAI(base_url=f"{serve(LLM_BACKEND='openai').base_url}/v1", api_key="none", max_retries=0)
    with client:
        agent = create_agent(langchain(client), [weather])
        end = agent.invoke({"messages": [HumanMessage("weather?")]})
    kinds = [message.type for message in end["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert loopback.requests[-1]["messages"][-1]["role"] == "tool"
    assert loopback.requests[0]["tools"][0]["function"]["name"] == "weather"


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("tool_choice", {"tools": [NOW], "tool_choice": {"type": "function", "function": {"name": "nope"}}}, "nope"),
    ("tool_choice", {"tool_choice": "required"}, "required"),
    ("tools", {"tools": [NOW, NOW]}, "now"),
    ("tools", {"tools": [{"type": "web_search"}]}, "web_search"),
    ("tools", {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "http://a/b"}}}]}, "f"),
    ("tools", {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {
        "type": "object", "properties": {"a": {"not": {}}}}}}]}, "#/properties/a/not"),
    ("messages", {"messages": [*HI, {"role": "tool", "tool_call_id": "call_9", "content": "x"}]}, "call_9"),
    ("functions", {"functions": [{"name": "f"}]}, "functions"),
]  # fmt: skip


@pytest.mark.parametrize(("param", "fields", "named"), WRONG)
def test_what_is_wrong_is_named_before_anything_is_computed(
    serve: Serve, param: str, fields: dict[str, Any], named: str
) -> None:
    answer = serve().post("/v1/chat/completions", json={"messages": HI, **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert named in error["message"]
    assert "\n" not in error["message"]


UNIQUE: Any = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2,
               "uniqueItems": True}}, "required": ["a"]}  # fmt: skip


def test_what_a_call_is_not_held_to_is_told_by_name(serve: Serve) -> None:
    client, told = serve(), "tools.pick.parameters: uniqueItems at #/properties/a/uniqueItems cannot be held to"
    function = {"name": "pick", "parameters": UNIQUE}
    asked = {"messages": HI, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    assert client.post("/v1/chat/completions", json=asked).json()["notice"].startswith(told)
    lines = client.post("/v1/chat/completions", json={**asked, "stream": True}).text.splitlines()
    rows = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert next(row["notice"] for row in rows if "notice" in row).startswith(told)
    flat = {"input": "hi", "tools": [{"type": "function", **function}], "tool_choice": "required"}
    assert client.post("/v1/responses", json=flat).json()["notice"].startswith(told)
    strict = client.post("/v1/responses", json={**flat, "tools": [{"type": "function", **function, "strict": True}]})
    assert (strict.status_code, strict.json()["error"]["param"]) == (400, "tools")
    assert "notice" not in client.post("/v1/chat/completions", json={**asked, "tools": [NOW]}).json()


def test_a_servers_refusal_of_tools_is_told(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.append("refuse tools")
    with pytest.raises(BadRequestError, match="tools"):
        client.chat.completions.create(model="default", messages=HI, tools=[NOW])
    assert loopback.requests[-1]["tools"] == [NOW]


def test_arguments_that_a_server_broke_are_told_as_they_came(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    loopback.script.append('call now {"city": ')
    message = client.chat.completions.create(model="default", messages=HI, tools=[NOW]).choices[0].message
    assert message.tool_calls
    assert message.tool_calls[0].function.arguments == '{"city": '  # type: ignore[union-attr]
    said: Any = [*HI, message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "no JSON"}]
    client.chat.completions.create(model="default", messages=said, tools=[NOW])
    sent = loopback.requests[-1]["messages"]
    assert json.dumps(sent[-2]["tool_calls"][0]["function"]["arguments"]) == json.dumps('{"city": ')


FLAT: Any = {"type": "function", "name": "Book", "parameters": SCHEMA, "strict": True}


def test_responses_call_and_go_on_from_their_calls(talk: Talk) -> None:
    client = talk()
    choice = {"type": "function", "name": "Book"}
    asked: Any = {"model": "default", "input": "hi", "tools": [FLAT], "tool_choice": choice}
    called = client.responses.create(**asked, temperature=0)
    (item,) = called.output
    assert item.type == "function_call"
    jsonschema.validate(json.loads(item.arguments), SCHEMA)
    assert called.to_dict()["tools"] == [FLAT]
    output: Any = {"type": "function_call_output", "call_id": item.call_id, "output": "booked"}
    rest = client.responses.create(model="default", input=[output], previous_response_id=called.id, max_output_tokens=9)
    assert rest.output_text
    assert rest.usage
    again: Any = [{"role": "user", "content": "hi"}, item, output]
    anew = client.responses.create(model="default", input=again, max_output_tokens=9)
    assert anew.usage
    assert anew.usage.input_tokens == rest.usage.input_tokens
    referred: Any = [{"role": "user", "content": "hi"}, {"type": "item_reference", "id": item.id}, output]
    told = client.responses.create(model="default", input=referred, max_output_tokens=9).usage
    assert told
    assert told.input_tokens == anew.usage.input_tokens
    wrong: Any = [{**output, "call_id": "call_9"}]
    with pytest.raises(BadRequestError, match="call_9"):
        client.responses.create(model="default", input=wrong)
    with pytest.raises(BadRequestError, match="web_search"):
        client.responses.create(model="default", input="hi", tools=[{"type": "web_search"}])


def test_the_events_of_a_call(talk: Talk) -> None:
    client = talk()
    asked: Any = {"model": "default", "input": "hi", "tools": [FLAT], "tool_choice": "required", "temperature": 0}
    events: Any = list(client.responses.create(**asked, parallel_tool_calls=False, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-3:] == ["response.function_call_arguments.done", "response.output_item.done", "response.completed"]
    added, done, item = events[2].item, events[-3], events[-2].item
    assert added.name == item.name == "Book"
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(event.delta for event in deltas) == done.arguments == item.arguments
    assert {event.item_id for event in deltas} == {added.id} == {item.id}
    assert events[-1].response.output == [item]
    with client.responses.stream(model="default", input="hi", tools=[FLAT], temperature=0) as stream:
        final = stream.get_final_response()
    assert final.output_text, "text where it calls nothing"
