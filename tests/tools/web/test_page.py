"""Web pages and searches over real HTTP: what is read, and every way to a private address that stays shut."""

import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.asgi import listening
from tests.conftest import free_port
from tests.tools.test_tools import call

PAGE = """<html><head><title>The lighthouse</title></head><body><nav><a href="/">Home</a></nav>
<article><h1>The lighthouse</h1><p>The lighthouse of Brandaris was built in 1594, and is the oldest one here.</p>
<p>It is 52 metres high and can be seen from a long way off.</p></article><script>alert(1)</script></body></html>"""
PAGES: dict[str, Callable[[], Response]] = {
    "/article": lambda: HTMLResponse(PAGE),
    "/text": lambda: PlainTextResponse("grüße".encode("latin-1"), media_type="text/plain; charset=latin-1"),
    "/json": lambda: JSONResponse({"lamp": "lit"}),
    "/pdf": lambda: Response(b"%PDF-1.7", media_type="application/pdf"),
    "/empty": lambda: HTMLResponse("<html><body></body></html>"),
    "/large": lambda: PlainTextResponse("x" * 3_000_000),
    "/packed": lambda: Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}, media_type="text/html"),
    "/round": lambda: RedirectResponse("/round"),
}
PUBLIC = "93.184.216.34"


class Site:
    """A server with a few pages; `asked` are the paths that came."""

    def __init__(self, port: int) -> None:
        self.port, self.url, self.asked = port, f"http://127.0.0.1:{port}", list[str]()

    async def answer(self, request: Request) -> Response:
        """The page of a path."""
        self.asked.append(request.url.path)
        if request.url.path == "/search":
            return self._search(parse_qs(request.url.query))
        if request.url.path == "/to":
            return RedirectResponse(request.query_params["url"])
        make = PAGES.get(request.url.path)
        return make() if make is not None else PlainTextResponse("not there", status_code=404)

    def _search(self, query: dict[str, list[str]]) -> Response:
        if query["format"] != ["json"] or query["q"] == ["forbidden"]:
            return PlainTextResponse("", status_code=403)
        if query["q"] == ["broken"]:
            return JSONResponse({"results": [{"title": "no address"}]})
        hit = {"title": f"About {query['q'][0]}", "url": "https://example.org/1", "content": "Lit in 1594."}
        return JSONResponse({"results": [hit] * 20 if query["q"] != ["nothing"] else []})


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(free_port())
    with listening(Starlette(routes=[Route("/{path:path}", site.answer)]), site.port):
        yield site


@pytest.fixture
def allowed(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site, which may be read."""
    monkeypatch.setenv("TOOLS_HOSTS", f"127.0.0.1:{site.port}")
    return site


async def read(url: str) -> str:
    return await call("read_page", url=url)


async def test_the_text_of_an_article(allowed: Site) -> None:
    told = await read(f"{allowed.url}/to?url=/article")
    assert told.startswith(f"success: {allowed.url}/article\nThe lighthouse\n\n")
    assert "built in 1594" in told
    assert "52 metres" in told
    assert "alert" not in told
    assert "Home" not in told


async def test_text_and_json_as_they_are(allowed: Site) -> None:
    assert await read(f"{allowed.url}/text") == f"success: {allowed.url}/text\ngrüße"
    assert await read(f"{allowed.url}/json") == f'success: {allowed.url}/json\n{{"lamp":"lit"}}'


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/pdf", "application/pdf is not read, only HTML and text."),
        ("/empty", "there is no text in this page."),
        ("/large", "the page is larger than 2,000,000 bytes (TOOLS_BYTES)."),
        ("/packed", "the server sends the page compressed although that was not asked for."),
        ("/round", "more than 5 redirects."),
        ("/none", "the server answered 404 Not Found."),
    ],
)
async def test_what_cannot_be_read_is_said_in_one_line(allowed: Site, path: str, says: str) -> None:
    assert await read(f"{allowed.url}{path}") == f"error: {allowed.url}{path}: {says}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/", "only http and https addresses are read"),
        ("file:///etc/passwd", "only http and https addresses are read"),
        ("example.org", "only http and https addresses are read"),
        ("http://example.org:x/", "this is no web address"),
        ("http://example.org:99999/", "there is no port 99999"),
        ("http://user:secret@example.org/", "with a user name or a password in it is not read"),
        ("https://example.com/", "example.com:443 is not among the hosts that may be read (TOOLS_HOSTS)"),
    ],
)
async def test_an_address_that_is_not_allowed(allowed: Site, url: str, says: str) -> None:
    told = await read(url)
    assert told.startswith("error: ")
    assert says in told
    assert "secret" not in told


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have DNS answer with these addresses, one after the other, the last one for ever; returns what was asked."""
    asked, real = list[str](), socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not name.endswith(".test"):
            return real(host, port, *args, **kwargs)
        address = answers[min(len(asked), len(answers) - 1)]
        asked.append(name)
        return real(address, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1"]
)
async def test_a_name_that_leads_to_a_private_address(
    site: Site, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("TOOLS_HOSTS", "*")
    resolve(monkeypatch, address)
    told = await read(f"http://inside.test:{site.port}/article")
    assert told == "error: inside.test leads to a private address, which is not read."
    assert site.asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.1", "[::1]"]
)
async def test_a_private_address_however_it_is_written(site: Site, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("TOOLS_HOSTS", "*")
    assert (await read(f"http://{host}:{site.port}/article")).startswith("error: ")
    assert site.asked == []


async def test_a_redirect_to_a_private_address(allowed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_HOSTS", f"127.0.0.1:{allowed.port},*.test")
    resolve(monkeypatch, "127.0.0.1")
    told = await read(f"{allowed.url}/to?url=http://inside.test:{allowed.port}/article")
    assert told == "error: inside.test leads to a private address, which is not read."
    other = await read(f"{allowed.url}/to?url=http://127.0.0.1:1/")
    assert other == "error: 127.0.0.1:1 is not among the hosts that may be read (TOOLS_HOSTS)."
    assert allowed.asked == ["/to", "/to"]


async def test_the_address_that_was_checked_is_the_one_that_is_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public when it is checked, and leads to this machine a moment later."""
    monkeypatch.setenv("TOOLS_HOSTS", "*.test")
    asked = resolve(monkeypatch, PUBLIC, "127.0.0.1")
    told = await read(f"http://rebind.test:{site.port}/article")
    assert told.startswith("error: ")
    assert asked == ["rebind.test"]
    assert site.asked == []


async def test_a_search_of_the_web(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARXNG_URL", f"{site.url}/")
    told = await call("search_web", query="lamps & lights")
    assert told.startswith("success: [1] About lamps & lights\nhttps://example.org/1\nLit in 1594.\n\n[2] About")
    assert "[8]" in told
    assert "[9]" not in told
    assert await call("search_web", query="nothing") == "success: Nothing found."
    assert "add json to search.formats" in await call("search_web", query="forbidden")
    assert "no result of a search" in await call("search_web", query="broken")


async def test_a_search_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARXNG_URL", f"http://127.0.0.1:{free_port()}")
    assert (await call("search_web", query="x")).startswith("error: SEARXNG_URL: it cannot be reached (Connect")
