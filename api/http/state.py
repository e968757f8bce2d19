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
from api.settings import ApiSettings, SmsSettings
from backends import Choice
from conversations.store.database import Database, DatabaseError, connect
from documents import embedding
from documents.settings import DocumentSettings as Documents
from identity import cookies
from settings import Settings, SettingsError

MAX_READERS = 2  # files that are read at once: each takes a core, and others wait


@dataclass
class AppState:
    """One start of the API. `ending`: it was told to end and takes no new work; `warned`: whose money is at stake.

    `documents` are the bounds of files, and `reading` the threads in which they are read.
    """

    settings: Settings
    api: ApiSettings
    database: Database
    choice: Choice
    limits: Limits
    document_limits: Documents
    readers: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MAX_READERS))
    queues: Queues = field(default_factory=Queues)
    sms: SmsSettings = field(default_factory=SmsSettings.read)
    shutting_down: bool = False
    exposure_warned: bool = False

    def default_backend(self) -> str:
        """The name of the backend that answers. Raises ModelNotFoundError, with the remedy, where none is ready."""
        if self.choice.name is None:
            raise ModelNotFoundError(self.choice.reason)
        return self.choice.name


def create_state() -> AppState:
    """Raises SettingsError, in one line, where something is wrong."""
    settings = backends.read()
    try:
        database = connect(settings.database_url)
        cookies(settings)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error
    embedding.current_embedder()
    knobs = ApiSettings.read()
    for name in knobs.api_models:
        backends.check(name, "API_MODELS")
    return AppState(settings, knobs, database, backends.choose(settings), Limits(knobs, database), Documents.read())


def install_state(app: FastAPI, found: AppState) -> None:
    """From now on routes find this."""
    app.state.api = found


def get_state(request: Request) -> AppState:
    """The running API's; for routes as `here: Here`."""
    found: AppState = request.app.state.api
    return found


async def _get_state(request: Request) -> AppState:
    return get_state(request)


# What takes no time is asynchronous here and elsewhere: for a plain function FastAPI would wake a thread.
StateDep = Annotated[AppState, Depends(_get_state)]
