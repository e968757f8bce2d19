"""`GET /health`, and `GET /` where no page is: whether this server can answer, and what each backend does. No key."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

import backends
from api.http.state import AppState, StateDep
from conversations.store import Database, DatabaseError
from settings import VERSION

router = APIRouter(tags=["operations"])
Status = Literal["ok", "unavailable", "ending"]
EXAMPLE: dict[str, JsonValue] = {"name": "llamacpp", "ready": True, "loaded": True, "problem": None, "queue": 0}


class BackendHealth(BaseModel):
    """A backend: `problem` says what is missing and the remedy; `queue` counts what waits or runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: str
    ready: bool
    loaded: bool
    problem: str | None
    queue: int


class Health(BaseModel):
    """The server: `status` is "ok" where the chosen backend is ready and the database answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ok", "version": VERSION, "backend": "llamacpp", "database": True, "backends": [EXAMPLE]}
            ]
        }
    )

    status: Status
    version: str
    backend: str | None
    database: bool
    backends: list[BackendHealth]


@router.head("/health", include_in_schema=False)  # as monitors ask; the lowest of these is found first
@router.head("/", include_in_schema=False)
@router.get("/health", responses={503: {"model": Health}})
@router.get("/", responses={503: {"model": Health}})
async def health(state: StateDep, response: Response) -> Health:
    """Status, version, readiness and queue length of each backend. 503 where nothing can be answered."""
    health = await run_in_threadpool(check_health, state)
    response.status_code = 200 if health.status == "ok" else 503
    return health


def check_health(state: AppState) -> Health:
    """The health as it is now; no backend is loaded for it and no server asked."""
    choice = state.choose()
    rows = [_backend_health(state, *status) for status in backends.status(state.settings)]
    database = database_answers(state.database)
    ready = database and any(row.ready for row in rows if row.name == choice.name)
    status: Status = "ending" if state.shutting_down else "ok" if ready else "unavailable"
    return Health(status=status, version=VERSION, backend=choice.name, database=database, backends=rows)


def _backend_health(state: AppState, name: str, problem: str | None) -> BackendHealth:
    loaded = backends.loaded_model(name) is not None
    return BackendHealth(
        name=name, ready=problem is None, loaded=loaded, problem=problem, queue=queue_length(state, name)
    )


def queue_length(state: AppState, name: str) -> int:
    """Requests that wait or run for a backend: the API's, and the page's where the engine knows of them."""
    return max(backends.queue_length(name), state.queues.busy[name])


def database_answers(database: Database) -> bool:
    """Whether the database answers a query."""
    try:
        with database.reading() as session:
            session.execute(text("SELECT 1"))
    except DatabaseError:
        return False
    return True
