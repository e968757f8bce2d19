"""A real nginx before two processes on one PostgreSQL, with clients of the API and a real browser."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import OpenAI
from playwright.sync_api import Page, expect

from benchmarks.postgresql import Server
from settings import ROOT
from tests.api.mcp.test_routes import TOOLS
from tests.api.process import Process, served
from tests.asgi import listening
from tests.conftest import answers, free_port
from tests.conversations.talk import wait_for
from tests.loopback import KEY, Loopback
from tests.page.conftest import chromium, profile, tab  # noqa: F401  (fixtures)
from tests.page.person import expect_stopped, last_text, messages, send_message, wait_until_longer

SHIPPED = ROOT / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ABSENT = "nginx is not installed: apt-get install nginx-light"


@dataclass
class Proxy:
    """nginx with the shipped file, whose addresses are replaced and nothing else."""

    folder: Path
    apps: list[Process]
    port: int = field(default_factory=free_port)
    popen: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where clients come."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, *down: int) -> None:
        """The file; to the processes of these numbers nothing new is sent."""
        text = SHIPPED.read_text().replace("listen 8080;", f"listen 127.0.0.1:{self.port};")
        for number, app in enumerate(self.apps):
            old = f"server 127.0.0.1:{8501 + number} "
            assert text.count(old) == 1
            new = f"server {app.url.removeprefix('http://')} {'down ' if number in down else ''}"
            text = text.replace(old, new)
        (self.folder / "nginx.conf").write_text(text)

    def command(self, *more: str) -> list[str]:
        """How it is called."""
        assert NGINX is not None
        pid = f"pid {self.folder}/nginx.pid; daemon off;"
        return [NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", pid, *more]

    def lines(self) -> list[str]:
        """Its log: one line for each request, the last word is who served it; what failed begins otherwise."""
        lines = (self.folder / "nginx.log").read_text().splitlines()
        return [line for line in lines if re.match(r"\d{4}-", line)]

    def servers(self, path: str, since: int = 0) -> list[str]:
        """Who served the requests for a path."""
        return [line.split()[-1] for line in self.lines()[since:] if f" {path} " in line]

    def only(self, number: int) -> None:
        """From now on every new request comes to this process."""
        self.write(*(set(range(len(self.apps))) - {number}))
        assert self.popen is not None
        self.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: self.asked() == number)

    def all(self) -> None:
        """From now on every process is sent requests."""
        self.write()
        assert self.popen is not None
        self.popen.send_signal(signal.SIGHUP)
        wait_for(lambda: {self.asked() for _ in range(8)} == set(range(len(self.apps))))

    def asked(self) -> int:
        """The number of the process that serves a request now."""
        before = len(self.lines())
        urllib.request.urlopen(f"{self.url}/v1/models").close()
        [found] = wait_for(lambda: self.servers("/v1/models", before))
        return self.number(found)

    def number(self, address: str) -> int:
        """Of the process at this address."""
        return [app.url.removeprefix("http://") for app in self.apps].index(address)


class Patient(Loopback):
    """Its slow replies end where the test has seen enough, however slow the machine is."""

    def __init__(self) -> None:
        super().__init__()
        self.enough = False

    async def _slow(self, raw: bool = False, words: int = 200) -> AsyncIterator[str]:
        self.sent = 0
        async for line in super()._slow(raw, words):
            if self.enough:
                self.sent -= 1  # this one is not sent
                yield self._line({"delta": {}, "finish_reason": "stop"})
                return
            yield line


@pytest.fixture(scope="module")
def loopback() -> Iterator[Patient]:
    """The model's server."""
    made, port = Patient(), free_port()
    made.url = f"http://127.0.0.1:{port}/v1"
    with listening(made.app(), port):
        yield made


@pytest.fixture(scope="module")
def proxy(postgresql_server: Server, loopback: Patient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx before two processes."""
    if NGINX is None:
        if os.environ.get("CI"):
            pytest.fail(f"{ABSENT}; CI skips nothing")
        pytest.skip(ABSENT)
    folder = tmp_path_factory.mktemp("nginx")
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_server.database())
        shared = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": loopback.url, "OPENAI_API_KEY": KEY,
                  "DATABASE_URL": url, "COOKIE_SECRET": "one secret that all of the processes share"}  # fmt: skip

        def start(_: int) -> Process:
            here = tmp_path_factory.mktemp("app")
            return stack.enter_context(served(here, way="serve", **shared))

        with ThreadPoolExecutor(2) as both:
            made = Proxy(folder, list(both.map(start, range(2))))
        made.write()
        with (folder / "nginx.log").open("ab") as log:
            made.popen = subprocess.Popen(made.command(), stdout=log, stderr=log)
        stack.callback(made.popen.wait, 10)
        stack.callback(made.popen.terminate)
        answers(f"{made.url}/health", made.popen)
        yield made


@pytest.fixture
def scripted(proxy: Proxy, loopback: Patient) -> Patient:
    """The model's server as new."""
    vars(loopback).update({**vars(Patient()), "url": loopback.url})
    return loopback


def post(url: str, body: dict[str, object], cookie: str = "") -> tuple[dict[str, object], str]:
    """The answer, and the cookies that came with it."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    if cookie:
        request.add_header("Cookie", cookie)
    with urllib.request.urlopen(request) as response:
        return json.load(response), response.headers.get("Set-Cookie", "").partition(";")[0]


def test_the_shipped_file_is_valid(tmp_path: Path) -> None:
    if NGINX is None:
        if os.environ.get("CI"):
            pytest.fail(f"{ABSENT}; CI skips nothing")
        pytest.skip(ABSENT)
    options = ["-t", "-p", str(tmp_path), "-c", str(SHIPPED), "-g", f"pid {tmp_path}/nginx.pid;"]
    done = subprocess.run([NGINX, *options], capture_output=True, text=True)
    assert (done.returncode, "warn" in done.stderr) == (0, False), done.stderr


def test_a_browser_keeps_its_process_and_others_are_spread(proxy: Proxy) -> None:
    def served_by(cookie: str | None) -> str:
        before = len(proxy.lines())
        headers = {} if cookie is None else {"Cookie": cookie}
        urllib.request.urlopen(urllib.request.Request(f"{proxy.url}/v1/models", headers=headers)).close()
        [found] = wait_for(lambda: proxy.servers("/v1/models", before))
        return str(found)

    owners = [f"llm_assistant_owner_ab12cd34_0123abcd={number:048x}" for number in range(20)]
    first = [served_by(f"_xsrf=1; {owner}.now.signed; theme=dark") for owner in owners]
    assert len(set(first)) == 2
    assert [served_by(f"{owner}.later.signed_again") for owner in owners] == first
    assert len({served_by(None) for _ in range(20)}) == 2
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{proxy.url}/media/nowhere.png")
    [asked] = wait_for(lambda: [line for line in proxy.lines() if " /media/nowhere.png " in line])
    assert {app.url.removeprefix("http://") for app in proxy.apps} == set(re.findall(r"127\.[\d.]+:\d+", asked))


def test_the_api_streams_through_it_from_both_processes(proxy: Proxy, scripted: Patient) -> None:
    client = OpenAI(base_url=f"{proxy.url}/v1", api_key="none", max_retries=0)
    for number in (0, 1):
        proxy.only(number)
        scripted.script.append("slow 20")
        said, early = [], 0
        for chunk in client.chat.completions.create(
            model="default", messages=[{"role": "user", "content": "hi"}], stream=True
        ):
            if chunk.choices and chunk.choices[0].delta.content:
                said.append(chunk.choices[0].delta.content)
                early += scripted.sent < 20
        assert "".join(said).split() == [f"word{n}" for n in range(20)]
        assert early > 5  # read before the last one was written
    talk, cookie = post(f"{proxy.url}/predict", {"text": "first"})
    proxy.only(0)
    post(f"{proxy.url}/predict", {"text": "second"}, cookie)
    assert [m["content"] for m in scripted.requests[-1]["messages"] if m["role"] == "user"] == ["first", "second"]
    assert str(talk["reply"]).strip() == scripted.reply
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{proxy.url}/metrics")


async def test_mcp_goes_through_it_to_either_process(proxy: Proxy, scripted: Patient) -> None:
    """No session ties a client to a process: each message may be answered by another one."""
    await asyncio.to_thread(proxy.all)
    before = len(proxy.lines())
    async with Client(streamable_http_client(f"{proxy.url}/mcp")) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
        told = [await client.call_tool("ask", {"question": f"number {number}?"}) for number in range(6)]
        for _ in range(60):  # nginx draws who is asked, and a few may all go to one
            await client.list_tools()
    assert [getattr(each.content[0], "text", "").strip() for each in told] == [scripted.reply] * 6
    assert len(set(proxy.servers("/mcp", before))) == 2


@pytest.mark.browser
def test_a_reload_lands_elsewhere_and_the_running_reply_is_there(
    proxy: Proxy,
    scripted: Patient,
    tab: Page,  # noqa: F811
) -> None:
    proxy.only(0)
    scripted.script.extend(["slow 10000", "slow 10000"])
    tab.goto(proxy.url)
    tab.get_by_placeholder("Write a message").wait_for()
    send_message(tab, "hi")
    begun = wait_until_longer(tab, 40)
    proxy.only(1)
    tab.reload()
    tab.get_by_text("word1 ").first.wait_for()
    for _ in range(5):
        begun = wait_until_longer(tab, begun)
    scripted.enough = True
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    assert re.findall(r"word(\d+)", last_text(tab)) == [str(number) for number in range(scripted.sent)]
    assert len(scripted.requests) == 1
    scripted.enough = False
    send_message(tab, "again")  # the tab's process is now the other one
    before = wait_until_longer(tab, 40)
    proxy.only(0)
    tab.reload()
    tab.get_by_text("word1 ").nth(1).wait_for()
    wait_until_longer(tab, before)
    tab.get_by_role("button", name="Stop").click()
    expect_stopped(tab)
    wait_for(lambda: len(scripted.gone) == 2)
    assert not re.search(r"\?c=|Traceback", "\n".join([*proxy.lines(), *(app.wrote() for app in proxy.apps)]))


@pytest.mark.browser
def test_a_process_that_dies_while_idle_is_replaced(proxy: Proxy, scripted: Patient, tab: Page) -> None:  # noqa: F811
    proxy.all()
    before = len(proxy.lines())
    tab.goto(proxy.url)
    tab.get_by_placeholder("Write a message").wait_for()
    send_message(tab, "do you hear me?")
    expect(tab.get_by_text(scripted.reply)).to_be_visible()
    dying = proxy.number(proxy.servers("/_stcore/health", before)[-1])  # asked with the cookie
    proxy.apps[dying].popen.kill()
    proxy.apps[dying].popen.wait()
    assert {proxy.asked() for _ in range(8)} == {1 - dying}
    for number in range(4):  # a POST that could not be sent is not lost
        post(f"{proxy.url}/predict", {"text": f"number {number}"})
    tab.reload()
    expect(tab.get_by_text("do you hear me?").first).to_be_visible()
    send_message(tab, "and now?")
    expect(messages(tab)).to_have_count(4)
    expect(messages(tab).last).to_contain_text(scripted.reply)
