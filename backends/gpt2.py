"""A GPT-2 (or any causal language model) of Hugging Face's, in this process, through a text-generation pipeline.

Knows tokens and weights; nothing of messages. torch and transformers are imported when the model is built.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from langchain_core.exceptions import ModelNotFoundError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.hf import adapter
from backends.hf.engine import TransformersEngine
from backends.hf.model import load_pipeline, saved_template
from backends.hf.saved import SavedModelError, read_saved
from backends.llama.diagnosis import load_error
from backends.llama.header import read_header
from backends.llama.model import SAMPLING_METADATA
from backends.local import template
from backends.local.base import file_hash
from backends.local.chat import LocalChat
from backends.local.installing import failure
from backends.models.memory import estimate
from backends.models.size import parameters_in_name
from backends.vision import CANNOT_SEE
from settings import DEFAULT_MODEL, EnvironmentSettings, Settings, display_model, install_hint

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class BackendSettings(EnvironmentSettings):
    """The variables of this backend alone."""

    model_config = SettingsConfigDict(env_prefix="GPT2_")

    model: str = Field(str(DEFAULT_MODEL), description="a model folder, a GGUF file or a Hugging Face hub name")
    adapter: Path | None = Field(None, description="a folder with a LoRA adapter of peft's for that model; unset: none")
    parallel: int = Field(8, ge=1, le=64, description="chats computed together, 1 to 64; more wait in line")
    quantize: Literal["none", "int8"] = Field(
        "none",
        description="int8: a GPT-2's matrices in 8 bits, faster on a CPU, with slightly other words; none: as saved",
    )


def availability_error(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if absent:
        return failure("gpt2") or install_hint(" and ".join(absent), "run `make install`", "BACKENDS=gpt2 (or all)")
    options = settings.group(BackendSettings)
    name = options.model
    if options.adapter is not None and (trouble := _adapter_error(options.adapter)):
        return trouble
    if trouble := template.template_error(settings):
        return trouble
    if Path(name).is_dir():
        folder = Path(name)
        weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
        if not (folder / "config.json").is_file() or not weights:
            return f"GPT2_MODEL={name} holds no config.json with weights: name a folder saved by save_pretrained"
        return None
    if name.lower().endswith(".gguf"):
        return _gguf_error(Path(name))
    if not HUB_NAME.fullmatch(name) or Path(name).parts[0] in {".", "..", "models"}:
        return f"GPT2_MODEL={name} is no folder: name a model folder or a Hugging Face hub name"
    return None


def _adapter_error(folder: Path) -> str | None:
    if find_spec("peft") is None:
        return install_hint("peft", "run `make install`", "BACKENDS=gpt2 (or all)")
    trouble = adapter.folder_error(folder)
    return f"GPT2_ADAPTER={folder} {trouble}" if trouble else None


def _gguf_error(path: Path) -> str | None:
    """Why a GGUF file cannot be computed by transformers, which knows a few architectures of them."""
    if find_spec("gguf") is None:
        return install_hint("gguf", "run `make install`", "BACKENDS=gpt2 (or all)")
    trouble = "is no file" if not path.is_file() else load_error(path)
    return f"GPT2_MODEL={path} {trouble}" if trouble else None


def is_default_model(settings: Settings) -> bool:
    """Whether this backend answers from the small model in models/default."""
    return Path(settings.group(BackendSettings).model).resolve() == DEFAULT_MODEL


def parameters(settings: Settings) -> int | None:
    """How many parameters the model has, by its folder or its name; None where neither tells."""
    name = settings.group(BackendSettings).model
    try:
        told = read_saved(Path(name)).parameters
    except (SavedModelError, OSError):
        told = 0
    return told or parameters_in_name(name)


def with_model(settings: Settings, path: Path) -> Settings:
    """The settings for another model than theirs, which their adapter is not for."""
    changed = {"model": str(path), "adapter": None}
    return settings.with_group(settings.group(BackendSettings).model_copy(update=changed))


def model_key(settings: Settings) -> str:
    """What the model of these settings is told from all others by."""
    options = settings.group(BackendSettings)
    adapted = f" + {options.adapter.resolve()}" if options.adapter else ""
    return f"gpt2 {Path(options.model).resolve() if Path(options.model).exists() else options.model}{adapted}"


def prepare(settings: Settings) -> None:
    """Load the libraries: what they take is no model's."""
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline  # noqa: F401


def needed_memory(settings: Settings) -> int:
    """Bytes that the model is expected to take; 0 where its folder is not here yet, or cannot be read."""
    options = settings.group(BackendSettings)
    try:
        found = estimate(Path(options.model), parallel=options.parallel, int8=options.quantize == "int8")
    except (OSError, ValueError):
        return 0
    return found.total


def is_shipped_model(settings: Settings) -> bool:
    """Whether this backend answers from a model that comes with this program."""
    return is_default_model(settings)


def names_model(settings: Settings) -> bool:
    """Whether somebody named the model."""
    return "model" in settings.group(BackendSettings).model_fields_set


def model_reason(settings: Settings) -> str:
    """Which model answers, and why that one."""
    if names_model(settings):
        return f"GPT2_MODEL names {display_model(settings.group(BackendSettings).model)}"
    return "the small model in models/default"


def _completion(options: BackendSettings) -> Callable[[Any], Any]:
    """What makes of the loaded weights the model that answers: how its replies are drawn, and its adapter."""
    path, folder = Path(options.model), options.adapter
    header = read_header(path) if path.is_file() else None

    def complete(model: Any) -> Any:
        if header is not None:  # transformers reads no sampling options of a GGUF
            saved = {name: header.metadata.get(f"general.sampling.{key}") for key, name in SAMPLING_METADATA.items()}
            model.generation_config.update(**{name: value for name, value in saved.items() if value is not None})
        if folder is None:
            return model
        names = [header.name, header.text("general.basename"), path.name] if header else [options.model]
        merged = adapter.merge(model, folder, names, (lambda: file_hash(path)) if header else None)
        merged.generation_config.update(**adapter.saved_generation(folder))
        return merged

    return complete


def _saved_template(options: BackendSettings, tokenizer: Any) -> str | None:
    """The chat template saved with the adapter, else with the model: of a GGUF transformers passes over some."""
    path = Path(options.model)
    adapted = adapter.saved_template(options.adapter) if options.adapter else None
    written = read_header(path).text("tokenizer.chat_template") if path.is_file() else ""
    return adapted or written or saved_template(tokenizer)


def vision_error(settings: Settings) -> str:
    """Why the model sees no pictures, with the remedy."""
    name = display_model(settings.group(BackendSettings).model)
    return CANNOT_SEE.format(f"gpt2 ({name})")


def build(settings: Settings) -> LocalChat:
    """The chat model over the loaded pipeline. Raises ModelNotFoundError, ModelAPIError."""
    options = settings.group(BackendSettings)
    reason = availability_error(settings)
    if reason:
        raise ModelNotFoundError(f"gpt2: {reason}")
    pipeline = load_pipeline(options.model, _completion(options))
    chat_template = template.choose_template(settings, _saved_template(options, pipeline.tokenizer), options.model)
    engine = TransformersEngine(pipeline, options.parallel, int8=options.quantize == "int8")
    return LocalChat(
        engine=engine, template=chat_template, model=display_model(options.model), **settings.sampling_options()
    )
