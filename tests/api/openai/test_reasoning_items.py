"""What a model thinks, as items of a response: whole, streamed, kept, gone on from, sent back; by OpenAI's client."""

from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.api.openai.conftest import THINKS, Talk
from tests.byte_server import STOP, TEXT, ByteServer, chunk, delta, stream, words
from tests.scripted import chunk as scripted_chunk
from tests.scripted import serving, sse

USAGE = {
    "prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
    "completion_tokens_details": {"reasoning_tokens": 25},
}  # fmt: skip
THOUGHTS = [delta(reasoning_content="Let me"), delta(reasoning_content=" see.")]
CALL = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
WEATHER: Any = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]
CALLED = {"delta": {}, "finish_reason": "tool_calls"}
CUT = {"delta": {}, "finish_reason": "length"}


@pytest.fixture
def client(byte_server: ByteServer, talk: Talk) -> OpenAI:
    """The SDK against our API, which answers from a server whose model thinks."""
    byte_server.answer(stream(*THOUGHTS, *words(), chunk(STOP, usage=USAGE)))
    return talk(LLM_BACKEND="openai")


def place(response: Any) -> tuple[list[str], list[str]]:
    """What the first item holds: in its content, and as its summary."""
    item = response.output[0]
    assert item.type == "reasoning"
    return [part.text for part in item.content or []], [part.text for part in item.summary]


@pytest.mark.parametrize("summary", [None, "auto", "concise", "detailed"])
def test_a_whole_response_has_it_before_its_message(client: OpenAI, summary: Any) -> None:
    made = client.responses.create(model="default", input="hi", reasoning={"effort": "low", "summary": summary})
    assert [item.type for item in made.output] == ["reasoning", "message"]
    assert place(made) == ((["Let me see."], []) if summary is None else ([], ["Let me see."]))
    assert made.output_text == TEXT
    assert made.output[0].to_dict()["status"] == "completed"
    assert made.reasoning is not None
    assert (made.reasoning.effort, made.reasoning.summary) == ("low", summary)
    assert made.usage is not None
    assert (made.usage.output_tokens, made.usage.output_tokens_details.reasoning_tokens) == (30, 25)
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()


EVENTS = {
    None: ["content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done"],
    "auto": [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ],
}


@pytest.mark.parametrize("summary", EVENTS)
def test_the_events_of_a_stream(client: OpenAI, summary: Any) -> None:
    events: list[Any] = list(
        client.responses.create(model="default", input="hi", reasoning={"summary": summary}, stream=True)
    )
    told = [event for event in events if getattr(event, "output_index", None) == 0]
    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in told))
    assert kinds == ["output_item.added", *EVENTS[summary], "output_item.done"]
    assert "".join(event.delta for event in told if event.type.endswith("text.delta")) == "Let me see."
    assert [event.text for event in told if event.type.endswith("text.done")] == ["Let me see."]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1].response
    assert [item.type for item in last.output] == ["reasoning", "message"]
    assert told[-1].item.to_dict() == last.output[0].to_dict()
    message = next(event for event in events if event.type == "response.output_item.added" and event.output_index == 1)
    assert message.sequence_number > told[-1].sequence_number, "the thinking ends where the message begins"
    assert client.responses.retrieve(last.id).to_dict() == last.to_dict()


@pytest.mark.parametrize("summary", EVENTS)
def test_the_clients_own_helper_gathers_a_stream(client: OpenAI, summary: Any) -> None:
    with client.responses.stream(model="default", input="hi", reasoning={"summary": summary}) as events:
        final = events.get_final_response()
    assert final.output_text == TEXT
    assert sum(map(len, place(final))) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_it_stands_before_the_calls(byte_server: ByteServer, client: OpenAI, streamed: bool) -> None:
    byte_server.answer(stream(*THOUGHTS, delta(tool_calls=[CALL]), chunk(CALLED, usage=USAGE)))
    made: Any = client.responses.create(model="default", input="hi", tools=WEATHER, stream=streamed)
    if streamed:
        *_, last = made
        made = last.response
    assert [item.type for item in made.output] == ["reasoning", "function_call"]
    assert place(made) == (["Let me see."], [])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_that_ended_within_it_is_that_alone(byte_server: ByteServer, client: OpenAI, streamed: bool) -> None:
    byte_server.answer(stream(*THOUGHTS, chunk(CUT, usage=USAGE)))
    made: Any = client.responses.create(model="default", input="hi", stream=streamed)
    if streamed:
        *_, last = made
        made = last.response
    assert (made.status, [(item.type, item.status) for item in made.output]) == (
        "incomplete",
        [("reasoning", "incomplete")],
    )
    assert made.output_text == ""
    assert len(byte_server.requests) == 1, "it is not asked again"


def test_what_is_thought_between_words_is_an_item_of_its_own(byte_server: ByteServer, client: OpenAI) -> None:
    again = [delta(reasoning_content="Or"), delta(reasoning_content=" not.")]
    slow: list[Any] = [*THOUGHTS, *words(), *again, chunk(" six"), chunk(STOP, usage=USAGE)]
    byte_server.answer(stream(*slow))
    events: list[Any] = list(client.responses.create(model="default", input="hi", stream=True))
    output = events[-1].response.output
    done = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}
    assert [done[at].id for at in sorted(done)] == [item.id for item in output]
    told = "".join(part.text for item in output if item.type == "reasoning" for part in item.content)
    assert "Let me see." in told
    assert told.endswith("Or not.")
    assert events[-1].response.output_text == f"{TEXT} six"


ONE, TWO = ({"role": "user", "content": text} for text in ("one", "two"))
ROW = {"id": "m-1", "object": "model", "max_model_len": 4096}


@pytest.mark.parametrize("owner", ["vllm", "nobody"])
def test_the_next_turn_has_it_whichever_way_it_comes_back(talk: Talk, owner: str, fresh_backends: None) -> None:
    """A server whose template may read it is sent it; one that might refuse the field is not."""
    rows = {"object": "list", "data": [{**ROW, "owned_by": owner}]}
    thinking = [
        scripted_chunk({"reasoning": "Let me see."}),
        scripted_chunk({"content": "Yes."}),
        scripted_chunk({}, "stop"),
    ]
    with serving({"/v1/models": rows, "/v1/chat/completions": sse(thinking)}) as server:
        client = talk(LLM_BACKEND="openai", OPENAI_BASE_URL=server.url)
        first = client.responses.create(model="default", input="one")
        items = [item.to_dict() for item in first.output]
        ways: list[Any] = [
            {"input": "two", "previous_response_id": first.id},
            {"input": [ONE, *items, TWO]},
            {"input": [ONE, *({"type": "item_reference", "id": item["id"]} for item in items), TWO]},
        ]
        for way in ways:
            client.responses.create(model="default", **way)
        _, *sent = [body["messages"] for body in server.sent()]
    said = {"role": "assistant", "content": "Yes."}
    thought = {"reasoning_content": "Let me see."} if owner == "vllm" else {}
    assert sent == [[ONE, {**said, **thought}, TWO]] * 3


def test_a_model_of_this_machine(talk: Talk, tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    template.write_text(THINKS)
    client = talk(CHAT_TEMPLATE=str(template))
    asked: Any = {"model": "default", "input": "hi", "temperature": 0, "max_output_tokens": 60}
    budget: Any = {"reasoning": {"max_tokens": 12}, "ignore_eos": True}
    whole = client.responses.create(**asked, extra_body=budget)
    assert [item.type for item in whole.output] == ["reasoning", "message"]
    assert whole.output_text
    assert whole.usage is not None
    assert whole.usage.output_tokens_details.reasoning_tokens == 12
    events = list(client.responses.create(**asked, extra_body=budget, stream=True))
    last = events[-1]
    assert last.type == "response.incomplete", "it never ends by itself"
    assert place(last.response) == place(whole)
    assert last.response.output_text == whole.output_text
    assert last.response.usage == whole.usage
