"""What the API knows for as long as it runs: its settings, read once, its database, its limits and its models.

`StateDep` gives it to a route. Knows no route.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated
from weakref import WeakValueDictionary

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI, Request
from langchain_core.exceptions import ModelNotFoundError

import backends
from api.http.limits import Limits
from api.http.queue import Queues
from api.settings import ApiSettings, SmsSettings
from backends import BackendChoice
from conversations.replies import Reply
from conversations.store import Database, DatabaseError, connect
from documents import embedding
from documents.pictures.settings import PictureSettings
from documents.settings import DocumentSettings
from identity import Pseudonyms, pseudonyms
from settings import Settings, SettingsError

DEFAULT = "default"  # the model that LLM_BACKEND names, or that was chosen by what is there
EVERY = ":*"  # ends a name in API_MODELS that stands for all models of a backend that lie on this machine
MAX_EMBEDDERS = 4  # requests whose vectors are made at once
MAX_READERS = 2  # files that are read at once: each takes a core, and others wait


@dataclass
class AppState:
    """One start of the API.

    `choice` is the backend that answers; `models` are the names that a client may send, of backends, ready or not, of
    local models (`llamacpp:*` for all of a backend), and provider:model, and `aliases` further ones with what they
    stand for; `document_limits` and `picture_limits` bound uploaded files, and `readers` and `picture_readers` the
    threads that read them, `embedders` those that have vectors made; `shutting_down` means that no new work is taken;
    `replies` are those of responses that are being made, by their owner and id; `exposure_warned`, that the log says
    already whose money is at stake.
    """

    settings: Settings
    api: ApiSettings
    sms: SmsSettings
    database: Database
    choice: BackendChoice
    models: tuple[str, ...]
    aliases: dict[str, str]
    limits: Limits
    document_limits: DocumentSettings
    picture_limits: PictureSettings
    pseudonyms: Pseudonyms
    readers: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MAX_READERS))
    embedders: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MAX_EMBEDDERS))
    picture_readers: CapacityLimiter = field(default_factory=partial(CapacityLimiter, MAX_READERS))
    replies: WeakValueDictionary[tuple[str, str], Reply] = field(default_factory=WeakValueDictionary)
    queues: Queues = field(default_factory=Queues)
    shutting_down: bool = False
    exposure_warned: bool = False
    _choosing: bool = field(default_factory=backends.installing.is_running)

    def choose(self) -> BackendChoice:
        """The backend that answers; while some are still being installed, the best of those that are there."""
        if self._choosing:
            self._choosing = backends.installing.is_running()
            self.choice = backends.choose(self.settings)
        return self.choice

    def local_models(self) -> list[str]:
        """The names of all models of this machine that `backend:*` in `models` stands for: those that can answer."""
        every = {name.removesuffix(EVERY) for name in self.models if name.endswith(EVERY)}
        found = backends.chat_models(self.settings) if every else []
        return [entry.full_name for entry in found if entry.backend in every]

    def default_backend(self) -> str:
        """The name of the backend that answers. Raises ModelNotFoundError, with the remedy, where none is ready."""
        choice = self.choose()
        if choice.name is None:
            raise ModelNotFoundError(choice.reason)
        return choice.name


def create_state() -> AppState:
    """The state as settings have it. Raises SettingsError, in one line, where something is wrong."""
    settings = backends.read_settings()
    try:
        database = connect(settings.database_url)
        names = pseudonyms(settings)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error
    embedding.current_embedder()
    api = ApiSettings.read()
    check_models(api)
    return AppState(
        settings=settings,
        api=api,
        sms=SmsSettings.read(),
        database=database,
        choice=backends.choose(settings),
        models=_model_names(settings, api),
        aliases=api.model_aliases,
        limits=Limits(api, database),
        document_limits=DocumentSettings.read(),
        picture_limits=PictureSettings.read(),
        pseudonyms=names,
    )


def check_models(api: ApiSettings) -> None:
    """Check that each name in API_MODELS can be asked for and stands for something. Raises SettingsError."""
    for name in api.api_models:
        if "=" not in name:
            backends.check_name(name, "API_MODELS")
    for alias, target in api.model_aliases.items():
        variable = f"API_MODELS={alias}"
        if not alias or alias == DEFAULT or alias in backends.names():
            problem = f"{alias} means something else" if alias else "there is no name before the ="
            raise SettingsError(f"{variable}={target}: {problem}. Write another name, as in gpt-4o-mini=default")
        if target != DEFAULT:
            backends.check_name(target, variable)


def _model_names(settings: Settings, api: ApiSettings) -> tuple[str, ...]:
    own = [name for name in api.api_models if "=" not in name]
    return tuple(dict.fromkeys([*backends.names(), *backends.configured_models(settings), *own]))


def install_state(app: FastAPI, state: AppState) -> None:
    """Have the routes of `app` find this state from now on."""
    app.state.api = state


def get_state(request: Request) -> AppState:
    """The state that was installed."""
    state: AppState = request.app.state.api
    return state


async def _get_state(request: Request) -> AppState:
    return get_state(request)


# Dependencies that take no time are asynchronous: for a plain function FastAPI would wake a thread.
StateDep = Annotated[AppState, Depends(_get_state)]
