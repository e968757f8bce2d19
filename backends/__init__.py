"""The backends: one file in this folder is one backend, and its name is the name in LLM_BACKEND.

A backend file has `build(settings) -> BaseChatModel`, and where they apply `BackendSettings` (its own variables),
`availability_error(settings)`, `is_default_model(settings)`, `is_shipped_model(settings)`, `names_model(settings)`,
`model_reason(settings)`, `is_metered(settings)`, `parameters(settings)`, `list_models(settings)` and
`vision_error(settings)` (why its model cannot see pictures); those that compute in this process `with_model`,
`model_key` and `needed_memory`, and `bring(settings)` where files may have to come first.
They find their own variables in `settings.group(BackendSettings)`, which are read once or handed in (`with_settings`).
This file finds them, picks one and loads each model once: `NAME` is the backend with the model that its settings name,
`llamacpp:MODEL` another one that lies on this machine, `provider:model` somebody else's. A model of this process stays
as long as memory allows, and while somebody has a lease of it. It knows no backend by more than its place in the order.
"""

import atexit
import logging
import os
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from langchain_core.exceptions import ModelError, ModelNotFoundError
from langchain_core.language_models import BaseChatModel

from backends import vision as vision
from backends.llama import states
from backends.local import installing as installing
from backends.local import shipped as shipped
from backends.local.memory import MemoryEstimate
from backends.local.protocol import LocalModel as LocalModel
from backends.local.sampling import REST_OF_WINDOW as REST_OF_WINDOW
from backends.local.sampling import UnsupportedOptionError as UnsupportedOptionError
from backends.local.tokens import Tokens as Tokens
from backends.models.catalogue import find_entry, list_entries
from backends.models.choice import BackendChoice as BackendChoice
from backends.models.choice import BackendStatus as BackendStatus
from backends.models.entry import Entry as Entry
from backends.models.memory import estimate
from backends.models.name import LocalName as LocalName
from backends.models.name import configured_models as configured_models
from backends.models.name import is_model_name as is_model_name
from backends.models.removal import remove as remove_files
from backends.models.residency import Lease, Order, Residency, Resident
from backends.models.settings import ModelsSettings as ModelsSettings
from backends.models.size import parameters_in_name
from backends.remote.protocol import RemoteModel as RemoteModel
from backends.remote.provider import LOCAL as LOCAL
from backends.remote.provider import ProviderModel as ProviderModel
from backends.remote.retry_after import retry_after as retry_after  # for rooms that enter backends by this door
from backends.thinking import effort as effort
from backends.thinking.control import ThinkingControl as ThinkingControl
from settings import EnvironmentSettings, Settings, SettingsError

# Threads that wait look a thousand times, then sleep: those that spin on slow a busy machine down a hundredfold, those
# that sleep at once halve the speed of a small model on a quiet one. Read when torch or llama.cpp load.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

PREFERRED = ("llamacpp", "gpt2")  # the faster one first, which alone has SmolLM2 (docs/figures.md)
log = logging.getLogger(__name__)


class UnknownBackendError(ModelNotFoundError, SettingsError):
    """A name that is no backend."""


async def measured(model: BaseChatModel, name: str | None = None) -> BaseChatModel:
    """The model with a window, as far as its server tells one; `name` is that of another model there.

    Raises ModelError kinds.
    """
    return await model.ameasured(name) if isinstance(model, RemoteModel) else model


@cache
def names() -> tuple[str, ...]:
    """The backends there are: the files of this folder, listed once in a process."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")))


def check_name(name: str, variable: str = "LLM_BACKEND") -> str:
    """The name itself. Raises UnknownBackendError, with the known ones, for a name that is none."""
    if name in names() or is_model_name(name.strip(":")):
        return name
    raise UnknownBackendError(
        f"{variable}={name}: there is no such backend. Known: {', '.join(names())}, or provider:model."
    )


def find_backend(name: str) -> ModuleType | ProviderModel:
    """What has a backend's functions: its file, or for `provider:model` that. Raises UnknownBackendError."""
    local = LocalName.parse(name)
    return ProviderModel.parse(name) or import_module(f"backends.{local.backend if local else check_name(name)}")


def _settings_for(name: str, settings: Settings) -> Settings:
    """The settings with which a backend loads this model. Raises ModelNotFoundError where it is no longer there."""
    local = LocalName.parse(name)
    if local is None:
        return settings
    backend: Any = find_backend(name)
    entry = find_in_catalogue(local.model, settings, local.backend)
    changed: Settings = backend.with_model(settings, entry.path)
    return settings if backend.model_key(changed) == backend.model_key(settings) else changed


def _call(name: str, function: str, settings: Settings, default: Any) -> Any:
    """What a function of a backend returns; `default` where it has none. Raises ModelNotFoundError."""
    call = getattr(find_backend(name), function, None)
    return call(_settings_for(name, settings)) if call else default


def availability_error(name: str, settings: Settings) -> str | None:
    """Why a backend cannot answer, with the remedy; None when it can."""
    if resident(name) is None and (progress := installing.progress(name)):
        return progress
    try:
        reason: str | None = _call(name, "availability_error", settings, None)
    except ModelNotFoundError as error:
        return f"{error} Choose another model, or put it back."
    return reason


def vision_error(name: str, settings: Settings, model: str | None = None) -> str | None:
    """Why a backend's model, or another one of its server, cannot see pictures; None where it can, or nobody knows."""
    try:
        told: str | None = None if model else _call(name, "vision_error", settings, None)
    except ModelNotFoundError:
        return None  # which `availability_error` tells
    if told is not None or hasattr(find_backend(name), "vision_error"):
        return told
    sees = vision.sees(loaded_model(name), model)
    is_blind = sees is False or (sees is None and computes_here(name))
    return vision.CANNOT_SEE.format(model or name) if is_blind else None


def status(settings: Settings) -> list[BackendStatus]:
    """Every backend with its readiness; LLM_BACKEND and LLM_FALLBACK add names of models."""
    listed = [*names(), *configured_models(settings)]
    return [BackendStatus(name, availability_error(name, settings)) for name in listed]


def choose(settings: Settings) -> BackendChoice:
    """LLM_BACKEND, or by what is there: OpenAI's variables, a local model that somebody named, the best that is ready.

    Raises UnknownBackendError for a name in LLM_BACKEND or LLM_FALLBACK that is none.
    """
    for name in settings.llm_fallback:
        check_name(name, "LLM_FALLBACK")
    if settings.llm_backend:
        return BackendChoice(check_name(settings.llm_backend), "LLM_BACKEND names it")
    openai = settings.group(_settings_of("openai"))
    for field in ("api_key", "base_url"):
        if field in openai.model_fields_set:
            return BackendChoice("openai", f"LLM_BACKEND is unset and {openai.variable(field)} is set")
    problems = list[str]()
    for name in sorted(PREFERRED, key=lambda name: not _call(name, "names_model", settings, False)):
        problem = availability_error(name, settings)
        if problem is None:
            missed = f" ({'; '.join(problems)})" if problems else ""
            told = f"LLM_BACKEND and OPENAI_API_KEY are unset: {model_reason(name, settings)}{missed}"
            return BackendChoice(name, told)
        problems.append(f"{name}: {problem}")
    return BackendChoice(None, "No backend is ready. Set OPENAI_API_KEY, or: " + "; ".join(problems))


def can_list_models(name: str) -> bool:
    """Whether a backend has models to choose from; the others have just the one they load."""
    return hasattr(find_backend(name), "list_models")


def list_models(name: str, settings: Settings) -> list[str]:
    """The names that a backend's server lists, by asking it; [] for one that has no server. Raises ModelError kinds."""
    models: list[str] = _call(name, "list_models", settings, [])
    return models


def is_default_model(name: str, settings: Settings) -> bool:
    """Whether a backend answers from the small model in models/default, which cannot answer from documents."""
    return bool(_call(name, "is_default_model", settings, False))


def list_catalogue(settings: Settings) -> list[Entry]:
    """Every model that lies on this machine, whoever keeps it; none is loaded, and nobody is asked."""
    return list_entries(settings.group(ModelsSettings), _named_models(settings))


def find_in_catalogue(name: str, settings: Settings, backend: str | None = None) -> Entry:
    """The model of that name in the catalogue. Raises ModelNotFoundError, which names near ones."""
    return find_entry(name, settings.group(ModelsSettings), backend, _named_models(settings))


def chat_models(settings: Settings, backend: str | None = None) -> list[Entry]:
    """Those of the catalogue that can answer here, of one backend or of all."""
    found = [entry for entry in list_catalogue(settings) if backend in (None, entry.backend) and entry.problem is None]
    return [entry for entry in found if "embed" not in entry.abilities and _is_ready(entry, settings)]


def _is_ready(entry: Entry, settings: Settings) -> bool:
    backend: Any = find_backend(entry.backend)
    return backend.availability_error(backend.with_model(settings, entry.path)) is None


def estimate_memory(entry: Entry, settings: Settings) -> MemoryEstimate | None:
    """The memory that a model of the catalogue would need under these settings; None for one that cannot be read."""
    options: Any = settings.group(_settings_of(entry.backend))
    window, total = getattr(options, "n_ctx", None), getattr(options, "kv_tokens", None)
    int8 = getattr(options, "quantize", "none") == "int8"
    try:
        return estimate(entry.path, window, options.parallel, total=total, int8=int8)
    except (OSError, ValueError):
        return None


def _named_models(settings: Settings) -> list[str]:
    """What the settings of local backends name."""
    named = (getattr(settings.group(_settings_of(name)), "model", None) for name in LOCAL)
    return [name for name in named if name]


def parameters(name: str, settings: Settings, model: str | None = None) -> int | None:
    """How many parameters a backend's model has, or another one of its server; None where nobody tells."""
    told: int | None = None if model else _call(name, "parameters", settings, None)
    return told or parameters_in_name(model or name)


def is_shipped_model(name: str, settings: Settings) -> bool:
    """Whether a backend answers from a model that comes with this program: the one in models/default, or SmolLM2."""
    return bool(_call(name, "is_shipped_model", settings, False))


def model_reason(name: str, settings: Settings) -> str | None:
    """Which model a local backend answers from, and why; None for others."""
    reason: str | None = _call(name, "model_reason", settings, None)
    return reason


def is_metered(name: str, settings: Settings) -> bool:
    """Whether each reply of a backend costs its owner money, as far as settings tell."""
    return bool(_call(name, "is_metered", settings, False))


def _settings_of(name: str) -> type[EnvironmentSettings]:
    group: type[EnvironmentSettings] = find_backend(name).BackendSettings  # type: ignore[union-attr]
    return group


def settings_groups() -> Iterator[type[EnvironmentSettings]]:
    """The settings of the models that lie here, and of each backend that has some of its own."""
    yield ModelsSettings
    for name in names():
        if hasattr(find_backend(name), "BackendSettings"):
            yield _settings_of(name)


def read_settings() -> Settings:
    """The settings with every backend's own, so that a bad value is named before anything loads.

    Raises SettingsError.
    """
    settings = Settings.read()
    for group in settings_groups():
        settings.group(group)
    return settings


def with_settings(settings: Settings, name: str, **values: Any) -> Settings:
    """The settings with a backend's own handed in: `values`, by field, go before environment and `.env`.

    So a server is configured without a variable: `with_settings(settings, "openai", base_url="http://host/v1",
    api_key="none")`. Raises SettingsError, which names the field's variable, for a value that is not allowed.
    """
    return settings.with_group(_settings_of(name).read(**values))


forget_states = states.forget  # for rooms that enter backends by this door
_residency: Residency[BaseChatModel] = Residency(lambda model: model if isinstance(model, LocalModel) else None)
_keys: dict[str, str] = {}  # of the models that were asked for, by the names they were asked for by


def load(name: str, settings: Settings) -> BaseChatModel:
    """The model of a backend, built by the first caller while the others wait. Raises ModelError kinds.

    Who uses it for longer than a moment takes a `lease`: it may leave for another otherwise.
    """
    lease = leased(name) or _residency.request(*_order(name, settings)).result()
    lease.release(was_used=False)
    return lease.model


def leased(name: str) -> Lease[BaseChatModel] | None:
    """A lease of the model of a backend if it is loaded already; never waits."""
    return _residency.lease(_keys.get(name, name))


async def lease(name: str, settings: Settings) -> Lease[BaseChatModel]:
    """A lease of the model of a backend, loaded where it is not. Raises ModelError kinds.

    A task that is cancelled while it waits takes its wish back: what nobody waits for is not loaded to its end.
    """
    return leased(name) or await _residency.arequest(*_order(name, settings))


def _order(name: str, settings: Settings) -> tuple[str, Order[BaseChatModel]]:
    """By what a model is told from others, and how it is loaded. Raises ModelNotFoundError."""
    models, own = settings.group(ModelsSettings), _settings_for(name, settings)
    key = _keys[name] = _call(name, "model_key", settings, name)
    backend, build = find_backend(name), partial(_build, name, own)
    if not hasattr(backend, "needed_memory"):
        return key, Order(name, build)
    need, bring = partial(_needed_memory, name, own), getattr(backend, "bring", lambda settings: None)
    return key, Order(name, build, need, models.allowed_memory, models.idle, partial(bring, own))


def _needed_memory(name: str, settings: Settings) -> int:
    """Bytes that a model of this process is expected to take, its libraries loaded."""
    backend: Any = find_backend(name)
    if hasattr(backend, "prepare") and backend.availability_error(settings) is None:
        backend.prepare(settings)
    needed: int = backend.needed_memory(settings)
    return needed


def _build(name: str, settings: Settings) -> BaseChatModel:
    log.info("loading %s", name)
    try:
        built: BaseChatModel = find_backend(name).build(settings)
    except (ModelError, SettingsError):
        raise
    except Exception as error:  # whatever a library throws at a model it cannot load
        log.debug("building %s failed", name, exc_info=True)
        raise ModelNotFoundError(
            f"{name} cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    return built


def resident(name: str) -> Resident[BaseChatModel] | None:
    """The loaded model of a backend with what it takes; None where it is not loaded."""
    return _residency.find(_keys.get(name, name))


def residents() -> list[Resident[BaseChatModel]]:
    """All loaded models, those of servers too."""
    return _residency.residents()


def remove(entry: Entry, settings: Settings) -> int:
    """Delete a model that was downloaded, out of memory too, and return the bytes free again. Raises SettingsError."""
    if entry.is_removable:
        _residency.leave(entry.has_key)
    return remove_files(entry, settings.group(ModelsSettings).home)


def loading_progress(name: str) -> float | None:
    """How much of a model is loaded, from 0 to 1; None where it is not being loaded at the moment."""
    return _residency.progress(_keys.get(name, name))


def loaded_model(name: str) -> BaseChatModel | None:
    """The model of a backend if it is loaded already; never waits."""
    found = resident(name)
    return None if found is None else found.model


def template_origin(name: str) -> str | None:
    """Where the chat template of a loaded local model comes from, for people; None for others."""
    model = loaded_model(name)
    return model.template_origin if isinstance(model, LocalModel) else None


def computes_here(name: str) -> bool:
    """Whether a backend's models run in this process."""
    return hasattr(find_backend(name), "needed_memory")


def queue_length(name: str) -> int:
    """How many requests wait or run in the engine of a loaded local model; 0 for others."""
    model = loaded_model(name)
    return model.queue_length if isinstance(model, LocalModel) else 0


def sampling_defaults(name: str | None, settings: Settings) -> dict[str, float | int]:
    """The options that a reply is sampled with while nobody chooses others, as far as the loaded model has them."""
    defaults = getattr(loaded_model(name or ""), "sampling_defaults", {})
    return {**defaults, **settings.sampling_options()}


@atexit.register  # an engine still computing while the interpreter ends takes the process down
def unload() -> None:
    """Forget every loaded model, for a change of settings; engines end their threads."""
    _residency.close()
    _keys.clear()
