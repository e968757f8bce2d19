"""A page on this machine that `read_page` may read, and what was asked of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.asgi import listening
from tests.conftest import free_port


class Web:
    """`text` is what every page says; `asked` are the paths with their queries that were read."""

    def __init__(self, port: int) -> None:
        self.host, self.text = f"127.0.0.1:{port}", "The harbour is closed on Mondays."
        self.asked: list[str] = []
        self.holds = False  # whether it lets whoever asks wait

    def url(self, path: str = "") -> str:
        """The address of a page."""
        return f"http://{self.host}/{path}"

    async def answer(self, request: Request) -> PlainTextResponse:
        """A page."""
        self.asked.append(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        while self.holds:
            await asyncio.sleep(0.01)
        return PlainTextResponse(self.text)


@contextmanager
def pages(port: int) -> Iterator[Web]:
    """The pages, on this port."""
    web = Web(port)
    with listening(Starlette(routes=[Route("/{path:path}", web.answer)]), port):
        yield web


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A page that may be read once a person allows it."""
    with pages(free_port()) as served:
        monkeypatch.setenv("TOOLS_HOSTS", served.host)
        yield served
