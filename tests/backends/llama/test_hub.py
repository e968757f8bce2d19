"""A model on the Hugging Face hub: a split one comes with all its parts, and what is not there is told in one line."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.exceptions import ModelNotFoundError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.llama.hub import fetch
from settings import ROOT
from tests.asgi import listening
from tests.broken_gguf import split
from tests.conftest import GGUF, free_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FETCHING = """
import json, sys
from langchain_core.exceptions import ModelError
import backends
from settings import Settings
said = []
for name in sys.argv[1:]:
    try:
        settings = backends.with_settings(Settings.read(), "llamacpp", model=name)
        said.append(backends.load("llamacpp", settings).invoke("hi", temperature=0, max_tokens=8).text)
    except ModelError as error:
        said.append(str(error))
    backends.unload()
print(json.dumps(said))
"""


class Hub:
    """The files of one repository, and which of them were fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched, self.url = folder, list[str](), ""

    async def file(self, request: Request) -> Response:
        """A file as the hub gives it, or the hub's own word for why it does not."""
        repository, path = request.path_params["repository"], self.folder / request.path_params["path"]
        if repository == "gated":
            return Response(status_code=403, headers={"X-Error-Code": "GatedRepo"})
        if repository != "split":
            return Response(status_code=401, headers={"X-Error-Code": "RepoNotFound"})
        if not path.is_file():
            return Response(status_code=404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        data = path.read_bytes()
        if request.method == "GET":
            self.fetched.append(path.name)
        etag = hashlib.sha256(data).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(data))}
        return Response(b"" if request.method == "HEAD" else data, headers=headers)

    async def other(self, _: Request) -> Response:
        """Whatever else its client asks."""
        return JSONResponse({"error": "not here"}, 404, headers={"X-Error-Code": "RepoNotFound"})


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub on this machine with the shipped model in three parts."""
    hub, port = Hub(tmp_path_factory.mktemp("hub")), free_port()
    (hub.folder / "small").mkdir()
    split(GGUF, hub.folder / "small", 3)
    (hub.folder / "lone-00001-of-00002.gguf").write_bytes(b"GGUF")
    routes = [
        Route("/me/{repository}/resolve/main/{path:path}", hub.file, methods=["GET", "HEAD"]),
        Route("/{path:path}", hub.other, methods=["GET", "HEAD", "POST"]),
    ]
    hub.url = f"http://127.0.0.1:{port}"
    with listening(Starlette(routes=routes), port):
        yield hub


def test_a_split_model_comes_with_all_its_parts_and_each_refusal_is_one_line(hub: Hub, tmp_path: Path) -> None:
    names = [
        "me/split:small/model-f16-00001-of-00003.gguf",
        "me/split:lone-00001-of-00002.gguf",
        "me/split:other.gguf",
        "me/gated:model.gguf",
        "me/nothing:model.gguf",
        "me/split:small/model-f16-00002-of-00003.gguf",
    ]
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", FETCHING, *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    reply, part, entry, gated, nothing, second = json.loads(done.stdout)
    assert reply.startswith("Hi")
    assert [name for name in hub.fetched if name.startswith("model")] == [
        f"model-f16-0000{number}-of-00003.gguf" for number in (1, 2, 3)
    ]
    assert part.endswith(
        "cannot be fetched from me/split: it has no lone-00002-of-00002.gguf. Look at its list of files."
    )
    assert entry.endswith("cannot be fetched from me/split: it has no other.gguf. Look at its list of files.")
    assert gated.endswith(
        "is given on terms only: accept them on the page of me/gated, and set HF_TOKEN to your token."
    )
    assert "the hub shows nobody a me/nothing" in nothing
    assert second.endswith("name the first, me/split:small/model-f16-00001-of-00003.gguf, and all are fetched.")
    assert all("\n" not in line for line in (part, entry, gated, nothing, second))


@pytest.mark.parametrize("name", ["a/b/c:model.gguf", "a/b:model.gguf", "--:model.gguf"])
def test_a_name_that_is_none_or_a_hub_out_of_reach_is_one_line(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=rf"^llamacpp: LLAMACPP_MODEL={name} cannot be fetched") as raised:
        fetch(name)
    assert "\n" not in str(raised.value)
