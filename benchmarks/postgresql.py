"""A PostgreSQL server that is thrown away afterwards, for benchmarks and tests. Knows Debian's package and the PATH.

It runs as the user `postgres` where root starts it, because it refuses root; it listens on a socket in its own folder
and nowhere else, and keeps nothing safe from a power cut.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

USER = "postgres"  # of the server; under root also of the system, because initdb refuses root
THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")
_numbers = itertools.count(1)


class Server:
    """A running server that is reached by a socket in `folder`, and by nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        """The URL of a database, for SQLAlchemy with psycopg."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def run(self, statement: str, name: str) -> None:
        """A statement about a database, from outside it."""
        with psycopg.connect(host=str(self.folder), user=USER, dbname="template1", autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is gone afterwards."""
        name = f"test_{next(_numbers)}"
        self.run("CREATE DATABASE {} TEMPLATE template0", name)
        try:
            yield self.url(name)
        finally:
            self.run("DROP DATABASE {} WITH (FORCE)", name)


def find_binaries() -> Path | None:
    """Where initdb and postgres are: the newest of Debian's packages, or the PATH."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if candidates:
        return candidates[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def start_postgresql(binaries: Path) -> Iterator[Server]:
    """A new server in a temporary folder. Raises CalledProcessError, RuntimeError where it does not start."""
    caller: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # not tmp_path: a socket's path has 107 characters at most
    try:
        if caller:
            shutil.chown(folder, USER, USER)
        options = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={USER}"]
        making: list[str | Path] = [binaries / "initdb", *options, "--pgdata", folder / "data"]
        subprocess.run(making, check=True, capture_output=True, cwd=folder, **caller)
        command: list[str | Path] = [binaries / "postgres", "-D", folder / "data", "-k", folder]
        command += [part for setting in THROWAWAY for part in ("-c", setting)]
        if shutil.which("setpriv"):  # a test run that is killed takes its server along
            command = ["setpriv", "--pdeathsig", "INT", *command]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **caller)
        try:
            yield _ready(Server(folder), process)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing is kept
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ready(server: Server, process: subprocess.Popen[bytes], seconds: float = 60) -> Server:
    """The server once it answers. Raises RuntimeError with its log."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(host=str(server.folder), user=USER, dbname="template1").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return server
    raise RuntimeError(f"PostgreSQL did not start:\n{(server.folder / 'log').read_text(errors='replace')}")
