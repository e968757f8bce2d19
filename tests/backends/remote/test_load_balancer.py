"""Several servers behind OPENAI_BASE_URL: who gets a request."""

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.exceptions import ModelConnectionError

from tests.backends.remote.conftest import Use, asked, idle, read
from tests.conftest import free_port
from tests.loopback import Loopback


async def test_streams_at_once_are_shared_out_evenly(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    for server in pair:
        server.script.extend(["slow 4"] * 30)
    texts = await asyncio.gather(*(read(model.astream("hi")) for _ in range(30)))
    assert set(texts) == {"word0 word1 word2 word3 "}
    assert asked(pair) == [15, 15]
    assert idle(model)


async def test_a_slower_server_gets_less(pair: list[Loopback], use: Use) -> None:
    model, left = use(*pair, OPENAI_MODEL="m"), iter(range(40))
    for server, pause in zip(pair, (0.0, 0.1), strict=True):
        server.pause = pause
        server.script.extend(["slow 3"] * 40)

    async def client() -> None:
        for _ in left:
            await read(model.astream("hi"))

    await asyncio.gather(*(client() for _ in range(6)))
    quick, slow = asked(pair)
    assert quick + slow == 40
    assert quick > slow > 0
    assert idle(model)


def test_one_after_the_other_they_take_turns(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    said = [model.invoke("hi") for _ in range(4)]
    assert [message.response_metadata["server"] for message in said] == [pair[0].url, pair[1].url] * 2


async def test_who_leaves_frees_the_place(pair: list[Loopback], use: Use, mute: str) -> None:
    model = use(*pair)
    pair[0].script.append("slow")
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in model.astream("hi"):
            begun.set()

    task = asyncio.create_task(follow())
    await begun.wait()
    assert sum(model.running_requests.values()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert idle(model)
    pair[1].script.append("slow")
    stream = model.stream("hi")
    next(stream)
    assert sum(model.running_requests.values()) == 1
    stream.close()  # type: ignore[attr-defined]
    assert idle(model)


@pytest.mark.parametrize("environment", [{"OPENAI_MODEL": "m"}, {}], ids=["request", "name"])
async def test_who_leaves_before_the_first_chunk_frees_the_place(
    use: Use, mute: str, dead: str, environment: dict[str, str]
) -> None:
    model = use(mute, dead, **environment)
    for call in (read(model.astream("hi")), model.ainvoke("hi")):
        task: asyncio.Future[Any] = asyncio.ensure_future(call)
        while idle(model):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert idle(model)
    task = asyncio.ensure_future(read(model.astream("hi")))
    await asyncio.sleep(0)
    task.cancel()  # before it has begun to do anything
    with pytest.raises(asyncio.CancelledError):
        await task
    assert idle(model)


@pytest.mark.usefixtures("soon")
def test_threads_and_event_loops_at_once(pair: list[Loopback], use: Use, dead: str) -> None:
    model, texts = use(dead, *pair), list[str]()

    def sync() -> None:
        for _ in range(5):
            texts.append("".join(str(chunk.text) for chunk in model.stream("hi")))
            texts.append(model.invoke("hi").text)

    async def own() -> None:
        texts.extend(await asyncio.gather(*(read(model.astream("hi")) for _ in range(5))))
        texts.extend([message.text for message in await asyncio.gather(*(model.ainvoke("hi") for _ in range(5)))])

    work = [threading.Thread(target=sync) for _ in range(4)]
    work += [threading.Thread(target=lambda: asyncio.run(own())) for _ in range(2)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(30)
    assert len(texts) == 60
    assert {text.strip() for text in texts} == {pair[0].reply}
    assert sum(asked(pair)) == 60
    assert idle(model)


async def test_raw_text_goes_on_elsewhere_too(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    pair[0].script.append("500")
    assert await read(model.astream("Once", raw=True)) == " upon a time"
    assert model.invoke("Once", raw=True).text == " upon a time"
    assert (await model.ainvoke("Once", raw=True)).text == " upon a time"
    assert asked(pair) == [1, 3]


def test_each_server_has_its_own_name_and_the_window_is_the_smallest(pair: list[Loopback], use: Use) -> None:
    model = use(*pair)
    pair[0].models, pair[0].window = ["one"], 4096
    pair[1].models, pair[1].window = ["two"], 2048
    assert model.profile is None
    for _ in range(2):
        model.invoke("hi")
    assert [server.requests[-1]["model"] for server in pair] == ["one", "two"]
    assert model.profile == {"max_input_tokens": 2048}


def test_all_models_are_offered_and_a_picked_one_goes_where_it_is(pair: list[Loopback], use: Use, dead: str) -> None:
    model = use(*pair, dead)
    pair[0].models, pair[1].models = ["a", "c"], ["b", "c"]
    assert model.list_models() == ["a", "b", "c"]
    for _ in range(3):
        assert model.invoke("hi", model="b").response_metadata["server"] == pair[1].url
    assert {request["model"] for request in pair[1].requests} == {"b"}


def test_no_server_offers_anything(use: Use, dead: str) -> None:
    other = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(ModelConnectionError) as caught:
        use(dead, other).list_models()
    assert dead in str(caught.value)
    assert other in str(caught.value)
