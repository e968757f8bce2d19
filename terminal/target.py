"""Who answers: a backend of this process, or a model of a running server. Knows names; no message."""

from dataclasses import dataclass, replace

from langchain_core.exceptions import ModelError, ModelNotFoundError

import backends
from backends import BackendStatus
from settings import Settings, SettingsError
from terminal import server
from terminal.persona import suggest


@dataclass(frozen=True)
class Target:
    """`backend` answers; with `url` it is the one that asks that server for `model`."""

    settings: Settings
    backend: str
    reason: str
    url: str | None = None
    model: str | None = None

    @property
    def label(self) -> str:
        """The model, or the backend, as people call it."""
        return self.model or self.backend

    def list_targets(self) -> list[BackendStatus]:
        """What may answer: backends, ready or not, and models here, or a server's. Raises its ModelError kinds."""
        if self.url is None:
            local = [BackendStatus(entry.full_name, None) for entry in backends.chat_models(self.settings)]
            return [*backends.status(self.settings), *local]
        return [BackendStatus(name, None) for name in server.list_models(self.url, self.settings)]

    def switch(self, name: str) -> "Target":
        """The target of another name. Raises SettingsError for one unknown or not ready, and as `list_targets`."""
        problems = {status.name: status.problem for status in self.list_targets()}
        if self.url is None and backends.is_model_name(name.strip(":")):
            problems[name] = backends.availability_error(name, self.settings)
        if name not in problems:
            raise SettingsError(f"There is no backend {name!r}.{suggest(name, problems)} `/backend` lists all.")
        if problem := problems[name]:
            raise SettingsError(f"{name} is not ready: {problem}")
        return replace(self, backend=name) if self.url is None else replace(self, model=name)

    def with_backend(self, name: str, model: str | None) -> "Target":
        """The target that a conversation or its project names. Raises SettingsError where it cannot answer."""
        backends.check_name(name, "The project's backend")
        if problem := backends.availability_error(name, self.settings):
            raise SettingsError(f"{name}, which the project names, is not ready: {problem}")
        return replace(self, backend=name, model=model)

    def reword(self, error: str) -> str:
        """An error's text, with the variables of a backend named as the command line names them."""
        return error if self.url is None else server.reword(error)


def choose(backend: str | None, url: str | None) -> Target:
    """The target of the options, else of the settings. Raises SettingsError, ModelError kinds."""
    if url is not None:
        return _choose_remote(server.parse_address(url), backend)
    settings = backends.read_settings()
    choice = backends.choose(settings)
    if backend is not None:
        choice = backends.BackendChoice(backends.check_name(backend, "--backend"), "--backend names it")
    if choice.name is None:
        raise ModelError(choice.reason)
    return Target(settings, choice.name, choice.reason)


def _choose_remote(url: str, model: str | None) -> Target:
    """The target at a server, which is asked at once, so that a wrong address shows before anything is typed."""
    settings = server.remote_settings(url)
    offered = server.list_models(url, settings)
    if not offered:
        raise ModelNotFoundError(f"--url={url}: the server offers no model. Its own log says why.")
    if model is not None and model not in offered:
        raise SettingsError(f"--backend={model}: the server has no such model. It offers {', '.join(offered)}.")
    default = "default" if "default" in offered else offered[0]
    return Target(settings, "openai", f"at {url}", url, model or default)
