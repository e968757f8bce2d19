"""What the API knows for as long as it runs: settings and knobs, read once, and its database.

`setup(request)` gives it to a route. Knows no route.
"""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Request

import backends
from api.knobs import Knobs
from api.queue import Queues
from backends import Choice
from conversations.database import Database, DatabaseError, connect
from conversations.owner import cookies
from settings import Settings, SettingsError


@dataclass
class Setup:
    """One start of the API. `ending`: the server was told to end and takes no new work."""

    settings: Settings
    knobs: Knobs
    database: Database
    choice: Choice
    queues: Queues = field(default_factory=Queues)
    ending: bool = False


def read() -> Setup:
    """Raises SettingsError, in one line, where something is wrong."""
    settings = backends.read()
    try:
        database = connect(settings.database_url)
        cookies(settings)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error
    return Setup(settings, Knobs.read(), database, backends.choose(settings))


def put(app: FastAPI, found: Setup) -> None:
    """From now on routes find this."""
    app.state.setup = found


def setup(request: Request) -> Setup:
    """The running API's; for routes as `here: Here`."""
    found: Setup = request.app.state.setup
    return found


Here = Annotated[Setup, Depends(setup)]
