"""A GGUF file in this process, through llama-cpp-python's bindings of llama.cpp's own C interface.

Knows tokens and weights; nothing of messages. The library is loaded when the model is built.
"""

import logging
import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from langchain_core.exceptions import ModelError, ModelNotFoundError
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from backends.llama.adapter import Adapter
from backends.llama.context import LONGEST, Limits
from backends.llama.engine import LlamaEngine
from backends.llama.header import HeaderError, read_header
from backends.llama.model import Model
from backends.llama.parts import parse_name
from backends.llama.projector import Projector
from backends.llama.projector_file import beside, file_error, library_error
from backends.llama.sight import Sight
from backends.llama.states import StateFolder, identify
from backends.local import shipped, template
from backends.local.chat import LocalChat
from backends.local.installing import failure
from backends.models.hub_file import fetch, find_file, is_hub_file
from backends.models.memory import estimate
from backends.models.settings import ModelsSettings
from backends.models.size import parameters_in_name
from settings import (
    DEFAULT_MODEL,
    CommaSeparated,
    EnvironmentSettings,
    Settings,
    display_model,
    display_path,
    install_hint,
)

NONE = "none"  # LLAMACPP_LORA where not even the adapter that ships is wanted, LLAMACPP_MMPROJ where no projector is
ADAPTED = shipped.ADAPTER.name
log = logging.getLogger(__name__)


class BackendSettings(EnvironmentSettings):
    """The variables of this backend alone."""

    model_config = SettingsConfigDict(env_prefix="LLAMACPP_")

    model: str | None = Field(
        None,
        description="a GGUF file, or repo_id:filename on the Hugging Face hub, of a split model the first part; "
        "unset: SmolLM2 where `make install` brought it, else the one in models/default",
    )
    lora: CommaSeparated = Field(
        (),
        description="LoRA adapters as GGUF files, a comma list, a scale behind those that are not to count as trained: "
        "file.gguf:0.5; none: none at all; unset: with an unset LLAMACPP_MODEL the one in models/smollm2",
    )
    mmproj: str | None = Field(
        None,
        description="by what the model sees pictures: its projector as a GGUF file, or repo_id:filename on the hub; "
        "none: it sees none; unset: mmproj*.gguf beside the model",
    )
    n_ctx: int | None = Field(None, ge=8, description="the window in tokens; unset: the model's own, at most 8192")
    n_gpu_layers: int = Field(0, ge=-1, description="layers on the GPU, -1 for all (needs a build with GPU support)")
    threads: int | None = Field(None, ge=1, description="computing threads; unset: the cores there are, at most 8")
    parallel: int = Field(8, ge=1, le=64, description="chats computed together, 1 to 64; more wait in line")
    kv_tokens: int | None = Field(
        None,
        ge=8,
        description="tokens that all running chats together may hold, with LLAMACPP_PARALLEL times the window each has "
        "its own; unset: 8192, or what they need",
    )
    cache_mb: int = Field(
        256,
        ge=0,
        description="megabytes that keep conversations computed until their next turn; as many on disk, for after "
        "a restart",
    )

    @field_validator("lora")
    @classmethod
    def _check_scales(cls, lora: tuple[str, ...]) -> tuple[str, ...]:
        for text in lora:
            Adapter.parse(text)
        return lora

    def adapters(self) -> tuple[Adapter, ...]:
        """The adapters that the model answers with: those named, or the one that ships with SmolLM2."""
        if self.lora:
            return () if self.lora == (NONE,) else tuple(map(Adapter.parse, self.lora))
        taught = shipped.adapter_gguf() if self.model is None and shipped.base_gguf() else None
        return (Adapter(taught),) if taught else ()

    def model_path(self) -> str:
        """The GGUF to load, as a path or `repo_id:filename`."""
        return self.model or str(shipped.base_gguf() or shipped.default_gguf())

    def display_name(self) -> str:
        """The model's name for clients, with those of its adapters: SmolLM2-135M-Instruct+smollm2."""
        name = self.model_path()
        own = shipped.BASE_NAME if Path(name) == shipped.base_gguf() else display_model(name)
        adapters = (ADAPTED if each.path.parent == shipped.ADAPTER else each.path.stem for each in self.adapters())
        return "+".join([own, *adapters])


def availability_error(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    if find_spec("llama_cpp") is None:
        return failure("llamacpp") or install_hint(
            "llama-cpp-python", "run `make install`", "BACKENDS=llamacpp (or all)"
        )
    options = settings.group(BackendSettings)
    name, absent = options.model_path(), next((a for a in options.adapters() if not a.path.is_file()), None)
    if trouble := template.template_error(settings) or _projector_error(settings):
        return trouble
    if absent:
        return f"LLAMACPP_LORA={absent} is no file: name an adapter's GGUF, with a scale as in adapter.gguf:0.5"
    if Path(name).is_file():
        return None
    if is_hub_file(name):
        if find_spec("huggingface_hub") is None and not _path(settings).is_file():
            return f"LLAMACPP_MODEL={name} is on the hub: `pip install huggingface_hub`, or download the file"
        return None
    if Path(name).is_dir():
        found = next(iter(sorted(Path(name).glob("*.gguf"))), None)
        return f"LLAMACPP_MODEL={name} is a folder: name the GGUF file in it" + (f", as {found}" if found else "")
    return f"LLAMACPP_MODEL={name} is no file: name a GGUF file, or repo_id:filename on the Hugging Face hub"


def _path(settings: Settings) -> Path:
    """The file of the model; of one on the hub where it lies once it was downloaded."""
    name = settings.group(BackendSettings).model_path()
    is_remote = is_hub_file(name) and not Path(name).is_file()
    return find_file(name, settings.group(ModelsSettings).home) if is_remote else Path(name)


def projector_path(settings: Settings) -> Path | None:
    """The file by which the model sees: the one that is named, or lies beside it; None where there is none."""
    options = settings.group(BackendSettings)
    name = options.mmproj
    if name is None:
        return beside(_path(settings))
    if name == NONE:
        return None
    return find_file(name, settings.group(ModelsSettings).home) if _is_remote(name) else Path(name)


def _is_remote(name: str | None) -> bool:
    return name is not None and is_hub_file(name) and not Path(name).is_file()


def _projector_error(settings: Settings) -> str | None:
    """What is wrong with the projector that somebody named; None where nothing is seen."""
    name, path = settings.group(BackendSettings).mmproj, projector_path(settings)
    if name is None or path is None or (_is_remote(name) and not path.is_file()):
        return None
    trouble = file_error(path)
    return f"LLAMACPP_MMPROJ={name} {trouble}" if trouble else library_error()


def vision_error(settings: Settings) -> str | None:
    """Why the model sees no pictures, with the remedy; None where it does. Loads nothing."""
    options, path = settings.group(BackendSettings), projector_path(settings)
    if path is None:
        return (
            f"llamacpp cannot see pictures: {options.display_name()} has no projector. Where there is one for it "
            "(mmproj-….gguf) name that in LLAMACPP_MMPROJ or put it beside the model; else choose a model that sees, "
            "or attach the picture as a document to have the text in it read."
        )
    trouble = f"{path.name} {file_error(path)}" if path.is_file() and file_error(path) else library_error()
    return f"llamacpp cannot see pictures: {trouble}." if trouble else None


def is_default_model(settings: Settings) -> bool:
    """Whether this backend answers from the small model in models/default."""
    return _path(settings).resolve().parent == DEFAULT_MODEL


def parameters(settings: Settings) -> int | None:
    """How many parameters the model has, by its file or its name; None where neither tells."""
    path = _path(settings)
    try:
        told = read_header(path).parameters
    except (HeaderError, OSError, ValueError):  # ValueError: an empty file cannot be mapped
        told = 0
    spec = settings.group(BackendSettings).model or ""
    return told or parameters_in_name(path.name) or (parameters_in_name(spec) if is_hub_file(spec) else None)


def with_model(settings: Settings, path: Path) -> Settings:
    """The settings for another model than theirs, which their adapters are not for."""
    options = settings.group(BackendSettings)
    mmproj = NONE if options.mmproj == NONE else None
    changed = {"model": str(path), "lora": (), "mmproj": mmproj, "n_ctx": _window(path, options)}
    return settings.with_group(options.model_copy(update=changed))


def _window(path: Path, options: BackendSettings) -> int | None:
    """LLAMACPP_N_CTX, or as much of it as another model than that of the settings has."""
    if options.n_ctx is None:
        return None
    try:
        return min(options.n_ctx, read_header(path).window or options.n_ctx)
    except (OSError, ValueError):  # loading it says why
        return options.n_ctx


def model_key(settings: Settings) -> str:
    """What the model of these settings is told from all others by."""
    options = settings.group(BackendSettings)
    adapted = "".join(f" + {each}" for each in (*options.adapters(), *filter(None, [projector_path(settings)])))
    return f"llamacpp {_path(settings).resolve()}{adapted}"


def needed_memory(settings: Settings) -> int:
    """Bytes that the model is expected to take with its adapters; 0 where a file is not here yet, or cannot be read."""
    options = settings.group(BackendSettings)
    try:
        adapters = [each.path for each in options.adapters()]
        adapters += filter(None, [projector_path(settings)])
        total = options.kv_tokens
        found = estimate(_path(settings), options.n_ctx, options.parallel, total=total, adapters=adapters)
    except (OSError, ValueError):
        return 0
    return found.total


def is_shipped_model(settings: Settings) -> bool:
    """Whether this backend answers from SmolLM2 as it comes with this program, or from the one in models/default."""
    options = settings.group(BackendSettings)
    return is_default_model(settings) or (Path(options.model_path()) == shipped.base_gguf() and options.lora == ())


def names_model(settings: Settings) -> bool:
    """Whether somebody named the model."""
    return settings.group(BackendSettings).model is not None


def model_reason(settings: Settings) -> str:
    """Which model answers, and why that one."""
    options = settings.group(BackendSettings)
    if options.model is not None:
        return f"LLAMACPP_MODEL names {options.display_name()}"
    if shipped.base_gguf() is None:
        return f"the small model in models/default, since SmolLM2 is not there ({shipped.absence()})"
    adapters = options.adapters()
    told = f" with {' and '.join(display_path(str(each)) for each in adapters)}" if adapters else ""
    return f"{shipped.BASE_NAME}{told}"


def bring(settings: Settings) -> None:
    """Download the files of a model on the hub, where they are not here yet. Raises ModelNotFoundError."""
    options, home = settings.group(BackendSettings), settings.group(ModelsSettings).home
    named = (("LLAMACPP_MODEL", options.model_path()), ("LLAMACPP_MMPROJ", options.mmproj))
    for variable, name in named:
        if name and _is_remote(name) and not find_file(name, home).is_file() and availability_error(settings) is None:
            try:
                fetch(name, home)
            except ModelNotFoundError as error:
                raise ModelNotFoundError(f"llamacpp: {variable}={name}: {error}") from error


def build(settings: Settings) -> LocalChat:
    """The chat model over the loaded file. Raises ModelNotFoundError, ModelAPIError."""
    reason = availability_error(settings)
    if reason:
        raise ModelNotFoundError(f"llamacpp: {reason}")
    bring(settings)  # it may have been deleted since
    options = settings.group(BackendSettings)
    model = Model(_path(settings), options.n_gpu_layers, options.adapters())
    try:
        chat_template = template.choose_template(settings, model.saved_template(), model.path.name)
        bounds = limits(options, model)
        sight = _sight(settings, model, bounds.threads)
        folder = state_folder(settings, model, bounds, sight.projector.path if sight.projector else None)
        try:
            engine = LlamaEngine(model, bounds, options.cache_mb * 2**20, folder, sight)
        except ModelError:
            sight.close()
            raise
    except ModelError:
        model.close()
        raise
    return LocalChat(engine=engine, template=chat_template, model=options.display_name(), **settings.sampling_options())


def _sight(settings: Settings, model: Model, threads: int) -> Sight:
    """How the model sees; one that was only found beside it may be another model's, or damaged.

    Raises ModelNotFoundError for one that is named and cannot be loaded.
    """
    options, path = settings.group(BackendSettings), projector_path(settings)
    if reason := vision_error(settings):
        return Sight(None, reason)
    assert path is not None
    try:
        return Sight(Projector(path, model, threads, on_gpu=options.n_gpu_layers != 0), None)
    except ModelNotFoundError as error:
        if options.mmproj is not None:
            raise
        log.warning("%s", error)
        return Sight(None, f"llamacpp cannot see pictures: {str(error).removeprefix('llamacpp: ')}")


def state_folder(settings: Settings, model: Model, bounds: Limits, projector: Path | None = None) -> StateFolder | None:
    """Where the states of this model's conversations lie for another process; None where none are kept."""
    options = settings.group(BackendSettings)
    if options.cache_mb == 0:
        return None
    part = parse_name(model.path.name)
    files = [model.path.with_name(name) for name in part.all()] if part else [model.path]
    files += [each.path for each in model.adapters]  # what was computed with one is of no use without it
    files += [projector] if projector else []
    scales = tuple(each.scale for each in model.adapters)
    build = version("llama-cpp-python"), model.api.llama_print_system_info()  # other kernels round otherwise
    others = (*build, bounds.window, bounds.is_partitioned, options.n_gpu_layers, scales)
    return StateFolder(settings.states_folder, identify(files, *others), options.cache_mb * 2**20)


def limits(options: BackendSettings, model: Model) -> Limits:
    """The bounds of this model under the settings. Raises ModelNotFoundError for a window it was not trained for."""
    window = options.n_ctx or min(model.trained_window, LONGEST)
    if window > model.trained_window:
        raise ModelNotFoundError(
            f"llamacpp: LLAMACPP_N_CTX={window} is more than the {model.trained_window} tokens "
            f"{model.path.name} was trained for."
        )
    total = options.kv_tokens or min(LONGEST, window * options.parallel)
    threads = options.threads or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
    return Limits(window, options.parallel, max(window, total), threads)
