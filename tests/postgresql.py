"""Fixtures that give each test an empty database of its own, on a real server for PostgreSQL.

`database_url` runs a test on SQLite and on PostgreSQL; `postgresql_url` on PostgreSQL alone. Both set DATABASE_URL.
"""

import os
from collections.abc import Iterator

import pytest

from benchmarks.postgresql import Server, find_binaries, start_postgresql
from conversations.store.database import disconnect

ABSENT = "PostgreSQL is not installed: apt-get install postgresql"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One server for all tests of a run."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail(f"{ABSENT}; CI skips no database")
        pytest.skip(ABSENT)
    with start_postgresql(binaries) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: Server, _own_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database on PostgreSQL; DATABASE_URL names it."""
    with postgresql_server.database() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url
        disconnect()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, _own_settings: None) -> str:
    """An empty database: once on SQLite, once on PostgreSQL; DATABASE_URL names it."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return os.environ["DATABASE_URL"]
