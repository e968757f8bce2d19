"""Our programs in processes of their own that begin with the libraries imported, forked from one that waits.

`Popen` is subprocess's, and runs the same file or module as `__main__` with the arguments, variables, folder and
streams that it is given; nothing of ours is imported before. On Linux; elsewhere it is subprocess's own.
"""

import array
import ctypes
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: who is orphaned below becomes a child of this process
# What the page, the API and the commands import, and what takes long of it. None looks at variables meanwhile.
LIBRARIES = (
    *("alembic.command", "fastapi", "httpx", "langchain_core.runnables", "langchain_openai", "openai.resources"),
    *("pydantic_settings", "sqlalchemy.orm", "streamlit.web.bootstrap", "streamlit.starlette", "typer", "uvicorn"),
)
# What training imports besides; its processes compute with one thread each.
TRAINING = (
    *("torch", "accelerate", "peft", "transformers.trainer"),
    "transformers.models.gpt2.modeling_gpt2",
)
_lock = threading.Lock()


class Popen(subprocess.Popen[Any]):
    """A process of ours, soon."""

    def _execute_child(self, args: Sequence[Any], *options: Any) -> None:
        _, preexec_fn, _, _, cwd, env, _, _, shell, read, _, _, out, _, error, *_ = options
        command = [os.fspath(part) for part in args]
        if shell or preexec_fn or not _forkable(command, env or os.environ):
            super()._execute_child(args, *options)  # type: ignore[misc]
            return
        order = {
            "command": command[1:],
            "folder": os.fspath(cwd or os.getcwd()),
            "environment": dict(env or os.environ),
        }
        streams = [number if given == -1 else given for number, given in enumerate((read, out, error))]
        sys.audit("subprocess.Popen", command[0], command, cwd, env)
        self.pid = _order(order, streams)
        self._child_created = True
        self._close_pipe_fds(*options[9:15])  # type: ignore[attr-defined]


def run(command: Sequence[Any], *, timeout: float, given: str | bytes | None = None, check: bool = False, **options: Any
        ) -> "subprocess.CompletedProcess[Any]":  # fmt: skip
    """As subprocess's own, with what it wrote. Raises TimeoutExpired, CalledProcessError."""
    streams = {"stdin": subprocess.DEVNULL if given is None else subprocess.PIPE, "stdout": subprocess.PIPE,
               "stderr": subprocess.PIPE}  # fmt: skip
    with Popen(command, **{**streams, **options}) as process:
        try:
            out, error = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, error)
    if check:
        done.check_returncode()
    return done


def _forkable(command: list[str], environment: Mapping[str, str]) -> bool:
    """Whether it is Python with a file or a module, and begins as this one did."""
    first = command[1] if len(command) > 1 else ""
    ours = first.endswith(".py") or (first == "-m" and len(command) > 2)
    alike = all(environment.get(name) == os.environ.get(name) for name in ("PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL"))
    return sys.platform == "linux" and command[0] == sys.executable and ours and alike


def _order(order: dict[str, Any], streams: list[int]) -> int:
    """The number of a process that is now a child of this one."""
    with _lock:
        waiting, libc = _server(_trains(order)), ctypes.CDLL(None)
        libc.prctl(SUBREAPER, 1, 0, 0, 0)
        try:
            data = json.dumps(order).encode()
            waiting.sendmsg(
                [len(data).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
            )
            waiting.sendall(data)
            answer = waiting.recv(4)
        finally:
            libc.prctl(SUBREAPER, 0, 0, 0, 0)
    if len(answer) < 4:
        raise RuntimeError("the process that forks has ended")
    return int.from_bytes(answer, "big")


def _trains(order: dict[str, Any]) -> bool:
    return (
        bool(order["command"][1].startswith(("training.", "torch.")))
        and order["environment"].get("OMP_NUM_THREADS") == "1"
    )


@cache
def _server(trains: bool) -> socket.socket:
    """The way to the process that waits; it ends with this one."""
    mine, its = socket.socketpair()
    command = [sys.executable, "-m", "tests.fork", str(its.fileno()), *(TRAINING if trains else LIBRARIES)]
    clean = {"OMP_NUM_THREADS": "1"} if trains else {}
    clean |= {k: v for k, v in os.environ.items() if k.startswith("PYTHON") or k in {"PATH", "HOME", "LANG", "LC_ALL"}}
    streams: dict[str, Any] = {
        "stdin": its,
        "stdout": its,
        "stderr": its,
    }  # of a kind that cannot be wound back, as pipes are
    started = subprocess.Popen(command, cwd=ROOT, env=clean, pass_fds=[its.fileno()], **streams)
    its.close()
    started.returncode = 0  # nobody waits for it: its end is the end of the socket
    return mine


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := source.recv(size - len(data))):
        data += part
    return data


def _serve(orders: socket.socket) -> dict[str, Any] | None:
    """In the forked process the order; in the one that forks None, at its end."""
    while True:
        head, streams, _, _ = socket.recv_fds(orders, 4, 3)
        if len(head) < 4:
            return None
        order: dict[str, Any] = json.loads(_exactly(orders, int.from_bytes(head, "big")))
        told, tell = os.pipe()
        if not (between := os.fork()):
            if not (pid := os.fork()):
                os.close(told)
                os.close(tell)
                orders.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                    os.close(stream)
                return order
            os.write(tell, pid.to_bytes(4, "big"))
            os._exit(0)
        os.close(tell)
        os.waitpid(between, 0)  # the forked one is an orphan now, and finds its parent
        orders.sendall(os.read(told, 4))
        for number in (told, *streams):
            os.close(number)


def _become(order: dict[str, Any]) -> None:
    """What Python does with these arguments and variables."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    named = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    first, *words = order["command"]
    path = words[0] if first == "-m" else os.path.abspath(first)
    sys.path[:] = [order["folder"] if first == "-m" else os.path.dirname(path), *named, *sys.path[1:]]
    sys.argv[:] = [path, *words[1:]] if first == "-m" else [first, *words]
    importlib.invalidate_caches()
    if first == "-m":
        runpy._run_module_as_main(path)  # type: ignore[attr-defined]
        return
    main = ModuleType("__main__")
    main.__dict__.update(__file__=first, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    with open(path, "rb") as source:
        code = compile(source.read(), first, "exec")
    exec(code, main.__dict__)


if __name__ == "__main__":
    for _name in sys.argv[2:]:
        importlib.import_module(_name)
    if "streamlit.web.bootstrap" in sys.modules:
        from tests import manifests

        manifests.remember(now=True)
    gc.freeze()
    if (_given := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _become(_given)
