"""The server over HTTP and websocket: who gets which cookie, what is left alone, and how it starts."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from identity import PREFIX
from settings import ROOT
from tests import fork
from tests.conftest import answers, free_port
from tests.visitor import Visitor

KEY = "a key that stands in no log 0123456789"
SCRIPT = """
import streamlit as st
from page.session.owner import identify_owner
from settings import Settings

found = identify_owner(Settings.read())
st.text(found.name)
st.text(str(found.is_permanent))
"""
SERVER = """
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route
from streamlit import App
from api.application import app as api
from api.lifespan import LifespanMiddleware, lifespan
from server import OwnerCookieMiddleware

async def slowly(request):
    async def parts():
        for number in range(3):
            yield f"{number};"
    return StreamingResponse(parts(), media_type="text/plain")

async def sent(request):
    return HTMLResponse(str(len(await request.body())))

async def missing(request):
    return HTMLResponse("no", status_code=404)

layers = [Middleware(LifespanMiddleware, lifespan=lambda: lifespan(api)), Middleware(OwnerCookieMiddleware)]
app = App("who.py", middleware=layers, routes=[
    Route("/slowly", slowly), Route("/sent", sent, methods=["POST"]), Route("/missing", missing)])
"""
WAYS = {
    "serve": ["-m", "cli", "serve"],
    "streamlit": ["-m", "streamlit", "run", str(ROOT / "server.py"), "--server.port", "PORT"],
    "uvicorn": ["-m", "uvicorn", "--app-dir", str(ROOT), "server:app", "--port", "PORT"],
}
FLAGS = ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none",
         "--browser.gatherUsageStats", "false", "--server.port", "PORT"]  # fmt: skip
Run = Callable[..., str]


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    """Starts Python there with these arguments and variables and returns the address; `PORT` is put in."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, **environment: str) -> str:
        port = str(free_port())
        command = [sys.executable, *(port if part == "PORT" else part for part in arguments)]
        given = {**os.environ, "PYTHONPATH": str(ROOT), "PORT": port, **environment}
        with (folder / "log").open("ab") as log:
            kind = fork.Popen if FLAGS[0] in arguments else subprocess.Popen  # the ways to start are tried as they are
            started.append(kind(command, cwd=folder, stdout=log, stderr=log, env=given))
        answers(f"http://127.0.0.1:{port}/_stcore/health", started[-1])
        return f"http://127.0.0.1:{port}"

    try:
        yield begin
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """In a folder of its own."""
    with running(tmp_path) as begin:
        yield begin


def small(begin: Run, folder: Path, **environment: str) -> str:
    """A page that says who its owner is, behind our middleware."""
    (folder / "who.py").write_text(SCRIPT)
    (folder / "small.py").write_text(SERVER)
    return begin("-m", "streamlit", "run", "small.py", *FLAGS, **environment)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """That page, one for all tests that change nothing about it."""
    folder = tmp_path_factory.mktemp("small")
    with running(folder) as begin:
        yield small(begin, folder, DATABASE_URL=f"sqlite:///{folder}/conversations.db")


def ours(answer: httpx.Response) -> list[str]:
    """The owner cookies that an answer sets."""
    return [line for line in answer.headers.get_list("set-cookie") if line.startswith(PREFIX)]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_start_serves_the_page_from_any_folder(run: Run, way: str, tmp_path: Path) -> None:
    with Visitor(run(*WAYS[way])) as someone:
        answer = someone.load()
        (cookie,) = ours(answer)
        assert re.search(r"; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax$", cookie)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert len(someone.cookies) == 1
        # .streamlit/config.toml is found, wherever it was started.
        assert someone.session().config.gather_usage_stats is False
        assert (tmp_path / "data" / "cookie.key").exists()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_script_reads_the_cookie_and_two_browsers_are_two_owners(address: str) -> None:
    with Visitor(address) as one, Visitor(address) as two:
        one.load()
        two.load("/another/page?c=1")
        first, second = one.texts(), two.texts()
        assert first[0].startswith("browser:")
        assert [first[1], second[1]] == ["True", "True"]
        assert first[0] != second[0]
        one.load()
        assert one.texts() == first


def test_without_a_cookie_nobody_is_taken_for_somebody_else(address: str) -> None:
    with Visitor(address) as someone:
        seen = [someone.texts() for _ in range(3)]
        assert len({name for name, _ in seen}) == 3
        assert {lasting for _, lasting in seen} == {"False"}


def test_a_forged_cookie_is_not_accepted_and_is_replaced(address: str) -> None:
    with Visitor(address) as someone:
        someone.load()
        (name,) = someone.cookies
        before, value = someone.texts(), someone.cookies[name]
        forged = ("f" if value[0] != "f" else "e") + value[1:]
        someone.http.cookies.clear()
        someone.http.cookies.set(name, forged, domain="127.0.0.1", path="/")
        assert someone.texts()[1] == "False"
        someone.load()
        assert list(someone.cookies) == [name]
        after = someone.texts()
        assert after[1] == "True"
        assert after[0] not in {before[0], "browser:" + forged.partition(".")[0]}


def test_tabs_that_open_together_at_the_first_visit_have_one_owner(address: str) -> None:
    """Both ask before either has an answer; each tab then shows what the jar held when it connected."""
    with Visitor(address) as browser, Visitor(address) as other:
        browser.load()
        first = browser.texts()
        other.load()
        browser.http.cookies.update(other.http.cookies)
        assert len(browser.cookies) == 2
        assert browser.texts() == first
        browser.load()
        assert browser.texts() == first


def test_the_cookie_is_for_the_page_alone(address: str) -> None:
    with Visitor(address) as someone:
        page = someone.load()
        (script,) = set(re.findall(r'src="\./(static/js/index[^"]+\.js)"', page.text))
        someone.http.cookies.clear()
        for path in ("/_stcore/health", "/_stcore/host-config", f"/{script}", "/missing", "/slowly", "/favicon.png"):
            assert not ours(someone.load(path)), path
        assert "private" not in someone.load(f"/{script}").headers["cache-control"]
        assert not ours(someone.http.head("/"))
        assert someone.load("/slowly").text == "0;1;2;"
        assert someone.http.post("/sent", content=b"x" * 30_000_000).text == "30000000"
        assert any(line.startswith("_streamlit_xsrf=") for line in
                   someone.http.get("/_stcore/health").headers.get_list("set-cookie"))  # fmt: skip


def test_a_page_that_the_browser_still_has_brings_the_cookie_too(address: str) -> None:
    with Visitor(address) as someone:
        tag = {"If-None-Match": someone.load().headers["etag"]}
        someone.http.cookies.clear()
        answer = someone.load("/", **tag)
        assert (answer.status_code, len(ours(answer))) == (304, 1)
        assert someone.texts()[1] == "True"
        assert not ours(someone.http.get("/", headers={**tag, "Accept": "*/*"}))


def test_the_cookie_is_renewed_and_stays_who_it_is(address: str) -> None:
    with Visitor(address) as someone:
        someone.load()
        (kept,) = someone.cookies.values()
        (line,) = ours(someone.load())
        (again,) = SimpleCookie(line).values()
        assert again.value.partition(".")[0] == kept.partition(".")[0]
        assert again["max-age"] == "31536000"


def test_behind_https_the_cookie_is_secure_where_the_proxy_is_trusted(address: str, run: Run, tmp_path: Path) -> None:
    with Visitor(address) as someone:
        assert "Secure" not in ours(someone.load())[0]
        assert "Secure" in ours(someone.load("/", **{"X-Forwarded-Proto": "https"}))[0]
    with Visitor(small(run, tmp_path, FORWARDED_ALLOW_IPS="192.0.2.1")) as someone:
        assert "Secure" not in ours(someone.load("/", **{"X-Forwarded-Proto": "https"}))[0]


def test_two_servers_of_one_secret_know_the_same_browsers(address: str, run: Run, tmp_path: Path) -> None:
    one, two = (small(run, tmp_path, COOKIE_SECRET=KEY) for _ in range(2))
    with Visitor(one) as here, Visitor(two) as there:
        here.load()
        there.http.cookies = here.http.cookies
        assert here.texts() == there.texts()
    with Visitor(address) as elsewhere:
        elsewhere.http.cookies = here.http.cookies
        assert elsewhere.texts()[1] == "False"
    assert KEY not in (tmp_path / "log").read_text()


def test_plain_streamlit_makes_each_session_its_own_owner(run: Run, tmp_path: Path) -> None:
    (tmp_path / "who.py").write_text(SCRIPT)
    with Visitor(run("-m", "streamlit", "run", "who.py", *FLAGS)) as someone:
        assert not ours(someone.load())
        someone.http.cookies.set(f"{PREFIX}abcdefgh_00000000", "made.up.here", domain="127.0.0.1", path="/")
        seen = [someone.texts() for _ in range(2)]
        assert seen[0][0] != seen[1][0]
        assert {lasting for _, lasting in seen} == {"False"}


URL = (
    "DATABASE_URL",
    "postgresql+psycopg://u:sesame@127.0.0.1:1/x",
    r"^.*DATABASE_URL=postgresql\+psycopg://u:\*\*\*@",
)
SHORT = ("COOKIE_SECRET", "sesame", r"^.*COOKIE_SECRET=\(hidden\): 6 characters")


@pytest.mark.parametrize(("variable", "value", "said", "way", "code"), [
    (*URL, "serve", 2), (*URL, "streamlit", 3), (*URL, "uvicorn", 3), (*SHORT, "serve", 2),
])  # fmt: skip
def test_it_does_not_start_on_a_bad_setting(
    tmp_path: Path, variable: str, value: str, said: str, way: str, code: int
) -> None:
    command = [sys.executable, *(str(free_port()) if part == "PORT" else part for part in WAYS[way])]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PORT": str(free_port()), variable: value}
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=given, timeout=300)
    text = ended.stdout + ended.stderr
    assert ended.returncode == code
    assert re.search(said, text, re.MULTILINE)
    assert "Traceback" not in text
    assert "sesame" not in text


def test_the_secret_is_not_in_the_list_of_settings() -> None:
    ended = subprocess.run(
        [sys.executable, "cli.py", "config"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "COOKIE_SECRET": KEY},
    )  # fmt: skip
    assert re.search(r"COOKIE_SECRET +\*{8} +environment", ended.stdout)
    assert KEY not in ended.stdout + ended.stderr


def test_what_is_not_there_of_openais_routes_is_told_in_openais_form(run: Run) -> None:
    address = run(*WAYS["uvicorn"], LLM_BACKEND="llamacpp")
    for method, path in (("POST", "/v1/rerank"), ("GET", "/v1/batches")):
        answer = httpx.request(method, address + path)
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, f"There is no {path}.")
    assert httpx.get(f"{address}/insights").headers["content-type"].startswith("text/html")
