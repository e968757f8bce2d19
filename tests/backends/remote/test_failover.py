"""Several servers behind OPENAI_BASE_URL: what becomes of a request where one of them fails."""

import asyncio

import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
)

import backends
from chains.assistant import build
from chains.report import Report
from settings import Settings
from tests.backends.remote.conftest import HI, Use, asked, idle, read
from tests.byte_server import ByteServer, chunk, reply, stream
from tests.conftest import free_port
from tests.loopback import KEY, Loopback, running


@pytest.mark.usefixtures("late")
def test_a_dead_server_is_passed_by(
    pair: list[Loopback], use: Use, dead: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = use(dead, pair[0])
    for _ in range(3):
        assert model.invoke("hi").text == pair[0].reply
    assert "".join(str(chunk.text) for chunk in model.stream("hi")).strip() == pair[0].reply
    left = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert len(left) == 1  # it was not asked again
    assert dead in left[0]
    assert KEY not in caplog.text
    assert idle(model)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("todo", ["500", "429 30", "429 ²", "close at once"])
async def test_a_server_that_fails_before_its_first_chunk_is_left_out(
    pair: list[Loopback], use: Use, todo: str
) -> None:
    model = use(*pair)
    pair[0].script.append(todo)
    assert (await read(model.astream("hi"))).strip() == pair[1].reply
    assert asked(pair) == [1, 1]
    assert model.invoke("hi").text == pair[1].reply
    assert asked(pair) == [1, 2]


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("environment", [{"OPENAI_MODEL": "m"}, {}], ids=["named", "unnamed"])
async def test_a_server_that_never_answers_is_left_out(
    pair: list[Loopback], use: Use, mute: str, environment: dict[str, str]
) -> None:
    model = use(mute, pair[0], OPENAI_TIMEOUT="0.5", **environment)
    texts = await asyncio.gather(*(read(model.astream("hi")) for _ in range(12)))
    assert {text.strip() for text in texts} == {pair[0].reply}
    assert len(pair[0].requests) == 12
    assert model.invoke("hi").text == pair[0].reply
    assert idle(model)


@pytest.mark.parametrize("todo", ["cut"])
async def test_a_reply_that_breaks_off_is_told_and_not_begun_again(pair: list[Loopback], use: Use, todo: str) -> None:
    use(*pair)
    pair[0].script.append(todo)
    texts: list[str] = []

    async def follow() -> None:
        async for text in build(Settings.read(), "openai").astream(HI):
            texts.append(text)

    with pytest.raises(ModelConnectionError, match=r"(?i)broke off|connection") as caught:
        await follow()
    assert pair[0].url in str(caught.value)
    assert "".join(texts) == "It is a "
    assert asked(pair) == [1, 0]


def test_what_is_wrong_with_the_request_is_not_tried_elsewhere(pair: list[Loopback], use: Use) -> None:
    model = use(*pair, OPENAI_MODEL="m")
    wrong = {"refuse top_k": ModelInvalidRequestError, "overflow": ContextOverflowError}
    for number, (todo, kind) in enumerate(wrong.items(), 1):
        pair[0].script.append(todo)
        with pytest.raises(kind):
            model.invoke("hi")
        model.invoke("hi")
        assert asked(pair) == [number, number]  # in turn: nobody was left out


@pytest.mark.usefixtures("late")
def test_a_server_without_the_model_of_our_settings_is_left_out(
    pair: list[Loopback], use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    """It refuses at once, and would be the least busy one for ever."""
    model = use(*pair, OPENAI_MODEL="m")
    pair[0].script.extend(["404"] * 4)
    for _ in range(4):
        assert model.invoke("hi").response_metadata["server"] == pair[1].url
    assert asked(pair) == [1, 4]
    assert "it does not serve the model" in caplog.text


def test_a_model_that_a_client_names_wrongly_is_his_own_mistake(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    pair[0].script.append("404")
    with pytest.raises(ModelNotFoundError):
        model.invoke("hi", model="misspelt")
    assert asked(pair) == [1, 0]
    assert model.invoke("hi").response_metadata["server"] == pair[1].url
    assert model.invoke("hi").response_metadata["server"] == pair[0].url  # it was not left out


@pytest.mark.usefixtures("late")
def test_a_key_that_all_refuse_is_told(pair: list[Loopback], use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(*pair)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    backends.unload()
    with pytest.raises(ModelAuthenticationError, match="Check OPENAI_API_KEY"):
        list(backends.load("openai", Settings.read()).stream("hi"))
    assert asked(pair) == [1, 1]


@pytest.mark.usefixtures("soon")
def test_a_server_that_comes_back_gets_work_again(pair: list[Loopback], use: Use) -> None:
    port = free_port()
    model = use(f"http://127.0.0.1:{port}/v1", pair[0])
    model.invoke("hi")
    with running(port) as back:
        back.models = ["another-name"]
        for _ in range(4):
            model.invoke("hi")
        assert asked([back, pair[0]]) == [2, 3]
        assert back.requests[0]["model"] == "another-name"


@pytest.mark.usefixtures("soon")
def test_a_server_started_anew_with_another_model_is_asked_for_its_name(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    model.invoke("hi")
    pair[0].models = ["newer"]
    pair[0].script.append("404")
    for _ in range(4):
        assert model.invoke("hi").text == pair[0].reply
    assert [request["model"] for request in pair[0].requests] == ["loopback-small"] * 2 + ["newer"]


@pytest.mark.usefixtures("late")
async def test_none_answers(pair: list[Loopback], use: Use, dead: str) -> None:
    model = use(dead, *pair, OPENAI_MODEL="m")
    pair[0].script.append("500")
    pair[1].script.append("429 7")
    with pytest.raises(ModelRateLimitError) as caught:
        await read(model.astream("hi"))
    said = str(caught.value).splitlines()
    assert said[0] == "openai: none of the 3 servers answers."
    assert [url in line for url, line in zip([dead, pair[0].url, pair[1].url], said[1:], strict=True)] == [True] * 3
    assert "had an error" in said[2]
    assert "Rate limit" in said[3]
    assert idle(model)


@pytest.mark.usefixtures("late")
def test_where_all_are_left_out_they_are_tried_all_the_same(pair: list[Loopback], use: Use, dead: str) -> None:
    model = use(dead, *pair)
    for server in pair:
        server.script.append("500")
    with pytest.raises(ModelAPIError):
        model.invoke("hi")
    assert model.invoke("hi").text == pair[0].reply


@pytest.mark.usefixtures("late")
def test_the_chain_tries_again_and_the_report_names_the_server(pair: list[Loopback], use: Use) -> None:
    use(*pair, OPENAI_MODEL="m")
    for server in pair:
        server.script.append("429 0")
    report = Report()
    assert build(Settings.read(), "openai").invoke(HI, {"callbacks": [report]}).strip() == pair[0].reply
    assert len(report.retries) == 1
    assert report.server in {server.url for server in pair}
    assert report.summary()["server"] == report.server


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(
    "answer",
    [
        stream({"error": {"message": "out of memory"}}),
        stream(chunk() | {"choices": [None]}),
        reply({"detail": "loading"}, 503),
        reply("<title>Sign in</title>", 302, "text/html", "Location: /login"),
        reply("<title>Sign in</title>", 200, "text/html"),
    ],
    ids=["error row", "wrong shape", "status", "redirection", "page"],
)
async def test_a_server_that_answers_no_reply_is_left_out(
    pair: list[Loopback], byte_server: ByteServer, use: Use, answer: list[bytes]
) -> None:
    model = use(byte_server.url, pair[0], OPENAI_MODEL="m")
    byte_server.answer(answer)
    for _ in range(3):
        assert (await read(model.astream("hi"))).strip() == pair[0].reply
    assert (len(byte_server.requests), len(pair[0].requests)) == (1, 3)
    assert idle(model)
