"""A real page in a real browser."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from settings import ROOT
from tests.conftest import answers, free_port, variables

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--disable-quic"]  # fmt: skip
Start = Callable[..., str]


@pytest.fixture(scope="module")  # no longer: playwright keeps an event loop running in this thread
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; skipped where there is none, an error in CI."""
    if not CHROMIUM.exists():
        message = f"no Chromium at {CHROMIUM}: apt install chromium, or name one in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A tab of its own profile."""
    context = chromium.new_context(viewport={"width": 1200, "height": 820})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the page as `make run` does, with these variables; returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**environment: str) -> str:
        port = free_port()
        clean = {k: v for k, v in os.environ.items() if k not in variables()}
        with (tmp_path / "page.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "cli.py", "serve"], cwd=ROOT, stdout=log, stderr=log,
                env={**clean, "PORT": str(port), **environment},
            )  # fmt: skip
        started.append(process)
        answers(f"http://127.0.0.1:{port}/_stcore/health", process)
        return f"http://127.0.0.1:{port}"

    yield run
    for process in started:
        process.terminate()
        process.wait(10)
    time.sleep(0.1)
