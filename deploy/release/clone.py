"""A clean clone, and in it what README tells a stranger to do: `make run`, `make test`, the image."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx

from deploy.release.step import Refusal, Release, Skipped
from deploy.release.tree import git

INSTALL, ANSWER, END = 3600, 120, 30  # seconds: until it answers, llama.cpp compiled; for a reply; to end
BUILDERS = ("docker", "podman")  # as tests/deploy/container.py; CONTAINER names another


def fresh(release: Release) -> Path:
    """The clone, made when a step first needs it: what is committed and nothing else."""
    folder = release.folder / "clone"
    if not folder.exists():
        git(release.root, "clone", "--quiet", "--no-hardlinks", str(release.root), str(folder))
    return folder


def stranger() -> dict[str, str]:
    """The environment without any setting of ours, and without the make and Python that this runs in."""
    from api.settings import every  # here: the other steps need no settings

    ours = {group.variable(field) for group in every() for field in group.model_fields}
    ours |= {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "PYTHONPATH", "STEPS", "OUTPUT"}
    return {name: value for name, value in os.environ.items() if name.upper() not in ours} | {"LC_ALL": "C.UTF-8"}


def tail(log: Path) -> str:
    """The last lines of what was written."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def check(release: Release) -> str:
    """Raises Refusal where the tree cannot be cloned."""
    names = git(fresh(release), "ls-files").splitlines()
    return f"{len(names)} files"


def _reply(base: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """What the server answers to a greeting, once it is there."""
    end = time.monotonic() + INSTALL
    with httpx.Client(base_url=base, trust_env=False, timeout=ANSWER) as client:
        while process.poll() is None and time.monotonic() < end:
            with suppress(httpx.TransportError):
                if client.get("/health").status_code == 200:
                    answer = client.post("/predict", json={"text": "hi, how are you?"})
                    if answer.status_code == 200 and (reply := str(answer.json()["reply"])):
                        return reply
                    raise Refusal(f"/predict answered {answer.status_code}: {answer.text[:300]}", f"see {log}")
            time.sleep(0.5)
    raise Refusal(f"make run never answered at {base}/health:\n{tail(log)}", f"see {log}")


def _end(process: subprocess.Popen[bytes], log: Path) -> str:
    """SIGTERM to the server, as a service manager sends it; how make saw it end."""
    import psutil  # here: only those who train or test have it

    children = psutil.Process(process.pid).children(recursive=True)
    server = next((one for one in children if "serve" in one.cmdline()), None)
    if server is None:
        raise Refusal("make run has no `cli.py serve` beneath it", "see the target `run` in the Makefile")
    server.send_signal(signal.SIGTERM)
    try:
        code = process.wait(END)
    except subprocess.TimeoutExpired:
        raise Refusal(f"the server runs on {END} s after SIGTERM", f"see {log}") from None
    said = tail(log)
    # It gives the signal back when its work is done, as one that was asked to end does; make calls that "Terminated".
    if (code and "Terminated" not in said) or "Traceback" in said:
        raise Refusal(f"make run ended with {code}:\n{said}", f"see {log}")
    return "ended by SIGTERM"


def run(release: Release) -> str:
    """`make run` on a free port until it has answered once. Raises Refusal with the end of its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder, log = fresh(release), release.folder / "run.log"
    given = {**stranger(), "PORT": str(port)}
    print(f"Its words go to {log}", flush=True)
    with log.open("wb") as target:
        process = subprocess.Popen(
            ["make", "run"], cwd=folder, env=given, stdin=subprocess.DEVNULL, stdout=target, stderr=target,
            start_new_session=True,
        )  # fmt: skip
    try:
        reply = _reply(f"http://127.0.0.1:{port}", process, log)
        return f"answered {reply!r}, {_end(process, log)}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _made(release: Release, target: str) -> str:
    """A target of the clone's Makefile, its words in a log. Raises Refusal with the end of it."""
    log = release.folder / f"{target}.log"
    print(f"Its words go to {log}", flush=True)
    with log.open("wb") as written:
        done = subprocess.run(
            ["make", target], cwd=fresh(release), env=stranger(), stdin=subprocess.DEVNULL, stdout=written,
            stderr=written, check=False,
        )  # fmt: skip
    if done.returncode:
        raise Refusal(f"make {target} ended with {done.returncode}:\n{tail(log)}", f"see {log}")
    return tail(log).splitlines()[-1] if log.stat().st_size else f"make {target}: done"


def test(release: Release) -> str:
    """`make test`: lint, types and all tests."""
    return _made(release, "test")


def image(release: Release) -> str:
    """`make test-image`. Raises Skipped where nothing can build one, or where its tests were skipped for that."""
    named = shlex.split(os.environ.get("CONTAINER", ""))[:1]
    if not any(map(shutil.which, named or BUILDERS)):
        raise Skipped(f"not installed: {', '.join(named or BUILDERS)}")
    said = _made(release, "test-image")
    if "passed" not in said:
        raise Skipped(said)
    return said
