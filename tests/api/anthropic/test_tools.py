"""Tools and thinking over `/v1/messages`, as Anthropic's own client for Python sees them."""

from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic

from tests.api.anthropic.conftest import HI, Talk
from tests.api.openai.conftest import THINKS
from tests.byte_server import TEXT, ByteServer
from tests.loopback import Loopback

WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
ASKED: dict[str, Any] = {"model": "default", "max_tokens": 200, "messages": QUESTION, "tools": [WEATHER]}


def answered(message: Any, *results: dict[str, Any]) -> Any:
    """The conversation with this message of the assistant and what its calls gave."""
    return [*QUESTION, {"role": "assistant", "content": message.content}, {"role": "user", "content": list(results)}]


def test_a_model_of_this_machine_calls_the_tool_that_is_named(talk: Talk) -> None:
    client = talk()
    choice: Any = {"type": "tool", "name": "weather"}
    whole = client.messages.create(**ASKED, tool_choice=choice, extra_body={"temperature": 0})
    assert whole.stop_reason == "tool_use"
    call = whole.content[-1]
    assert call.type == "tool_use"
    assert isinstance(call.input["city"], str)
    with client.messages.stream(**ASKED, tool_choice=choice, extra_body={"temperature": 0}) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert pieces
    streamed = final.content[-1]
    assert streamed.type == "tool_use"
    assert (streamed.name, final.stop_reason) == (call.name, "tool_use")
    assert isinstance(streamed.input["city"], str)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Sun."}]}
    end = client.messages.create(**{**ASKED, "messages": answered(whole, result)}, tool_choice={"type": "none"})
    assert end.content[0].type == "text"


@pytest.mark.parametrize("streams", [False, True])
def test_calls_and_their_results_go_through(talk: Talk, loopback: Loopback, streams: bool) -> None:
    loopback.script.extend(
        ['say Let me see.\ncall weather {"city": "Paris"}\ncall weather {"city": "Rome"}', "say Sun."]
    )
    client = talk(LLM_BACKEND="openai")

    def ask(messages: Any) -> Any:
        if not streams:
            return client.messages.create(**{**ASKED, "messages": messages}, tool_choice={"type": "any"})
        with client.messages.stream(**{**ASKED, "messages": messages}, tool_choice={"type": "any"}) as stream:
            return stream.get_final_message()

    message = ask(QUESTION)
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in message.content[1:]] == [{"city": "Paris"}, {"city": "Rome"}]
    assert message.stop_reason == "tool_use"
    offered = loopback.requests[-1]
    assert offered["tool_choice"] == "required"
    assert offered["tools"][0]["function"]["parameters"] == WEATHER["input_schema"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "Sun."} for call in message.content[1:]]
    results[1]["is_error"] = True
    end = ask(answered(message, *results, {"type": "text", "text": "So?"}))
    assert end.content[0].text.strip() == "Sun."
    rows = loopback.requests[-1]["messages"]
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "tool", "user"]
    assert [call["function"]["name"] for call in rows[1]["tool_calls"]] == ["weather"] * 2
    assert [row["tool_call_id"] for row in rows[2:4]] == [call["id"] for call in rows[1]["tool_calls"]]


def test_one_call_at_most(talk: Talk, loopback: Loopback) -> None:
    talk(LLM_BACKEND="openai").messages.create(**ASKED, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert loopback.requests[-1]["parallel_tool_calls"] is False


def test_the_clients_own_loop_of_tools(talk: Talk, loopback: Loopback) -> None:
    from anthropic import beta_tool

    cities = list[str]()

    @beta_tool
    def weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: its name
        """
        cities.append(city)
        return f"Sun in {city}."

    loopback.script.extend(['call weather {"city": "Paris"}', "say Take a hat."])
    client = talk(LLM_BACKEND="openai")
    runner = client.beta.messages.tool_runner(model="default", max_tokens=100, tools=[weather], messages=QUESTION)
    last: Any = runner.until_done()
    assert cities == ["Paris"]
    assert last.content[0].text.strip() == "Take a hat."
    assert "Sun in Paris." in str(loopback.requests[-1]["messages"][-1])


def test_what_is_thought_is_a_block_before_the_text(thinks: Anthropic, byte_server: ByteServer) -> None:
    asked: Any = {"model": "default", "max_tokens": 2000, "messages": HI}
    enabled: Any = {"type": "enabled", "budget_tokens": 1024}
    whole = thinks.messages.create(**asked, thinking=enabled)
    thought, text = whole.content
    assert (thought.type, text.type) == ("thinking", "text")
    assert (getattr(thought, "thinking", None), getattr(text, "text", None)) == ("Let me see.", TEXT)
    assert getattr(thought, "signature", None)
    assert whole.usage.output_tokens_details is not None
    assert whole.usage.output_tokens_details.thinking_tokens == 25
    with thinks.messages.stream(**asked, thinking=enabled) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.content[0] == thought
    assert getattr(final.content[1], "text", None) == TEXT
    assert kinds.index("thinking") < kinds.index("signature") < kinds.index("text")
    back: Any = [*HI, {"role": "assistant", "content": whole.content}, *HI]
    assert thinks.messages.create(**{**asked, "messages": back}, thinking=enabled).content[-1].type == "text"


@pytest.mark.parametrize(
    ("thinking", "told"),
    [(None, None), ({"type": "adaptive"}, "Let me see."), ({"type": "adaptive", "display": "omitted"}, "")],
    ids=str,
)
def test_what_is_thought_is_told_where_it_was_asked_for(thinks: Anthropic, thinking: Any, told: str | None) -> None:
    asked: Any = {"model": "default", "max_tokens": 99, "messages": HI, **({"thinking": thinking} if thinking else {})}
    whole = thinks.messages.create(**asked)
    with thinks.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    messages: tuple[Any, ...] = (whole, final)
    for message in messages:
        blocks: list[Any] = [block for block in message.content if block.type == "thinking"]
        assert [block.thinking for block in blocks] == ([] if told is None else [told])
        assert all(block.signature for block in blocks)
        assert message.content[-1].type == "text"


def test_a_server_is_asked_for_the_effort_that_is_named(thinks: Anthropic, byte_server: ByteServer) -> None:
    raw = thinks.messages.with_raw_response.create(
        model="default",
        max_tokens=2000,
        messages=HI,
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low"},
    )
    assert byte_server.requests[-1]["reasoning_effort"] == "low"
    assert raw.headers["x-ignored-fields"] == "thinking.budget_tokens"


def test_a_model_of_this_machine_thinks_as_long_as_it_may(talk: Talk, tmp_path: Path, fresh_backends: None) -> None:
    template = tmp_path / "own.jinja"
    template.write_text(THINKS)
    client = talk(CHAT_TEMPLATE=str(template))
    asked: Any = {"model": "default", "max_tokens": 30, "messages": HI}
    long: Any = {"temperature": 0, "ignore_eos": True}
    thinking: Any = {"type": "enabled", "budget_tokens": 5}
    found = client.messages.create(**asked, thinking=thinking, extra_body=long)
    assert [block.type for block in found.content] == ["thinking", "text"]
    assert found.usage.output_tokens_details is not None
    assert found.usage.output_tokens_details.thinking_tokens == 5
    alone = client.messages.create(**asked, extra_body=long)
    assert [block.type for block in alone.content] == ["text"]
    assert alone.usage.output_tokens_details is None
