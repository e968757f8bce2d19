"""The openai backend against a server that behaves, and against one that does not."""

import asyncio
import time
from typing import Any

import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import BaseModel, SecretStr

import backends
from backends.openai import BackendSettings
from backends.remote.chat import OpenAIChat
from settings import Settings, SettingsError
from tests.conftest import free_port
from tests.loopback import KEY, Loopback


def load() -> BaseChatModel:
    return backends.load("openai", Settings.read())


def test_nothing_is_sent_before_the_first_message(loopback: Loopback) -> None:
    load()
    assert loopback.requests == []


def test_the_first_model_is_taken_where_none_is_named(loopback: Loopback) -> None:
    loopback.models = ["the-first", "the-second"]
    load().invoke("hi")
    assert loopback.requests[-1]["model"] == "the-first"


async def test_usage_and_the_last_chunk_in_a_stream(loopback: Loopback) -> None:
    whole: AIMessageChunk | None = None
    async for chunk in load().astream("hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.usage_metadata is not None
    assert (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]) == (7, 6)


def test_only_options_that_were_set_are_sent(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    load().invoke("hi")
    assert set(loopback.requests[-1]) <= {"messages", "model", "stream", "stream_options"}
    backends.unload()
    monkeypatch.setenv("TOP_K", "7")
    monkeypatch.setenv("REPETITION_PENALTY", "1.2")
    monkeypatch.setenv("MAX_TOKENS", "9")
    load().invoke("hi", temperature=0.1, seed=3, top_p=0.5)
    sent = loopback.requests[-1]
    assert (sent["top_k"], sent["repetition_penalty"], sent["max_tokens"]) == (7, 1.2, 9)
    assert (sent["temperature"], sent["seed"], sent["top_p"]) == (0.1, 3, 0.5)


def test_every_sampling_option_travels(loopback: Loopback) -> None:
    """Those that OpenAI does not know beside the others, as vLLM and llama-server take them; a text's as a chat's."""
    options: dict[str, Any] = {
        "min_p": 0.1,
        "ignore_eos": True,
        "top_k": 3,
        "frequency_penalty": -1.5,
        "presence_penalty": 2.0,
    }
    load().invoke("hi", **options)
    assert options.items() <= loopback.requests[-1].items()
    load().invoke("Once", raw=True, **options)
    assert options.items() <= loopback.requests[-1].items()
    load().invoke("hi", min_p=0.0, ignore_eos=False)
    assert {"min_p": 0.0, "ignore_eos": False}.items() <= loopback.requests[-1].items()


@pytest.mark.parametrize(
    ("todo", "kind", "said"),
    [
        ("429", ModelRateLimitError, "Rate limit"),
        ("500", ModelAPIError, "server had an error"),
        ("503", ModelAPIError, "server had an error"),
        ("refuse top_k", ModelInvalidRequestError, "top_k"),
        ("overflow", ContextOverflowError, "maximum context length"),
        ("malformed", ModelAPIError, "no JSON"),
        ("cut", ModelConnectionError, "connection"),
        ("close", ModelConnectionError, "broke off"),
        ("close at once", ModelConnectionError, "end in /v1"),
    ],
)
async def test_failures_have_kind_cause_and_remedy(
    loopback: Loopback, todo: str, kind: type[Exception], said: str
) -> None:
    loopback.script.append(todo)
    with pytest.raises(kind, match=f"(?i){said}") as caught:
        [chunk async for chunk in load().astream("hi")]
    assert loopback.url in str(caught.value)


def test_failures_without_a_stream(loopback: Loopback) -> None:
    loopback.script.append("500")
    with pytest.raises(ModelAPIError, match="server had an error"):
        load().invoke("hi")


def test_a_wrong_key_is_named_and_not_shown(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ModelAuthenticationError, match="Check OPENAI_API_KEY") as caught:
        load().invoke("hi")
    assert KEY not in str(caught.value)


def test_a_server_that_hangs_times_out(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_TIMEOUT", "0.3")
    loopback.script.append("hang")
    with pytest.raises(ModelTimeoutError, match="OPENAI_TIMEOUT"):
        load().invoke("hi")


def test_a_web_page_is_no_server(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback.models = []
    with pytest.raises(ModelNotFoundError, match="end in /v1"):
        load().invoke("hi")
    backends.unload()
    monkeypatch.setenv("OPENAI_MODEL", "x")
    loopback.script.append("html")
    with pytest.raises(ModelConnectionError, match="end in /v1"):
        list(load().stream("hi"))


def test_the_official_address_is_openai_itself(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    with pytest.raises(ModelAuthenticationError, match="OPENAI_API_KEY"):
        load()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = load()
    assert not getattr(model, "compatible", True)
    assert (model.profile or {}).get("max_input_tokens", 0) > 100_000


def test_what_a_server_offers(loopback: Loopback) -> None:
    loopback.models = ["b", "a"]
    assert backends.list_models("openai", Settings.read()) == ["a", "b"]
    assert [backends.can_list_models(name) for name in backends.names()] == [False, False, True]


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ModelConnectionError, match="Check OPENAI_BASE_URL"):
        load().invoke("hi")


async def test_cancel_closes_the_connection(loopback: Loopback) -> None:
    loopback.script.append("slow")
    seen = asyncio.Event()

    async def read() -> None:
        async for chunk in load().astream("hi"):
            if "word3" in str(chunk.text):
                seen.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(seen.wait(), 10)
    cancelled, sent = time.monotonic(), loopback.sent
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - cancelled < 0.1
    for _ in range(100):
        if loopback.gone:
            break
        await asyncio.sleep(0.02)
    assert loopback.sent - sent <= 3


async def test_raw_text_goes_to_completions(loopback: Loopback) -> None:
    parts = [str(chunk.text) async for chunk in load().astream("Once", raw=True)]
    assert "".join(parts) == " upon a time"
    assert loopback.requests[-1]["prompt"] == "Once"
    assert load().invoke("Once\ud800", raw=True).text == " upon a time"
    assert loopback.requests[-1]["prompt"] == "Once?"


def test_raw_text_at_openai_itself_names_who_can(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ModelInvalidRequestError, match="gpt2 and llamacpp"):
        load().invoke("Once", raw=True)


def test_counting_fetches_nothing_and_is_an_estimate(loopback: Loopback) -> None:
    model = load()
    assert 3 <= model.get_num_tokens_from_messages([HumanMessage("hello there, how are you?")]) <= 20
    assert model.get_num_tokens("hello there") == 3
    assert model.profile is None
    assert loopback.requests == []


def test_the_window_can_be_told(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "4096")
    assert (load().profile or {}).get("max_input_tokens") == 4096


def test_lone_surrogates_are_sent_as_something(loopback: Loopback) -> None:
    load().invoke("a\ud800b")
    assert loopback.requests[-1]["messages"][-1]["content"] == "a?b"


def test_no_key_names_the_remedy(fresh_backends: None) -> None:
    with pytest.raises(ModelAuthenticationError, match="set OPENAI_API_KEY"):
        load()


def test_the_key_is_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = BackendSettings.read()
    assert isinstance(settings.api_key, SecretStr)
    assert KEY not in repr(settings) + "".join(option.value for option in settings.options())


def test_a_password_in_the_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:secret@127.0.0.1/v1")
    with pytest.raises(SettingsError, match=r"OPENAI_BASE_URL=\(hidden\).*OPENAI_API_KEY") as caught:
        BackendSettings.read()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-\u2026", "sk-\nx"])
def test_a_key_that_is_none_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY=\(hidden\): .*copy it again"):
        BackendSettings.read()


def test_a_bad_address_names_variable_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost")
    with pytest.raises(SettingsError, match=r"OPENAI_BASE_URL=localhost.*http"):
        BackendSettings.read()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://a/v1, http://A/v1/", r"OPENAI_BASE_URL=http://a/v1, http://A/v1/: .*http://A/v1/ is named twice"),
        ("http://a/v1,b", r"OPENAI_BASE_URL=http://a/v1,b: .*URL"),
        (",", r"OPENAI_BASE_URL=,: .*URL"),
        ("http://a/v1,https://api.openai.com/v1", r"OpenAI's own address shares no list"),
        ("http://a/v1,http://me:hunter2@b/v1", r"OPENAI_BASE_URL=\(hidden\).*OPENAI_API_KEY"),
    ],
)
def test_a_list_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    with pytest.raises(SettingsError, match=said) as caught:
        BackendSettings.read()
    assert "hunter2" not in str(caught.value)


def test_one_address_is_one_client(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url} ,")
    model = backends.load("openai", Settings.read())
    assert isinstance(model, OpenAIChat)
    assert model.server == loopback.url
    assert "server" not in model.invoke("hi").response_metadata


class Mood(BaseModel):
    """How somebody is."""

    happy: bool


async def test_a_reply_of_a_form_that_was_cut_is_what_was_said_until_then(loopback: Loopback) -> None:
    loopback.reply, loopback.ended = '{"happy": tr', "length"
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": Mood.model_json_schema()}}
    model = load().bind(response_format=form)
    whole = await model.ainvoke("hi")
    streamed = [chunk async for chunk in model.astream("hi")]
    assert whole.text == "".join(str(chunk.text) for chunk in streamed).strip() == loopback.reply
    ends = [chunk.response_metadata.get("finish_reason") for chunk in (whole, *streamed)]
    assert [end for end in ends if end] == ["length", "length"]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of LangChain with OpenAI's own client
def test_an_object_that_was_cut_is_no_object(loopback: Loopback) -> None:
    loopback.reply, loopback.ended = '{"happy": tr', "length"
    with pytest.raises(ModelInvalidRequestError, match="Raise max_tokens"):
        load().with_structured_output(Mood).invoke("hi")
    loopback.reply, loopback.ended = '{"happy": true}', "stop"
    assert load().with_structured_output(Mood).invoke("hi") == Mood(happy=True)
