"""Which names clients may use."""

import re
from collections.abc import Callable

import pytest
from openai import NotFoundError, OpenAI

import backends
from api.http import state
from settings import SettingsError
from tests.api.conftest import Serve
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


def test_the_ready_backends_and_the_default_are_listed(talk: Talk) -> None:
    client = talk()
    found = {model.id: model for model in client.models.list()}
    assert {"default", "llamacpp"} <= set(found)
    assert "openai" not in found, "it has no key"
    assert found["default"].owned_by == "llamacpp"
    assert client.models.retrieve("default").owned_by == "llamacpp"


def test_a_loaded_model_tells_its_window(talk: Talk, fresh_backends: None) -> None:
    client = talk()
    assert client.models.retrieve("llamacpp").to_dict()["max_model_len"] is None
    client.chat.completions.create(model="default", messages=HI, max_tokens=1)
    told = {model.id: model.to_dict()["max_model_len"] for model in client.models.list()}
    assert (told["default"], told["llamacpp"], told["gpt2"]) == (1024, 1024, None)


def test_names_of_other_providers_are_listed_where_the_server_may_use_them(serve: Serve) -> None:
    client = serve(API_MODELS="openai:gpt-5.4-mini, nosuch:model")
    listed = [row["id"] for row in client.get("/v1/models").json()["data"]]
    assert "openai:gpt-5.4-mini" in listed
    assert "nosuch:model" not in listed
    assert client.get("/v1/models/openai:gpt-5.4-mini").json()["owned_by"] == "openai:gpt-5.4-mini"
    refused = client.get("/v1/models/nosuch:model")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert "LangChain knows no provider nosuch" in refused.json()["error"]["message"]


@pytest.mark.parametrize("name", ["gpt-4o", "openai:gpt-5.4-mini", "a/b", "loopback-small", "../default", "openai"])
def test_any_other_name_is_refused_before_anything_loads(talk: Talk, fresh_backends: None, name: str) -> None:
    client = talk()
    asked: list[Callable[[], object]] = [
        lambda: client.chat.completions.create(model=name, messages=HI),
        lambda: client.completions.create(model=name, prompt="hi"),
        lambda: client.responses.create(model=name, input="hi"),
    ]
    for ask in asked:
        with pytest.raises(NotFoundError) as refused:
            ask()
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert all(backends.loaded_model(backend) is None for backend in backends.names())


@pytest.mark.parametrize("name", ["gpt-4o-mini", "gpt-5", "claude-sonnet-4-5", "llama3.2", "o4-mini"])
def test_the_default_names_of_clients_are_told_what_is_there(talk: Talk, name: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        talk().chat.completions.create(model=name, messages=HI)
    assert refused.value.code == "model_not_found"
    assert f"The model '{name}' does not exist here. There are: default, " in str(refused.value)
    assert ", llamacpp" in str(refused.value)
    assert f"API_MODELS={name}=default" in str(refused.value)


def test_a_name_may_stand_for_a_model(talk: Talk) -> None:
    client = talk(API_MODELS="gpt-4o-mini=default, gpt-oss:20b = llamacpp, far=nosuch:model")
    listed = {model.id: model.owned_by for model in client.models.list()}
    assert (listed["gpt-4o-mini"], listed["gpt-oss:20b"]) == ("llamacpp", "llamacpp")
    assert "far" not in listed
    assert "nosuch:model" not in listed
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    for name in ("gpt-4o-mini", "gpt-oss:20b"):
        assert client.chat.completions.create(model=name, messages=HI, max_tokens=1).model == name
        assert client.completions.create(model=name, prompt="hi", max_tokens=1).model == name
        assert client.responses.create(model=name, input="hi", max_output_tokens=1).model == name
        [first, *_] = client.chat.completions.create(model=name, messages=HI, max_tokens=1, stream=True)
        assert first.model == name
    with pytest.raises(NotFoundError, match="LangChain knows no provider nosuch"):
        client.chat.completions.create(model="far", messages=HI)
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="nosuch:model", messages=HI)


WRONG_NAMES = [
    ("gpt-4o-mini=nosuch", "API_MODELS=gpt-4o-mini=nosuch: there is no such backend"),
    ("a=default,b=a", "API_MODELS=b=a: there is no such backend"),
    ("llamacpp=default", "API_MODELS=llamacpp=default: llamacpp means something else"),
    ("default=llamacpp", "API_MODELS=default=llamacpp: default means something else"),
    ("=default", "API_MODELS==default: there is no name before the ="),
    ("gpt-4o-mini=", "API_MODELS=gpt-4o-mini=: there is no such backend"),
]


@pytest.mark.parametrize(("names", "told"), WRONG_NAMES, ids=[names for names, _ in WRONG_NAMES])
def test_a_name_that_stands_for_nothing_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, names: str, told: str
) -> None:
    monkeypatch.setenv("API_MODELS", names)
    with pytest.raises(SettingsError, match=re.escape(told)):
        state.create_state()


def test_what_a_backends_own_server_offers_is_no_name_here(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    assert client.chat.completions.create(model="openai", messages=HI).model == "openai"
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="loopback-small", messages=HI)
    assert len(loopback.requests) == 1


def test_it_is_503_where_the_default_cannot_answer(serve: Serve, fresh_backends: None) -> None:
    client = serve(LLAMACPP_MODEL="/no/such.gguf")
    assert "default" not in [row["id"] for row in client.get("/v1/models").json()["data"]]
    answer = client.post("/v1/chat/completions", json={"messages": HI})
    assert answer.status_code == 503
    assert "/no/such.gguf" in answer.json()["error"]["message"]


def test_keys_are_asked_for(serve: Serve) -> None:
    client = serve(API_KEYS="sk-right")
    for path in ("/v1/models", "/v1/models/default"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer sk-right"}).status_code == 200
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        answer = client.post(path, content=b"{")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    right = OpenAI(base_url=f"{client.base_url}/v1", api_key="sk-right")
    assert right.models.list().data


def test_a_name_that_no_backend_can_have_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_MODELS", "openai:gpt-5.4-mini, gpt-4o")
    with pytest.raises(SettingsError, match="API_MODELS=gpt-4o: there is no such backend"):
        state.create_state()
