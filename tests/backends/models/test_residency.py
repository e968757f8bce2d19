"""Models that are loaded and let go: the bookkeeping with plain objects, then both local models in their place."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.exceptions import ModelError, ModelNotFoundError

import backends
from backends.hf.model import load_pipeline
from backends.llama.model import Model
from backends.local.loading import LoadCancelledError, Loading, current, use
from backends.models.residency import BusyMemoryError, Lease, NoMemoryError, Order, Residency
from chains.assistant import build
from settings import DEFAULT_MODEL
from tests.conftest import GGUF

TEXT = "Hello, how are you?"
MB = 10**6
SHORT = {"temperature": 0.0, "max_tokens": 6}


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same small models, whatever else is installed."""
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    monkeypatch.setenv("GPT2_MODEL", str(DEFAULT_MODEL))


@dataclass
class Thing:
    """Something that takes memory; `ended` says how it went."""

    queue_length: int = 0
    ended: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.ended.append("closed")


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def residency() -> Residency[Thing]:
    return Residency(lambda thing: thing)


def order(name: str, need: int = 1, allowed: int | None = None, idle: float = 0) -> Order[Thing]:
    return Order(name, Thing, lambda: need, lambda held: allowed, idle)


def got(future: Future[Lease[Thing]]) -> Lease[Thing]:
    return future.result(60)


def test_a_model_is_built_once_for_all_who_ask_while_it_is_loaded(residency: Residency[Thing]) -> None:
    go, built = threading.Event(), []

    def build_slowly() -> Thing:
        built.append(Thing())
        assert go.wait(60)
        return built[0]

    futures = [residency.request("a", Order("a", build_slowly, lambda: 1)) for _ in range(8)]
    until(lambda: bool(built))
    go.set()
    assert {id(got(future).model) for future in futures} == {id(built[0])}
    found = residency.find("a")
    assert found is not None
    assert (len(built), found.leases, residency.progress("a")) == (1, 8, None)


def test_the_least_used_one_leaves_and_never_one_that_is_used(residency: Residency[Thing]) -> None:
    first = got(residency.request("a", order("a", 4 * MB, 10 * MB)))
    second = got(residency.request("b", order("b", 4 * MB, 10 * MB)))
    second.release()
    first.release()  # used last
    got(residency.request("c", order("c", 4 * MB, 10 * MB))).release()
    assert [each.key for each in residency.residents()] == ["a", "c"]
    assert second.model.ended == ["closed"]
    held = residency.lease("c")
    assert held is not None
    first.model.queue_length = 1  # it answers somebody who took no lease
    with pytest.raises(BusyMemoryError, match=r"d needs 4\.0 MB .* MODELS_MEMORY allows 10\.0 MB.*a \(4\.0 MB\), c"):
        got(residency.request("d", order("d", 4 * MB, 10 * MB)))


def test_what_never_fits_is_refused_before_anything_leaves(residency: Residency[Thing]) -> None:
    kept = got(residency.request("a", order("a", 4 * MB, 10 * MB)))
    kept.release()
    with pytest.raises(NoMemoryError, match=r"b needs 2\.0 GB of memory, and MODELS_MEMORY allows 1\.0 GB\. Take a"):
        got(residency.request("b", order("b", 2 * 10**9, 10**9)))
    assert residency.find("a") is not None
    assert kept.model.ended == []


def test_who_nobody_uses_leaves_and_who_is_used_stays(residency: Residency[Thing]) -> None:
    idle = got(residency.request("idle", order("idle", idle=0.05)))
    used = got(residency.request("used", order("used", idle=0.05)))
    forever = got(residency.request("forever", order("forever")))
    idle.release()
    forever.release()
    until(lambda: residency.find("idle") is None)
    until(lambda: idle.model.ended == ["closed"])
    assert residency.find("used") is not None
    used.release()
    until(lambda: residency.find("used") is None)
    assert residency.find("forever") is not None
    got(residency.request("idle", order("idle", idle=0.05))).release()  # and it can come back, and leave again
    until(lambda: residency.find("idle") is None)


def test_a_loading_that_nobody_waits_for_ends_early(residency: Residency[Thing]) -> None:
    begun, go, ended = threading.Event(), threading.Event(), []

    def build_in_steps() -> Thing:
        begun.set()
        assert go.wait(60)
        try:
            current().check(0.5)
        except LoadCancelledError:
            ended.append("cancelled")
            raise
        return Thing()

    async def ask_and_leave() -> None:
        task = asyncio.create_task(residency.arequest("a", Order("a", build_in_steps, lambda: 1)))
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask_and_leave())
    go.set()
    until(lambda: residency.progress("a") is None)
    assert (ended, residency.find("a")) == (["cancelled"], None)
    assert got(residency.request("a", order("a"))).model.ended == []  # who asks later gets it


def test_who_still_waits_gets_the_model_that_another_gave_up(residency: Residency[Thing]) -> None:
    go = threading.Event()
    slow = Order("a", lambda: Thing() if go.wait(60) else Thing(1), lambda: 1)
    first, second = residency.request("a", slow), residency.request("a", slow)
    assert first.cancel()
    go.set()
    assert got(second).model.queue_length == 0
    found = residency.find("a")
    assert found is not None
    assert found.leases == 1


def test_a_failure_reaches_all_who_wait_and_is_tried_again_later(residency: Residency[Thing]) -> None:
    def fail() -> Thing:
        raise ModelNotFoundError("it is gone")

    for future in [residency.request("a", Order("a", fail, lambda: 1)) for _ in range(3)]:
        with pytest.raises(ModelNotFoundError, match="gone"):
            future.result(60)
    assert got(residency.request("a", order("a"))).model.ended == []


def test_all_are_closed_at_the_end_even_one_that_is_being_loaded(residency: Residency[Thing]) -> None:
    begun, go, late = threading.Event(), threading.Event(), Thing()
    there = got(residency.request("a", order("a")))

    def build_late() -> Thing:
        begun.set()
        assert go.wait(60)
        return late

    future = residency.request("b", Order("b", build_late, lambda: 1))
    assert begun.wait(60), "who has not begun when all is closed is never built"
    threading.Timer(0.05, go.set).start()
    residency.close()
    assert there.model.ended == ["closed"]
    with pytest.raises(ModelError):
        future.result(60)
    assert late.ended == ["closed"]
    assert residency.residents() == []


# Both local models


def ask(name: str, text: str = TEXT, conversation: str | None = None) -> Any:
    chain = build(backends.read_settings(), name, options=SHORT, conversation=conversation)
    return chain.ainvoke({"history": [], "input": text})


@pytest.mark.usefixtures("fresh_backends")
def test_one_file_is_loaded_once_whatever_it_is_called() -> None:
    settings = backends.read_settings()
    named = f"llamacpp:default/{GGUF.stem}"
    assert backends.load("llamacpp", settings) is backends.load(named, settings)
    assert len(backends.residents()) == 1


@pytest.mark.usefixtures("fresh_backends")
def test_two_models_answer_side_by_side() -> None:
    async def both() -> list[str]:
        return list(await asyncio.gather(ask("llamacpp"), ask("gpt2")))

    one, other = asyncio.run(both())
    assert one
    assert other
    assert {resident.label for resident in backends.residents()} == {"llamacpp", "gpt2"}
    # 0 bytes are measured where what another model left is used again
    assert all(resident.leases == 0 and resident.measured is not None for resident in backends.residents())


@pytest.mark.usefixtures("fresh_backends")
def test_under_little_memory_one_leaves_for_the_other_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_MEMORY", "300MB")
    first = asyncio.run(ask("llamacpp"))
    asyncio.run(ask("gpt2"))
    assert backends.loaded_model("llamacpp") is None
    assert asyncio.run(ask("llamacpp")) == first
    assert backends.loaded_model("gpt2") is None


@pytest.mark.usefixtures("fresh_backends")
def test_a_reply_that_runs_keeps_its_model_and_the_other_is_refused_in_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_MEMORY", "300MB")

    async def talk() -> tuple[str, str]:
        chain = build(backends.read_settings(), "llamacpp", options={"temperature": 0.0, "max_tokens": 40})
        parts = chain.astream({"history": [], "input": TEXT})
        text = await anext(parts)
        with pytest.raises(ModelError) as refusal:
            await ask("gpt2")
        return text + "".join([part async for part in parts]), str(refusal.value)

    text, refusal = asyncio.run(talk())
    assert len(text) > 10
    assert "gpt2 needs" in refusal
    assert "llamacpp (1" in refusal
    assert "MODELS_MEMORY" in refusal
    assert asyncio.run(ask("gpt2"))  # now there is room


@pytest.mark.usefixtures("fresh_backends")
def test_a_model_that_cannot_fit_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_MEMORY", "1MB")
    with pytest.raises(NoMemoryError, match=r"llamacpp needs 1\d\d MB of memory, and MODELS_MEMORY allows 1\.0 MB"):
        backends.load("llamacpp", backends.read_settings())


@pytest.mark.usefixtures("fresh_backends")
def test_a_model_that_nobody_uses_leaves_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_IDLE", "0.1")
    asyncio.run(ask("llamacpp"))
    until(lambda: backends.loaded_model("llamacpp") is None)
    assert asyncio.run(ask("llamacpp"))


@pytest.mark.parametrize("value", ["", "0%", "101%", "5", "lots", "-1GB", "0GB"])
def test_a_size_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MODELS_MEMORY", value)
    if not value:
        backends.read_settings().group(backends.ModelsSettings)
        return
    with pytest.raises(ValueError, match=r"MODELS_MEMORY=.*write a size, as 6GB"):
        backends.read_settings().group(backends.ModelsSettings)


def test_both_libraries_tell_how_far_they_are_and_end_early() -> None:
    seen: list[float] = []

    class Watched(Loading):
        def advance(self, fraction: float) -> bool:
            seen.append(fraction)
            return super().advance(fraction)

    with use(Watched()):
        Model(GGUF, 0).close()
    assert seen[-1] == 1.0
    assert len(seen) > 10
    del seen[:]
    with use(Watched()):
        load_pipeline(str(DEFAULT_MODEL))
    assert len(seen) > 10
    assert 0.5 < seen[-1] <= 1.0
    for load in (lambda: Model(GGUF, 0), lambda: load_pipeline(str(DEFAULT_MODEL))):
        with use(Loading(lambda: False)), pytest.raises(LoadCancelledError):
            load()


def test_a_model_that_is_gone_is_named_with_the_remedy(settings: Any) -> None:
    problem = backends.availability_error("llamacpp:long/gone", settings)
    assert problem is not None
    assert "long/gone: there is no such model here" in problem
    assert "put it back" in problem
