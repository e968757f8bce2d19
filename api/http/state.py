"""What the API knows for as long as it runs: settings and knobs, read once, and its database.

`setup(request)` gives it to a route. Knows no route.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI, Request
from langchain_core.exceptions import ModelNotFoundError

import backends
from api.http.limits import Limits
from api.http.queue import Queues
from api.settings import Knobs
from api.sms.knobs import Sms
from backends import Choice
from conversations.store.database import Database, DatabaseError, connect
from documents import embedding
from documents.settings import Limits as Documents
from identity import cookies
from settings import Settings, SettingsError

READERS = 2  # files that are read at once: each takes a core, and others wait


@dataclass
class Setup:
    """One start of the API. `ending`: it was told to end and takes no new work; `warned`: whose money is at stake.

    `documents` are the bounds of files, and `reading` the threads in which they are read.
    """

    settings: Settings
    knobs: Knobs
    database: Database
    choice: Choice
    limits: Limits
    documents: Documents
    reading: CapacityLimiter = field(default_factory=partial(CapacityLimiter, READERS))
    queues: Queues = field(default_factory=Queues)
    sms: Sms = field(default_factory=Sms.read)
    ending: bool = False
    warned: bool = False


def read() -> Setup:
    """Raises SettingsError, in one line, where something is wrong."""
    settings = backends.read()
    try:
        database = connect(settings.database_url)
        cookies(settings)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error
    embedding.current()
    knobs = Knobs.read()
    for name in knobs.api_models:
        backends.check(name, "API_MODELS")
    return Setup(settings, knobs, database, backends.choose(settings), Limits(knobs, database),
                 Documents.read())  # fmt: skip


def put(app: FastAPI, found: Setup) -> None:
    """From now on routes find this."""
    app.state.setup = found


def backend(here: Setup) -> str:
    """The name of the one that answers. Raises ModelNotFoundError, with the remedy, where none is ready."""
    if here.choice.name is None:
        raise ModelNotFoundError(here.choice.reason)
    return here.choice.name


def setup(request: Request) -> Setup:
    """The running API's; for routes as `here: Here`."""
    found: Setup = request.app.state.setup
    return found


async def _setup(request: Request) -> Setup:
    return setup(request)


# What takes no time is asynchronous here and elsewhere: for a plain function FastAPI would wake a thread.
Here = Annotated[Setup, Depends(_setup)]
