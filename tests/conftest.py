"""What every test shares: no host but this one, none of the caller's settings, the shipped model, a real server."""

import gc
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import backends
from api.settings import all_settings
from conversations.library import vectors
from conversations.replies import preload
from conversations.replies.writer import _writers
from conversations.store.database import disconnect
from settings import DEFAULT_MODEL, ROOT, Settings
from tests import manifests
from tests.loopback import KEY, Loopback, running

pytest_plugins = [
    "tests.markers",
    "tests.postgresql",
    "tests.byte_server",
    "tests.hub",
    "tests.conversations.replies.web",
]
# llama_cpp.server, which loads no kernels that are libraries of their own.
LLAMA_SERVER = (
    "import llama_library, runpy; llama_library.load(); runpy.run_module('llama_cpp.server', None, '__main__')"
)
GGUF = next(iter(sorted(DEFAULT_MODEL.glob("*.gguf"))), DEFAULT_MODEL / "model-f16.gguf")
# The small model, and no vectors, which take their time: tests of SmolLM2 and of vectors say so. One thread computes:
# two meet after each step, and where tests run beside each other the one waits until the other has a core again.
QUICK = {"EMBEDDINGS": "none", "LLAMACPP_MODEL": str(GGUF), "LLAMACPP_THREADS": "1"}
manifests.remember()
os.environ.update(QUICK, HF_HUB_OFFLINE="1", LANGSMITH_TRACING="false", ANONYMIZED_TELEMETRY="false")

# What takes long, or holds what does: beginnings of names of files. They come first (with several workers under
# --dist loadfile --no-loadscope-reorder), so that short files are left for the end and all workers end together.
LONG = (
    *("tests/deploy/", "tests/test_notebooks", "tests/api/test_schema", "tests/training/test_", "tests/page/"),
    *(
        "tests/test_server",
        "tests/conversations/replies/test_writer",
        "tests/conversations/replies/test_reply",
        "tests/api/test_lifespan",
    ),
    *("tests/benchmarks/", "tests/terminal/", "tests/test_cli", "tests/backends/"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported meanwhile stays: it is not looked through for garbage again and again, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; within a file the order stays."""
    items.sort(key=lambda item: next((n for n, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG)))


def variables() -> list[str]:
    """Every variable that any of our settings reads."""
    return [group.variable(field) for group in all_settings() for field in group.model_fields]


@pytest.fixture(scope="session", autouse=True)
def _no_authorities(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No certificates: nothing outside is asked, and each client that is made would read 150 of them."""
    os.environ["SSL_CERT_DIR"] = str(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, which a process that is spawned later would run again."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture
def quick() -> dict[str, str]:
    """The variables that a test begins with."""
    return QUICK


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: dict[str, str]) -> Iterator[None]:
    """No variable and no .env of whoever runs the tests, a database of its own, and the small model that is quick."""
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in quick.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/data/conversations.db")
    monkeypatch.chdir(tmp_path)
    usual = model_variables()
    yield
    end_replies()
    if model_variables() != usual:  # a model that it loaded is none for the next test
        backends.unload()
    for database in {job.database for job in list(vectors._jobs.values())}:
        vectors.stop(database)
    disconnect()


def model_variables() -> dict[str, str]:
    """The variables that are set of those by which a model of this machine is loaded."""
    begins = ("CHAT_TEMPLATE", "GPT2_", "LLAMACPP_", "LLAMA_", "MODELS_")
    return {name: value for name, value in os.environ.items() if name.startswith(begins)}


def end_replies() -> None:
    """Stop what a test left running: later it would open connections to a database that is gone."""
    books = [book for book in list(_writers.values()) if not book.database.closed]
    left = [reply for book in books for reply in list(book.replies.values())]
    for reply in left:
        reply.stop()
    for reply in left:
        reply.wait(2)
    for book in books:
        book._thread.submit(int).result(2)  # a save under way has ended


@pytest.fixture
def settings() -> Settings:
    """Settings with nothing set but the small model."""
    return Settings.read()


@pytest.fixture
def fresh_backends() -> Iterator[None]:
    """Nothing loaded before or after."""
    for forget in (backends.unload, preload.reset):
        forget()
    yield
    for forget in (backends.unload, preload.reset):
        forget()


def free_port() -> int:
    """A port that nobody listens on, below those that connections are given: none takes it before its server does."""
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers(url: str, process: subprocess.Popen[bytes], seconds: float = 600) -> None:
    """Wait until a server answers 200. Raises RuntimeError when it ends, or after a time that no machine needs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server for {url} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"no answer from {url} in {seconds} s")


@pytest.fixture(scope="session")
def openai_server() -> Iterator[str]:
    """llama-cpp-python's own OpenAI-compatible server over the shipped GGUF; its base URL."""
    port = free_port()
    command = [sys.executable, "-c", LLAMA_SERVER, "--model", str(GGUF), "--port", str(port), "--n_ctx", "1024",
               "--model_alias", "small", "--interrupt_requests", "false"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            answers(f"http://127.0.0.1:{port}/v1/models", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Iterator[Loopback]:
    """A scripted OpenAI-compatible server; the `openai` backend points at it."""
    with running(free_port()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server
