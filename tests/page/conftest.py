"""A real page in a real browser."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from settings import ROOT
from tests import fork
from tests.conftest import QUICK, answers, free_port, variables
from tests.loopback import KEY, Loopback, running
from tests.page.person import send_message

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
Start = Callable[..., str]
expect.set_options(timeout=300_000)  # a busy machine loads a model slowly


@pytest.fixture(scope="module")  # no longer: playwright keeps an event loop running in this thread
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Debian's Chromium with a profile on disk: it compiles the page's scripts once, not for each test.

    Skipped where there is none, an error in CI.
    """
    if not CHROMIUM.exists():
        message = f"no Chromium at {CHROMIUM}: apt install chromium, or name one in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("profile")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=str(CHROMIUM), args=FLAGS, viewport={"width": 1200, "height": 820}
        )
        context.set_default_timeout(300_000)
        yield context
        context.close()


@pytest.fixture
def chromium(profile: BrowserContext) -> Browser:
    """The browser, for profiles of one's own beside that of `tab`."""
    assert profile.browser is not None
    return profile.browser


@pytest.fixture
def tab(profile: BrowserContext) -> Iterator[Page]:
    """A tab of a profile in which nothing is left of another test."""
    blank = profile.pages[0]
    tab = profile.new_page()
    yield tab
    for page in profile.pages:
        if page != blank:
            page.close()
    profile.clear_permissions()
    session = profile.new_cdp_session(blank)
    kept = "cookies,local_storage,indexeddb,cache_storage,service_workers"  # all but what is compiled
    session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": kept})
    session.detach()
    profile.clear_cookies()


@contextmanager
def run_page(
    log: Path, port: int | None = None, *, program: str | Path = "cli.py", **environment: str
) -> Iterator[str]:
    """The page as `make run` starts it, or a program that does so, over the small model and with these variables; its
    address.
    """
    with run_server(log, port, program=program, **environment) as (address, _):
        yield address


@contextmanager
def run_server(
    log: Path, port: int | None = None, *, program: str | Path = "cli.py", **environment: str
) -> Iterator[tuple[str, fork.Popen]]:
    """The same, with its process."""
    port = port or free_port()
    clean = {k: v for k, v in os.environ.items() if k not in variables() or k == "DATABASE_URL"}
    with log.open("ab") as output:
        process = fork.Popen(
            [sys.executable, str(program), "serve"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env={**clean, **QUICK, "PORT": str(port), **environment},
        )
    try:
        answers(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the page with these variables; returns its address."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(run_page(tmp_path / "page.log", **environment))


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Loopback, str]]:
    """One page at a scripted server for all tests, each of which is another browser."""
    folder = tmp_path_factory.mktemp("scripted")
    database = f"sqlite:///{folder}/conversations.db"
    with (
        running(free_port()) as server,
        run_page(folder / "page.log", OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, DATABASE_URL=database) as address,
    ):
        yield server, address


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Address and DATABASE_URL of one page for each backend, which answers from the weights that ship."""
    with ExitStack() as stack:

        @cache
        def begin(backend: str) -> tuple[str, str]:
            folder = tmp_path_factory.mktemp(backend)
            url = f"sqlite:///{folder}/conversations.db"
            page = run_page(folder / "page.log", None, SEED="3", DATABASE_URL=url, LLM_BACKEND=backend)
            return stack.enter_context(page), url

        yield begin


@pytest.fixture
def gpt2(shipped: Callable[[str], tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a page that others use as well, over models/default; DATABASE_URL names its database."""
    address, url = shipped("gpt2")
    monkeypatch.setenv("DATABASE_URL", url)
    return address


@pytest.fixture
def llamacpp(shipped: Callable[[str], tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The same with the backend that answers quickly."""
    address, url = shipped("llamacpp")
    monkeypatch.setenv("DATABASE_URL", url)
    return address


def reset(server: Loopback) -> Loopback:
    """As if nobody had asked it anything."""
    vars(server).update({**vars(Loopback()), "url": server.url})
    return server


@pytest.fixture
def talk(scripted: tuple[Loopback, str], tab: Page) -> Iterator[Loopback]:
    """A page where nothing was said yet; what still runs at the end is stopped."""
    server, address = scripted
    reset(server)
    tab.goto(address)
    tab.get_by_placeholder("Write a message").wait_for()
    yield server
    while tab.get_by_role("button", name="Stop").count():
        tab.keyboard.press("Escape")
        tab.wait_for_timeout(100)


@pytest.fixture
def slow(talk: Loopback, tab: Page) -> Loopback:
    """The same with a reply under way, a token each 50 ms."""
    talk.length = 1000  # it does not end before a slow machine has come to the test's end
    talk.script.append("slow")
    send_message(tab, "hi")
    tab.get_by_text("word1 ").first.wait_for()
    return talk
