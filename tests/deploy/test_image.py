"""The image, built from a clean clone and run: `make test-image`."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from benchmarks.postgresql import Server
from settings import ROOT, VERSION
from tests.conftest import free_port
from tests.deploy import container
from tests.deploy.container import Container, started, volume
from tests.loopback import KEY, running
from tests.page.person import messages, send_message

pytestmark = pytest.mark.image
SECRET = "sk-this-lies-in-the-folder-and-goes-nowhere"
GREETING = {"text": "hi, how are you?"}
# Started without any network: the server, then a question from beside it, since nobody outside can reach it.
ALONE = """
import json, subprocess, sys, time, urllib.request as u
server = subprocess.Popen([sys.executable, "cli.py", "serve"])
for _ in range(600):
    try:
        u.urlopen("http://127.0.0.1:8501/health"); break
    except OSError:
        time.sleep(0.2)
body = json.dumps({"text": "hi, how are you?"}).encode()
print(u.urlopen(u.Request("http://127.0.0.1:8501/predict", body, {"Content-Type": "application/json"})).read().decode())
server.terminate(); server.wait()
"""
# What a database holds of replies, for whoever opens it next.
KEPT = """
import json, sqlite3
found = sqlite3.connect("/data/conversations.db").execute("SELECT text, state FROM message WHERE role = 'assistant'")
print(json.dumps(found.fetchall()))
"""
KILLED = 137


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `git clone` gives, with what people have lying in such a folder."""
    if container.engine() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(container.ABSENT)
    folder = tmp_path_factory.mktemp("clone") / "llm-assistant"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(folder)], check=True)
    (folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
    (folder / ".streamlit" / "secrets.toml").write_text(f'[auth]\ncookie_secret = "{SECRET}"\n')
    (folder / "data").mkdir()
    (folder / "data" / "conversations.db").write_text(SECRET)
    return folder


@pytest.fixture(scope="module")
def image(clone: Path) -> Callable[[str], str]:
    """The image of a kind, built by the first who asks; its tag."""

    @cache
    def built(kind: str) -> str:
        tag = f"localhost/llm-assistant-test:{kind}"
        given = {} if kind == "all" else {"BACKENDS": kind}  # all is what the plain line of the README builds
        container.build(tag, clone, **given, VERSION=VERSION)
        return tag

    return built


def answering(url: str, box: Container) -> None:
    """Wait until it is healthy. Raises AssertionError with its log where that never comes."""
    for _ in range(600):
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(box.wrote())


@pytest.fixture(scope="module")
def shipped(image: Callable[[str], str]) -> Iterator[tuple[str, Container]]:
    """Everything, with no setting, no writable place but /data and /tmp, and no rights; its address."""
    port = free_port()
    options = ("-p", f"127.0.0.1:{port}:8501", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    with started(image("all"), options=options) as box:
        answering(f"http://127.0.0.1:{port}", box)
        yield f"http://127.0.0.1:{port}", box


def test_it_answers_from_the_shipped_model_with_nothing_set(shipped: tuple[str, Container]) -> None:
    answer = httpx.post(f"{shipped[0]}/predict", json=GREETING, timeout=300).json()
    assert (answer["backend"], answer["stop_reason"]) == ("llamacpp", "stop")
    assert answer["model"].startswith("SmolLM2-135M-Instruct")
    assert answer["reply"].strip()


@pytest.mark.browser
def test_a_chat_in_the_page(shipped: tuple[str, Container], tab: Page) -> None:
    tab.goto(shipped[0])
    send_message(tab, "hi, how are you?")
    expect(messages(tab)).to_have_count(2)
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    assert len(messages(tab).last.inner_text()) > 5


def test_it_is_nobody_special_and_the_program_is_not_its_own(shipped: tuple[str, Container]) -> None:
    wanted = "import os; print(os.getuid(), *(os.access(path, os.W_OK) for path in ('/app', '/app/cli.py', '/data')))"
    assert shipped[1].inside("python", "-c", wanted).split() == ["10001", "False", "False", "True"]


def test_its_own_health_check_passes_and_fails_where_nothing_answers(shipped: tuple[str, Container]) -> None:
    kind, *command = container.facts("localhost/llm-assistant-test:all")["Healthcheck"]["Test"]
    assert kind == "CMD"
    shipped[1].inside(*command)
    assert container.once("localhost/llm-assistant-test:all", *command).returncode == 1


def test_nothing_is_written_outside_its_two_places(shipped: tuple[str, Container]) -> None:
    """After all that the tests before did in it."""
    httpx.post(f"{shipped[0]}/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]}, timeout=300)
    shipped[1].inside("python", "cli.py", "ask", "hi", "--backend", "llamacpp")
    engine_own = {
        "/etc",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/mtab",
        "/run",
        "/dev",
        "/proc",
        "/sys",
    }
    outside = {path for path in shipped[1].changed() if not path.startswith(("/tmp", "/data", "/run/", "/dev/"))}
    assert outside <= engine_own


def test_it_runs_where_nothing_else_can_be_written(image: Callable[[str], str]) -> None:
    port = free_port()
    options = ("-p", f"127.0.0.1:{port}:8501", "--read-only", "--tmpfs", "/tmp")
    with started(image("all"), options=options) as box:
        answering(f"http://127.0.0.1:{port}", box)
        assert httpx.post(f"http://127.0.0.1:{port}/predict", json=GREETING, timeout=300).json()["reply"]


def test_it_starts_and_answers_without_any_network(image: Callable[[str], str]) -> None:
    done = container.once(image("all"), "python", "-c", ALONE, options=("--network", "none"))
    assert json.loads(done.stdout.splitlines()[-1])["reply"], done.stderr


def test_told_to_stop_it_ends_in_time_and_keeps_what_was_said(image: Callable[[str], str]) -> None:
    """A reply under way from a server that takes its time for it; SIGKILL would come after 10 seconds."""
    tag, port = image("openai"), free_port()
    with running(free_port()) as server, volume(f"test-{secrets.token_hex(4)}") as state:
        server.script.append("slow 2000")
        options = ("--network", "host", "-v", f"{state}:/data")
        given = {"PORT": str(port), "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        with started(tag, options=options, **given) as box, ThreadPoolExecutor() as others:
            answering(f"http://127.0.0.1:{port}", box)
            asked = others.submit(httpx.post, f"http://127.0.0.1:{port}/predict", json=GREETING, timeout=300)
            while server.sent < 5:
                time.sleep(0.1)
            assert box.stop() != KILLED
            assert asked.result().status_code == 503
        kept = container.once(tag, "python", "-c", KEPT, options=("-v", f"{state}:/data"))
    [(text, reached)] = json.loads(kept.stdout)
    assert text.startswith("word")
    assert reached == "interrupted"


def test_a_folder_it_may_not_write_is_named_in_one_line(image: Callable[[str], str], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    done = container.once(image("openai"), options=("-v", f"{tmp_path}:/data"))
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["openai", "all"])
def test_no_key_is_in_any_layer(kind: str, image: Callable[[str], str]) -> None:
    tag = image(kind)
    assert SECRET not in container.history(tag)
    assert not [name for name in container.facts(tag)["Env"] if "KEY" in name or "SECRET" in name or "TOKEN" in name]
    with started(tag, OPENAI_API_KEY=SECRET):
        assert SECRET not in container.history(tag)
    found = container.once(
        tag, "sh", "-c", f"grep -rl --exclude-dir=proc --exclude-dir=sys '{SECRET}' /app /data /tmp /venv/bin || true"
    )
    assert found.stdout == ""


def test_each_kind_says_what_it_lacks_and_how_to_get_it(image: Callable[[str], str]) -> None:
    told = container.once(image("openai"), "python", "cli.py", "backends").stdout
    assert "BACKENDS=llamacpp (or all)" in told
    assert "make install" not in told
    for kind in ("llamacpp", "gpt2"):
        answer = container.once(image(kind), "python", "cli.py", "ask", "hi", "--json")
        assert json.loads(answer.stdout)["backend"] == kind, answer.stderr


def test_sizes_are_what_was_promised(image: Callable[[str], str]) -> None:
    """What is added to the base image, but for a library of 0.3 MB."""
    added = {kind: container.size(image(kind), "/venv", "/app") for kind in ("openai", "llamacpp", "gpt2", "all")}
    print({kind: f"{value / 1e6:.0f} MB" for kind, value in added.items()})
    assert added["openai"] <= 650e6
    assert added["llamacpp"] <= 850e6
    assert max(added["openai"], added["llamacpp"]) <= added["all"] / 2


def test_it_is_labelled(image: Callable[[str], str]) -> None:
    labels = container.facts(image("openai"))["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.licenses"] == "MIT"


@pytest.mark.browser
def test_page_and_api_in_two_containers(
    image: Callable[[str], str], postgresql_server: Server, postgresql_url: str, tab: Page
) -> None:
    """As the profile `split` of deploy/compose.yaml has it, and at once one copy that talks to another."""
    ports, folder = (free_port(), free_port()), postgresql_server.folder
    folder.chmod(0o755)  # the image's user has to reach the socket in it
    shared = {"DATABASE_URL": postgresql_url, "COOKIE_SECRET": secrets.token_hex(32)}
    options = ("--network", "host", "-v", f"{folder}:{folder}")
    serve = ("uvicorn", "api:app", "--host", "127.0.0.1", "--port", str(ports[0]))
    with (
        started(image("llamacpp"), *serve, options=options, **shared) as api,
        started(
            image("openai"),
            options=options,
            PORT=str(ports[1]),
            OPENAI_BASE_URL=f"http://127.0.0.1:{ports[0]}/v1",
            **shared,
        ) as page,
    ):
        answering(f"http://127.0.0.1:{ports[0]}", api)
        answering(f"http://127.0.0.1:{ports[1]}", page)
        tab.goto(f"http://127.0.0.1:{ports[1]}")
        send_message(tab, "hi, how are you?")
        expect(messages(tab)).to_have_count(2)
        expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
        assert len(messages(tab).last.inner_text()) > 5
        assert "/v1/chat/completions" in api.wrote()
