"""The API on Ray Serve, on a real cluster of two nodes and a real PostgreSQL: scaled, killed and updated meanwhile."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import APIConnectionError, AsyncOpenAI, InternalServerError
from sqlalchemy import create_engine, text
from starlette.types import Receive, Scope, Send

from api.settings import ReplicaSettings
from benchmarks.postgresql import Server
from deploy import ray_serve
from deploy.ray_gate import RetryMiddleware
from settings import Settings, SettingsError
from tests.api.mcp.test_routes import TOOLS
from tests.conftest import QUICK, free_port, variables

# Ray declares its settings as pydantic did before, and leaves its nodes' processes and log files to their end.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]
CLIENTS = 50
LONGEST = 600.0  # seconds for anything at all, on a busy machine
SECRET = "a-cookie-secret-that-nobody-reads"
PROMPT = "My name is Xanthippe"
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
SOON = {f"RAY_SERVE_{of}_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5" for of in ("HANDLE", "REPLICA")}
# A proxy that has not answered after 5 seconds, three times, is given up: a busy machine takes longer to start one.
PATIENT = {f"RAY_SERVE_PROXY_{check}_CHECK_TIMEOUT_S": "120" for check in ("READY", "HEALTH")}


def replicas() -> dict[int, psutil.Process]:
    """The replicas' processes by number; each one's parent is its node."""
    found = psutil.Process().children(recursive=True)
    return {process.pid: process for process in found if "ray::ServeReplica" in _line(process)}


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


def running() -> int:
    """How many replicas take requests."""
    from ray import serve

    states = serve.status().applications[ray_serve.NAME].deployments[ray_serve.NAME].replica_states
    return sum(count for state, count in states.items() if state == "RUNNING")


async def until(fine: Callable[[], bool]) -> None:
    """Wait for it. Raises TimeoutError."""
    async with asyncio.timeout(LONGEST):
        while not await asyncio.to_thread(fine):
            await asyncio.sleep(0.2)


@dataclass
class Crowd:
    """Streams of OpenAI's client, and what became of each: full, refused (try again), or cut."""

    url: str
    tokens: int = 120
    begun: set[int] = field(default_factory=set)

    async def all(self, numbers: range) -> list[str]:
        """The ends of streams that start together. Raises whatever is none of the three."""
        async with AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=LONGEST) as client:
            return list(await asyncio.gather(*(self._one(client, number) for number in numbers)))

    async def _one(self, client: AsyncOpenAI, number: int) -> str:
        messages: Any = [{"role": "user", "content": f"Tell me {number} things."}]
        ends = list[str | None]()
        try:
            stream = await client.chat.completions.create(
                model="default", messages=messages, max_tokens=self.tokens, stream=True, extra_body={"ignore_eos": True}
            )
            async for chunk in stream:
                ends += [choice.finish_reason for choice in chunk.choices]
                self.begun.add(number)
        except InternalServerError as error:
            return "refused" if error.response.headers.get("Retry-After") == "5" else f"failed: {error}"
        except (APIConnectionError, httpx.RemoteProtocolError):
            assert not any(ends), "a stream that was cut does not say that it is finished"
            return "cut" if ends else "refused"
        assert ends[-1] == "length"
        return "full"


@dataclass
class Served:
    """The API on the cluster."""

    url: str
    database: str
    folder: Path
    given: dict[str, str]

    def predict(self, **said: str) -> dict[str, Any]:
        """A reply of `/predict`, which must come."""
        answer = httpx.post(f"{self.url}/predict", json=said, timeout=LONGEST)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def writers(self) -> list[int]:
        """The processes that wrote the replies so far, in order."""
        engine = create_engine(self.database)
        with engine.connect() as connection:
            found = connection.scalars(text("SELECT process FROM message WHERE process IS NOT NULL ORDER BY id")).all()
        engine.dispose()
        return [int(process.split(":")[1]) for process in found]


@pytest.fixture(scope="module")
def served(postgresql_server: Server) -> Iterator[Served]:
    """One replica, and room for a second one on another node."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder,  # a socket's path has 107 characters at most
        postgresql_server.database() as database,
    ):
        for name in variables():
            patch.delenv(name, raising=False)
        port = free_port()
        given = {**QUICK, "LLM_BACKEND": "llamacpp", "DATABASE_URL": database,
                 "COOKIE_SECRET": SECRET, "PORT": str(port), "RAY_MAX_REPLICAS": "2",
                 "RAY_UPSCALE_DELAY": "0.5"}  # fmt: skip
        for name, value in {**given, **SOON, **PATIENT, "RAY_TMPDIR": folder}.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        with nodes() as address:
            ray_serve.start_ray(Settings.read(), address, log_to_driver=False)
            ray_serve.deploy()
            yield Served(f"http://127.0.0.1:{port}", database, Path(folder), given)
        _, alive = psutil.wait_procs([p for p in psutil.Process().children(True) if p.pid not in before], LONGEST)
        assert not alive, "Ray left processes behind"


@contextmanager
def nodes() -> Iterator[str]:
    """The address of two; gone afterwards with all they started."""
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={**NODE, "wait": False})  # its own wait is 30 s
    try:
        cluster.add_node(**NODE, wait=False)
        cluster.wait_for_nodes(LONGEST)
        yield cluster.address
        serve.shutdown()  # type: ignore[no-untyped-call]
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
async def both(served: Served) -> Served:
    """With the second replica, which came because many asked."""
    assert running() == 1
    crowd = asyncio.ensure_future(Crowd(served.url).all(range(CLIENTS)))
    await until(lambda: running() == 2)
    assert set(await crowd) == {"full"}
    return served


async def test_more_requests_bring_a_replica_on_the_other_node(both: Served) -> None:
    assert len({process.ppid() for process in replicas().values()}) == 2


async def test_mcp_is_answered_by_replicas(both: Served) -> None:
    async with Client(streamable_http_client(f"{both.url}/mcp")) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
        told = await asyncio.gather(*(client.call_tool("ask", {"question": "hi, how are you?"}) for _ in range(4)))
    assert all(getattr(each.content[0], "text", "") and not each.is_error for each in told)


async def test_fifty_streams_outlive_a_replica_and_a_session_goes_on_elsewhere(both: Served) -> None:
    begun = await asyncio.to_thread(both.predict, text=PROMPT)
    killed = both.writers()[-1]
    crowd = Crowd(both.url)
    streams = asyncio.ensure_future(crowd.all(range(CLIENTS)))
    await until(lambda: len(crowd.begun) >= 16)
    replicas()[killed].kill()
    ends = await streams
    assert set(ends) <= {"full", "refused", "cut"}
    assert 0 < ends.count("full") < CLIENTS, "the one that was killed had streams, and the other one its own"
    again = await crowd.all(range(len(ends) - ends.count("full")))
    assert set(again) <= {"full"}, "whoever tries again is answered"

    went_on = await asyncio.to_thread(both.predict, text="What did I say?", session_id=begun["session_id"])
    assert both.writers()[-1] != killed
    assert went_on["prompt_tokens"] > begun["prompt_tokens"] + begun["completion_tokens"], "it knows what was said"
    await until(lambda: running() == 2 and killed not in replicas())
    assert await Crowd(both.url).all(range(4)) == ["full"] * 4


async def test_an_update_replaces_every_replica_while_requests_run(
    both: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: running() == 2)
    old, ends = set(replicas()), list[str]()
    for name, value in {**both.given, "MAX_TOKENS": "3"}.items():
        monkeypatch.setenv(name, value)
    updating = asyncio.ensure_future(asyncio.to_thread(ray_serve.deploy))
    while not updating.done():
        ends += await Crowd(both.url, tokens=30).all(range(4))
    await updating
    assert set(ends) <= {"full", "refused"}, "a reply that runs is finished by the old replica"
    assert "full" in ends
    assert not old & set(replicas())
    assert (await asyncio.to_thread(both.predict, text="hello"))["completion_tokens"] <= 3


def test_no_secret_and_no_prompt_is_in_rays_files(both: Served) -> None:
    both.predict(text=PROMPT)
    files = [path for path in both.folder.rglob("logs/**/*") if path.is_file()]
    assert any("replica" in path.name for path in files)
    for path in files:
        content = path.read_text(errors="replace")
        assert not [word for word in (SECRET, both.database, PROMPT) if word in content], path.name


async def test_the_end_waits_for_replies_that_run(both: Served) -> None:
    """The last one that needs the cluster."""
    crowd = Crowd(both.url)
    streams = asyncio.ensure_future(crowd.all(range(2)))
    await until(lambda: len(crowd.begun) == 2)
    await asyncio.to_thread(ray_serve.shut_down)
    assert await streams == ["full"] * 2
    assert not replicas()


REFUSED = [
    ({"RAY_MAX_REPLICAS": "2"}, r"RAY_MAX_REPLICAS=2: .*SQLite.*Set DATABASE_URL=postgresql"),
    ({"RAY_MAX_REPLICAS": "2", "DATABASE_URL": "postgresql+psycopg://a@b/c"}, "RAY_MAX_REPLICAS=2: .* COOKIE_SECRET"),
    ({"RAY_MIN_REPLICAS": "3"}, "RAY_MIN_REPLICAS=3: more than RAY_MAX_REPLICAS=1"),
    ({"RAY_TARGET_REQUESTS": "none"}, "RAY_TARGET_REQUESTS=none: "),
    ({"LLAMACPP_MODEL": "/no/such.gguf"}, "LLAMACPP_MODEL=/no/such.gguf is no file"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=[next(reversed(given)) for given, _ in REFUSED])
def test_what_cannot_work_is_refused_before_anything_starts(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        ray_serve.app({})
    assert ray_serve.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("data").exists()


def test_without_ray_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert ray_serve.main() == 2
    assert capsys.readouterr().err == "ray: not installed; run pip install -r requirements-ray.txt\n"


def test_a_failure_in_another_process_is_told_without_its_trace() -> None:
    from ray.exceptions import RayTaskError

    trace = 'ray::ProxyActor.ready()\n  File "proxy.py", line 1, in ready\nRuntimeError: the port is taken'
    task: Any = RayTaskError  # which has no types
    failed = task("ready", trace, RuntimeError("the port is taken")).as_instanceof_cause()
    assert isinstance(failed, ray_serve.ray_errors())
    assert ray_serve.describe(failed) == "the port is taken"
    assert ray_serve.describe(ConnectionError("no cluster")) == "no cluster"


def test_one_replica_may_keep_its_sessions_in_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    ray_serve.check_replicas(Settings.read(), ReplicaSettings.read())
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


async def asked(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> httpx.Response:
    """What a client gets through the gate."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(RetryMiddleware(app)), base_url="http://ray") as client:
        return await client.get("/")


async def test_a_request_that_nobody_answered_may_be_sent_again() -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        """As Serve does where a replica dies."""

    answer = await asked(gone)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert json.loads(answer.text)["error"]["code"] == "replica_gone"


async def test_what_was_answered_passes_the_gate() -> None:
    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": int(status), "headers": [(b"x-a", b"b")]})
        await send({"type": "http.response.body", "body": b"words"})

    for status, wait in (("200", None), ("503", "5"), ("404", None)):
        answer = await asked(full)
        assert (answer.status_code, answer.text, answer.headers["x-a"]) == (int(status), "words", "b")
        assert answer.headers.get("Retry-After") == wait


async def test_an_answer_without_headers_passes_it() -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503})
        await send({"type": "http.response.body"})

    assert (await asked(bare)).headers["Retry-After"] == "5"
