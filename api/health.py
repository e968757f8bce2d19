"""`GET /health`, and `GET /` where no page is: whether this server can answer, and what each backend does. No key."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

import backends
from api.setup import Here, Setup
from conversations.database import Database, DatabaseError
from settings import VERSION

router = APIRouter(tags=["operations"])


class Backend(BaseModel):
    """One backend: `problem` says what is missing and the remedy; `queue` counts what waits or runs."""

    name: str
    ready: bool
    loaded: bool
    problem: str | None
    queue: int


class Health(BaseModel):
    """`status` is "ok" where the chosen backend is ready and the database answers."""

    status: Literal["ok", "unavailable", "ending"]
    version: str
    backend: str | None
    database: bool
    backends: list[Backend]


@router.get("/health", responses={503: {"model": Health}})
@router.get("/", responses={503: {"model": Health}})
async def health(here: Here, response: Response) -> Health:
    """Status, version, readiness and queue length of each backend. 503 where nothing can be answered."""
    found = await run_in_threadpool(look, here)
    response.status_code = 200 if found.status == "ok" else 503
    return found


def look(here: Setup) -> Health:
    """As it is now; no backend is loaded for it and no server asked."""
    rows = [_backend(here, *status) for status in backends.status(here.settings)]
    fine = answers(here.database)
    ready = fine and any(row.ready for row in rows if row.name == here.choice.name)
    status: Literal["ok", "unavailable", "ending"] = "ending" if here.ending else "ok" if ready else "unavailable"
    return Health(status=status, version=VERSION, backend=here.choice.name, database=fine, backends=rows)


def _backend(here: Setup, name: str, problem: str | None) -> Backend:
    model = backends.loaded(name)
    engine = getattr(model, "engine", None)
    waiting = engine.waiting() if engine is not None else 0
    queue = max(waiting, here.queues.busy[name])
    return Backend(name=name, ready=problem is None, loaded=model is not None, problem=problem, queue=queue)


def answers(database: Database) -> bool:
    """Whether the database does."""
    try:
        with database.reading() as session:
            session.execute(text("SELECT 1"))
    except DatabaseError:
        return False
    return True
