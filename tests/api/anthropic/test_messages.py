"""`/v1/messages` as Anthropic's own client for Python sees it: texts, turns, ends, tokens, and what is refused."""

import asyncio
import base64
import json
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from tests.api.anthropic.conftest import ASKED, HI, Talk, official
from tests.api.conftest import Serve, idle, wait
from tests.byte_server import STOP, TEXT, ByteServer, chunk, stream, words
from tests.loopback import Loopback
from tests.pdf import pdf

STREAMS, WORDS = 50, 40


def text_of(message: Any) -> str:
    """The text of a message of one block."""
    (block,) = message.content
    assert block.type == "text"
    return str(block.text)


def test_a_whole_message_and_a_stream_of_it(talk: Talk) -> None:
    client = talk()
    whole = client.messages.create(**ASKED)
    assert (whole.type, whole.role, whole.model, whole.stop_sequence) == ("message", "assistant", "default", None)
    assert whole.id.startswith("msg_")
    assert whole.stop_reason in {"end_turn", "max_tokens"}
    assert whole.usage.input_tokens > 0
    assert whole.usage.output_tokens > 0
    with client.messages.stream(**ASKED) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
        assert stream.request_id
    assert len(texts) > 0
    assert "".join(texts) == text_of(final) == text_of(whole)
    assert (final.stop_reason, final.usage.input_tokens) == (whole.stop_reason, whole.usage.input_tokens)
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_the_events_of_a_stream_in_order(talk: Talk, serve: Serve) -> None:
    client = talk()
    kinds = [event.type for event in client.messages.create(**ASKED, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    body = {"messages": HI, "max_tokens": 5, "stream": True}
    with serve().stream("POST", "/v1/messages", json=body) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith(("event:", "data:"))]
    named = [line.removeprefix("event: ") for line in lines[::2]]
    assert named == [json.loads(line.removeprefix("data: "))["type"] for line in lines[1::2]]
    assert "ping" in named


def test_turns_and_a_system_prompt_reach_the_model(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    cached: Any = {"type": "ephemeral"}
    client.messages.create(
        model="default",
        max_tokens=9,
        system=[{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief.", "cache_control": cached}],
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "and "}, {"type": "text", "text": "hello"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
            {"role": "system", "content": "It is late."},
            {"role": "user", "content": "What now?"},
        ],
        metadata={"user_id": "somebody"},
        extra_body={"temperature": 0.5, "top_p": 0.9},  # which the newest client has no names for
    )
    asked = loopback.requests[-1]
    assert [(row["role"], row["content"]) for row in asked["messages"]] == [
        ("system", "Be kind.\n\nBe brief."),
        ("user", "hi\n\nand hello"),
        ("assistant", "Hello."),
        ("system", "It is late."),
        ("user", "What now?"),
    ]
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.5, 0.9, 9)
    assert "metadata" not in asked


def test_why_a_message_ended(talk: Talk) -> None:
    client = talk()
    long: Any = {**ASKED, "max_tokens": 12}
    whole = client.messages.create(**{**long, "extra_body": {"temperature": 0, "ignore_eos": True}})
    assert whole.stop_reason == "max_tokens"
    text = text_of(whole)
    stop = text.split()[3]
    ended = client.messages.create(**long, stop_sequences=["never said", stop])
    assert (ended.stop_reason, ended.stop_sequence) == ("stop_sequence", stop)
    assert text_of(ended) == text[: text.index(stop)]
    with client.messages.stream(**long, stop_sequences=["never said", stop]) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.stop_sequence, text_of(final)) == ("stop_sequence", stop, text_of(ended))


def test_the_text_that_ended_a_servers_reply_is_told_where_the_server_says_it(
    talk: Talk, byte_server: ByteServer
) -> None:
    client = talk(LLM_BACKEND="openai")
    byte_server.answer(stream(*words(), chunk({**STOP, "stop_reason": "END"})))
    ended = client.messages.create(**ASKED, stop_sequences=["Human:", "END"])
    assert (ended.stop_reason, ended.stop_sequence, text_of(ended)) == ("stop_sequence", "END", TEXT)
    byte_server.answer(stream(*words(), chunk(STOP)))
    untold = client.messages.create(**ASKED, stop_sequences=["Human:", "END"])
    assert (untold.stop_reason, untold.stop_sequence) == ("end_turn", None)


def test_what_was_known_of_a_prompt_is_no_input_of_it(talk: Talk, fresh_backends: None) -> None:
    client = talk()
    asked: Any = {**ASKED, "max_tokens": 2, "system": "Be kind, be brief and be of good cheer to whoever asks. " * 12}
    first, second = (client.messages.create(**asked).usage for _ in range(2))
    assert first.cache_read_input_tokens == first.cache_creation_input_tokens == 0
    assert second.cache_read_input_tokens
    assert second.cache_read_input_tokens % 64 == 0, "nobody learns single tokens of what another has asked"
    assert second.input_tokens + second.cache_read_input_tokens == first.input_tokens
    assert second.input_tokens < 64 + 8
    url = str(client.base_url).rstrip("/")
    rows = [{"role": "system", "content": asked["system"]}, *HI]
    told = httpx.post(f"{url}/v1/chat/completions", json={"messages": rows, "max_tokens": 2}, timeout=300).json()[
        "usage"
    ]
    assert told["prompt_tokens"] == first.input_tokens
    assert told["prompt_tokens_details"] == {"cached_tokens": second.cache_read_input_tokens}
    made = httpx.post(
        f"{url}/v1/responses",
        json={"instructions": asked["system"], "input": HI, "max_output_tokens": 2, "store": False},
        timeout=300,
    ).json()["usage"]
    assert made["input_tokens_details"]["cached_tokens"] == second.cache_read_input_tokens


def test_what_a_server_knew_and_keeps_of_a_prompt_is_told(talk: Talk, byte_server: ByteServer) -> None:
    details = {"cached_tokens": 1024, "cache_write_tokens": 256}
    told = {"prompt_tokens": 1965, "completion_tokens": 5, "total_tokens": 1970, "prompt_tokens_details": details}
    byte_server.answer(stream(*words(), chunk(STOP, usage=told)))
    client = talk(LLM_BACKEND="openai")
    with client.messages.stream(**ASKED) as streamed:
        final = streamed.get_final_message().usage
    for usage in (final, client.messages.create(**ASKED).usage):
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
            685,
            1024,
            256,
        )


def test_a_last_message_of_the_assistant_is_continued(talk: Talk) -> None:
    client = talk()
    begun: Any = {**ASKED, "messages": [*HI, {"role": "assistant", "content": "I am"}]}
    text = text_of(client.messages.create(**begun))
    assert text
    assert not text.startswith("I am")


def test_an_answer_can_be_sent_back_as_the_client_holds_it(talk: Talk) -> None:
    client = talk()
    first = client.messages.create(**ASKED)
    turns: Any = [*HI, {"role": first.role, "content": first.content}, {"role": "user", "content": "And you?"}]
    assert text_of(client.messages.create(**{**ASKED, "messages": turns}))


class Mood(BaseModel):
    """What the model is held to."""

    happy: bool


def test_a_reply_of_a_schema(talk: Talk) -> None:
    client = talk()
    parsed = client.messages.parse(model="default", max_tokens=60, messages=HI, output_format=Mood)
    assert isinstance(parsed.parsed_output, Mood)
    schema = {"type": "object", "properties": {"happy": {"type": "boolean"}}, "required": ["happy"]}
    closed: Any = {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}}
    told = client.messages.create(model="default", max_tokens=60, messages=HI, output_config=closed)
    assert isinstance(json.loads(text_of(told))["happy"], bool)


def test_tokens_are_counted_without_a_reply(talk: Talk) -> None:
    client = talk()
    system = "Be kind."
    counted = client.messages.count_tokens(model="default", messages=HI, system=system)
    assert counted.input_tokens == client.messages.create(**ASKED, system=system).usage.input_tokens
    tool: Any = {"name": "now", "description": "The time.", "input_schema": {"type": "object", "properties": {}}}
    more = client.messages.count_tokens(model="default", messages=HI, system=system, tools=[tool])
    assert more.input_tokens > counted.input_tokens


def test_documents_are_read(talk: Talk, loopback: Loopback, serve: Serve) -> None:
    client = talk(LLM_BACKEND="openai")
    data = base64.b64encode(pdf(["The ferry leaves at noon."])).decode()
    kept = serve(LLM_BACKEND="openai").post("/v1/files", files={"file": ("notes.txt", b"The lamp is red.")}).json()
    content: Any = [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}, "title": "A"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rains."}},
        {"type": "document", "source": {"type": "file", "file_id": kept["id"]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "Snow falls."}]},
        {"type": "text", "text": "When?"},
    ]
    client.messages.create(model="default", max_tokens=9, messages=[{"role": "user", "content": content}])
    said = loopback.requests[-1]["messages"][-1]["content"]
    for text in ("The ferry leaves at noon.", "It rains.", "The lamp is red.", "Snow falls."):
        assert text in said
    assert said.endswith("When?")
    spoilt: Any = [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="default", max_tokens=9, messages=[{"role": "user", "content": spoilt}])


def test_a_key_in_either_header(serve: Serve) -> None:
    served = serve(API_KEYS="right")
    for options in ({"api_key": "right"}, {"api_key": None, "auth_token": "right"}):
        assert official(served, **options).messages.create(**ASKED).content
    both = {"x-api-key": "wrong", "Authorization": "Bearer right"}
    body = {"messages": HI, "max_tokens": 5}
    assert served.post("/v1/messages", json=body, headers=both).status_code == 200
    with pytest.raises(anthropic.AuthenticationError, match="The key is wrong") as raised:
        official(served, api_key="wrong").messages.create(**ASKED)
    assert raised.value.request_id
    told: Any = raised.value.body
    assert (told["type"], told["error"]["type"]) == ("error", "authentication_error")
    assert told["request_id"]


def test_what_is_wrong_is_said_in_their_form(talk: Talk) -> None:
    client = talk()
    with pytest.raises(anthropic.NotFoundError, match="does not exist here") as missing:
        client.messages.create(**{**ASKED, "model": "claude-of-nobody"})
    body: Any = missing.value.body
    assert body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        client.messages.create(**{**ASKED, "messages": [{"role": "user", "content": "word " * 1100}]})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(**{**ASKED, "max_tokens": 0})


PNG = {"type": "base64", "media_type": "image/png", "data": "AA=="}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("cannot see", {"content": [{"type": "image", "source": PNG}]}),
    ("fetches no document", {"content": [{"type": "document", "source": {"type": "url", "url": "https://a.org"}}]}),
    ("server_tool_use", {"content": [{"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}]}),
    ("belongs into a message of the assistant", {"content": [{"type": "thinking", "thinking": "a", "signature": "b"}]}),
    ("follows no such call", {"content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"}]}),
    ("web_search_20250305", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ("there are none", {"tool_choice": {"type": "any"}}),
    ("mcp_servers", {"mcp_servers": [{"type": "url", "url": "https://example.org"}]}),
    ("container", {"container": {"skills": []}}),
    ("thread", {"thread": {"type": "create"}}),
    ("thinking", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ("output_config.format", {"output_config": {"format": {"type": "json_schema", "schema": {"not": {}}}}}),
]


@pytest.mark.parametrize(("named", "fields"), REFUSED, ids=[named for named, _ in REFUSED])
def test_what_is_not_done_here_is_refused_by_name(talk: Talk, named: str, fields: dict[str, Any]) -> None:
    content = fields.get("content", "hi")
    rest = {name: value for name, value in fields.items() if name != "content"}
    with pytest.raises(anthropic.BadRequestError, match=named):
        talk().messages.create(
            model="default", max_tokens=9, messages=[{"role": "user", "content": content}], extra_body=rest
        )


def test_fields_that_do_nothing_are_named(talk: Talk) -> None:
    raw = talk().messages.with_raw_response.create(
        **{**ASKED, "extra_body": {"context_management": {"edits": [{"type": "a"}]}, "service_tier": "auto"}}
    )
    assert raw.headers["x-ignored-fields"] == "context_management"


def test_a_failure_within_a_stream_is_its_last_event(talk: Talk, loopback: Loopback) -> None:
    loopback.script.append("cut")
    client = talk(LLM_BACKEND="openai")
    said = list[str]()
    with pytest.raises(anthropic.APIStatusError) as raised, client.messages.stream(**ASKED) as stream:
        said.extend(stream.text_stream)
    assert said
    body: Any = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "api_error")


async def told(client: AsyncAnthropic, number: int) -> str:
    """The text of one streamed message, each with words of its own."""
    messages: Any = [{"role": "user", "content": f"Tell me {number} things."}]
    async with client.messages.stream(model="default", max_tokens=500, messages=messages) as stream:
        return "".join([text async for text in stream.text_stream])


async def test_fifty_streams_at_once_keep_each_its_words(serve: Serve, loopback: Loopback) -> None:
    def words(body: dict[str, Any]) -> str:
        number = body["messages"][-1]["content"].split()[2]
        return " ".join(f"{number}:{place}" for place in range(WORDS))

    loopback.answer = words
    address = str(serve(LLM_BACKEND="openai").base_url)
    async with AsyncAnthropic(base_url=address, api_key="none", max_retries=0, timeout=300) as client:
        texts = await asyncio.gather(*(told(client, number) for number in range(STREAMS)))
    assert [text.split() for text in texts] == [[f"{n}:{place}" for place in range(WORDS)] for n in range(STREAMS)]
    await asyncio.to_thread(wait, lambda: idle("openai"))


def test_a_client_that_leaves_ends_the_reply(talk: Talk, loopback: Loopback) -> None:
    loopback.script.append("slow 100000")
    client: Anthropic = talk(LLM_BACKEND="openai")
    with client.messages.stream(**ASKED) as stream:
        assert next(stream.text_stream)
    wait(lambda: loopback.gone)


def test_a_silent_model_is_no_silent_stream(serve: Serve, loopback: Loopback) -> None:
    loopback.script.append("think 8")
    client: httpx.Client = serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="0.05")
    with client.stream("POST", "/v1/messages", json={"messages": HI, "max_tokens": 9, "stream": True}) as answer:
        lines = list(answer.iter_lines())
    assert sum(line.startswith(":") or line == "event: ping" for line in lines) >= 3
