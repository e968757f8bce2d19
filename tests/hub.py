"""A hub on this machine, as the Hugging Face hub answers its own client: search, a repository's files, and the files.

Large files are answered as there: /resolve/ names size and hash and sends on to another address, which knows ranges.
What goes wrong on a real network goes wrong here where a test says so.
"""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.asgi import listening
from tests.conftest import GGUF, free_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_good"
CHUNK = 2**16
SMALL = 100_000  # bytes up to which Git itself keeps a file
GATED = "me/gated"
PRIVATE = "me/private"
ONE = "me/one"
FILE = "talker-Q4_K_M.gguf"  # of each repository in `hub_folder`


class BrokenConnectionError(Exception):
    """Ends an answer in its middle."""


@dataclass
class Hub:
    """Repositories are the folders `owner/name` in `folder`. `asked`: what was asked for, with its range."""

    folder: Path
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)  # bytes after which the next answers end
    pause: float = 0  # seconds before each chunk
    knows_ranges: bool = True
    wrong: set[str] = field(default_factory=set)  # files that are told with another hash

    def application(self) -> Starlette:
        """The hub's routes."""
        return Starlette(
            routes=[
                Route("/api/models", self.search),
                Route("/api/models/{owner}/{name}", self.repository),
                Route("/api/models/{owner}/{name}/revision/{revision}", self.repository),
                Route("/{owner}/{name}/resolve/{revision}/{path:path}", self.resolve, methods=["GET", "HEAD"]),
                Route("/cdn/{owner}/{name}/{path:path}", self.send),
            ]
        )

    async def search(self, request: Request) -> Response:
        """Repositories whose names hold the words."""
        self.asked.append(("search", request.url.query))
        words = request.query_params.get("search", "").lower()
        names = sorted("/".join(path.relative_to(self.folder).parts) for path in self.folder.glob("*/*"))
        return JSONResponse([self._summary(name) for name in names if words in name.lower()])

    async def repository(self, request: Request) -> Response:
        """What a repository holds."""
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        self.asked.append(("repository", name))
        refusal = _refuse(request, name, listing=True)
        if refusal is None and not (self.folder / name).is_dir():
            refusal = _error(401, "RepoNotFound", "Invalid username or password.")
        if refusal is not None:
            return refusal
        files = sorted(path for path in (self.folder / name).rglob("*") if path.is_file())
        siblings = [self._sibling(path, path.relative_to(self.folder / name).as_posix()) for path in files]
        return JSONResponse({**self._summary(name), "sha": COMMIT, "siblings": siblings})

    async def resolve(self, request: Request) -> Response:
        """Where a file is."""
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        path = self.folder / name / request.path_params["path"]
        refusal = _refuse(request, name, listing=False)
        if refusal is None and not path.is_file():
            refusal = _error(404, "EntryNotFound", "Entry not found")
        if refusal is not None:
            return refusal
        if path.stat().st_size <= SMALL:
            return await self._answer(path, request)
        linked = {"X-Linked-Size": str(path.stat().st_size), "X-Linked-ETag": f'"{sha256(path)}"'}
        target = f"/cdn/{name}/{request.path_params['path']}"
        return RedirectResponse(target, 302, headers={**linked, "X-Repo-Commit": COMMIT})

    async def send(self, request: Request) -> Response:
        """A large file, or the rest of it."""
        values = request.path_params
        return await self._answer(self.folder / values["owner"] / values["name"] / values["path"], request)

    async def _answer(self, path: Path, request: Request) -> Response:
        data, span = path.read_bytes(), request.headers.get("range", "") if self.knows_ranges else ""
        self.asked.append((path.name, request.headers.get("range", "")))
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        headers = {"ETag": f'"{sha256(path)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(data) - start)}
        if span:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return StreamingResponse(self._chunks(data[start:]), 206 if span else 200, headers)

    async def _chunks(self, data: bytes) -> AsyncIterator[bytes]:
        most = self.breaks.pop(0) if self.breaks and len(data) > SMALL else None
        for start in range(0, len(data), CHUNK):
            if most is not None and start >= most:
                raise BrokenConnectionError
            if self.pause:
                await asyncio.sleep(self.pause)
            yield data[start : start + CHUNK]

    def _summary(self, name: str) -> dict[str, Any]:
        gguf = {"architecture": "gpt2", "total": 10_347_520, "context_length": 1024}
        tags = ["gguf", "license:apache-2.0"]
        gated = "manual" if name == GATED else False
        return {"id": name, "modelId": name, "downloads": 12345, "likes": 6, "gated": gated, "tags": tags,
                "private": False, "gguf": gguf}  # fmt: skip

    def _sibling(self, path: Path, name: str) -> dict[str, Any]:
        data = path.read_bytes()
        git = hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
        digest = "0" * 64 if name in self.wrong else sha256(path)
        large = {"lfs": {"sha256": digest, "size": len(data), "pointerSize": 135}} if len(data) > SMALL else {}
        return {"rfilename": name, "size": len(data), "blobId": git, **large}


def sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse(request: Request, name: str, *, listing: bool) -> Response | None:
    """The hub's word for who may not have something; None for who may."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and token != TOKEN:
        return _error(401, "", "Invalid credentials in Authorization header")
    if name == PRIVATE and not token:
        return _error(401, "RepoNotFound", "Invalid username or password.")
    if name == GATED and not listing:
        return _error(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
    return None


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse(
        {"error": message}, status, headers={"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    )


def reach(hub: Hub, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Have the hub's client ask this one, with nobody's token, and keep models in an empty home."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(home / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    for name, value in places(home).items():
        monkeypatch.setenv(name, value)


def places(home: Path) -> dict[str, str]:
    """The variables by which models are looked for and kept in this home alone."""
    named = {"HOME": "", "HF_HOME": "cache", "HF_HUB_CACHE": "cache/hub", "OLLAMA_MODELS": "ollama"}
    return {name: str(home / below) for name, below in {**named, "MODELS_HOME": "ours"}.items()}


@contextmanager
def running(folder: Path) -> Iterator[Hub]:
    """A hub over a folder, while the block runs."""
    hub, port = Hub(folder), free_port()
    hub.url = f"http://127.0.0.1:{port}"
    with listening(hub.application(), port):
        yield hub
    huggingface_hub.close_session()


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the shipped model, and one that is given on terms."""
    root = tmp_path_factory.mktemp("hub")
    for name in (ONE, GATED):
        (root / name).mkdir(parents=True)
        shutil.copy(GGUF, root / name / FILE)
    return root


@pytest.fixture
def hub(hub_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """That hub, asked by somebody who has no models, no token and no settings."""
    with running(hub_folder) as hub:
        reach(hub, monkeypatch, tmp_path)
        yield hub
