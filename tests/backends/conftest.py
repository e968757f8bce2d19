"""What a backend needs around it before it can answer in a test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import backends
from settings import DEFAULT_MODEL, Settings
from tests.api.process import served
from tests.bare import write_bare
from tests.conftest import GGUF, QUICK
from tests.projectors import make_projector
from tests.scripted import chat, models, serving
from tests.smollm2 import NOTHING_SET


@pytest.fixture
def quick() -> dict[str, str]:
    """The engines compute with as many threads as they do where nothing is set: here it is they that are tested."""
    return {name: value for name, value in QUICK.items() if name != "LLAMACPP_THREADS"}


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own server over SmolLM2, as a process; its base URL."""
    folder = tmp_path_factory.mktemp("server")
    with served(folder, **{**NOTHING_SET, "LLM_BACKEND": "llamacpp", "MAX_TOKENS": "300", "SEED": "1"}) as process:
        yield f"{process.url}/v1"


@pytest.fixture(scope="session")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own server over a scripted one whose model sees, as a process; its base URL."""
    rows = models("m-1", max_model_len=8192, architecture={"input_modalities": ["text", "image"]})
    with serving({"/v1/models": rows, "/v1/chat/completions": chat("A red dot.", (9, 3))}) as scripted:
        over = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": scripted.url}
        with served(tmp_path_factory.mktemp("seeing"), **over) as process:
            yield f"{process.url}/v1"


@pytest.fixture
def backend_environment(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., None]:
    """Sets the variables of a backend; a new file that is ready without any needs no line here."""

    def prepare(name: str, *, sees: bool = False) -> None:
        if name == "openai":
            url = request.getfixturevalue("seeing_server" if sees else "own_server")
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            loaded: Any = backends.loaded_model("openai")
            if loaded is not None and loaded.openai_api_base != url:
                backends.unload()
        if name == "llamacpp" and sees:
            projector = make_projector(tmp_path_factory.mktemp("eyes") / "mmproj.gguf", 320)
            monkeypatch.setenv("LLAMACPP_MMPROJ", str(projector))
            backends.unload()

    return prepare


@pytest.fixture(params=backends.LOCAL)
def name(request: pytest.FixtureRequest) -> str:
    """Each backend of this process."""
    return str(request.param)


@pytest.fixture
def model(name: str) -> Any:
    """Its model."""
    return backends.load(name, Settings.read())


@pytest.fixture
def bare_folder(tmp_path: Path) -> Path:
    """The shipped model saved without its chat template, in both formats."""
    folder = tmp_path / "bare"
    shutil.copytree(DEFAULT_MODEL, folder)
    (folder / "chat_template.jinja").unlink()
    write_bare(GGUF, folder / GGUF.name)
    return folder


@pytest.fixture
def bare(name: str, bare_folder: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> str:
    """Each backend of this process, over that model."""
    monkeypatch.setenv("GPT2_MODEL", str(bare_folder))
    monkeypatch.setenv("LLAMACPP_MODEL", str(bare_folder / GGUF.name))
    return name
