"""Backends that come while the page and the API are up: what the installer writes, and what is made of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import backends
from backends.local import installing
from deploy.install.progress import Progress
from settings import ROOT, Settings
from tests.api.conftest import Serve, serve

__all__ = ["serve"]
pytestmark = pytest.mark.usefixtures("fresh_backends")  # one that is loaded answers, whatever is installed meanwhile


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Progress:
    """The installer's side."""
    monkeypatch.setattr(installing, "FOLDER", tmp_path / "installing")
    return Progress(tmp_path / "installing")


def test_a_backend_says_how_far_it_is_until_it_is_there(progress: Progress, settings: Settings) -> None:
    assert not installing.is_running()
    progress.update("llamacpp", "llama.cpp is compiled: 43 of 97 steps")
    told = "llama.cpp is compiled: 43 of 97 steps; it appears here when it is ready"
    assert backends.availability_error("llamacpp", settings) == told
    assert installing.is_running()
    progress.end("llamacpp")
    assert backends.availability_error("llamacpp", settings) is None
    assert not installing.is_running()


def test_an_installer_that_was_killed_hides_nothing(
    progress: Progress, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    monkeypatch.setattr(os, "getpid", lambda: ended.pid)
    progress.update("gpt2", "Installing the gpt2 backend")
    assert backends.availability_error("gpt2", settings) is None
    assert not installing.is_running()


def test_what_could_not_be_installed_says_why(
    progress: Progress, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.fail("llamacpp", "no C/C++ compiler: `apt install build-essential`")
    assert capsys.readouterr().err == "llamacpp: no C/C++ compiler: `apt install build-essential`\n"
    assert backends.availability_error("llamacpp", settings) is None  # it has come in another way
    monkeypatch.setattr("backends.llamacpp.find_spec", lambda name: None)
    assert backends.availability_error("llamacpp", settings) == "no C/C++ compiler: `apt install build-essential`"


def test_the_api_answers_from_what_has_come_meanwhile(progress: Progress, serve: Serve) -> None:
    for name in backends.LOCAL:
        progress.update(name, "It is being installed")
    client = serve(LLM_BACKEND="")
    found = client.get("/health").json()
    assert (found["status"], found["backend"]) == ("unavailable", None)
    refused = client.post("/predict", json={"text": "hi"})
    assert (refused.status_code, "It is being installed" in refused.text) == (503, True)
    progress.end("llamacpp")
    found = client.get("/health").json()
    assert (found["status"], found["backend"]) == ("ok", "llamacpp")
    progress.end("gpt2")
    assert client.get("/health").json()["backend"] == backends.choose(Settings.read()).name


def test_the_page_says_how_far_they_are(progress: Progress, fresh_backends: None) -> None:
    progress.update("gpt2", "Installing the gpt2 backend")
    progress.update("llamacpp", "llama.cpp is compiled: 43 of 97 steps")
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    said = [each.value for each in page.caption]
    assert any("llamacpp: llama.cpp is compiled: 43 of 97 steps" in text for text in said)
    assert page.selectbox(key="backend").value is None
    progress.end("gpt2")
    progress.end("llamacpp")
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert page.selectbox(key="backend").value == backends.choose(Settings.read()).name
    assert not any("43 of 97" in each.value for each in page.caption)
