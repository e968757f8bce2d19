"""A GPT-2 (or any causal language model) of Hugging Face's, in this process, through a text-generation pipeline.

Knows tokens and weights; nothing of messages. torch and transformers are imported when the model is built.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from langchain_core.exceptions import ModelNotFoundError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.hf.engine import TransformersEngine
from backends.hf.model import load_pipeline, saved_template
from backends.hf.saved import SavedModelError, read_saved
from backends.local import template
from backends.local.chat import LocalChat
from backends.local.installing import failure
from backends.models.memory import estimate
from backends.models.size import parameters_in_name
from settings import DEFAULT_MODEL, EnvironmentSettings, Settings, display_model, install_hint

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class BackendSettings(EnvironmentSettings):
    """The variables of this backend alone."""

    model_config = SettingsConfigDict(env_prefix="GPT2_")

    model: str = Field(str(DEFAULT_MODEL), description="a model folder or a Hugging Face hub name")
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
    name = settings.group(BackendSettings).model
    if trouble := template.template_error(settings):
        return trouble
    if Path(name).is_dir():
        folder = Path(name)
        weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
        if not (folder / "config.json").is_file() or not weights:
            return f"GPT2_MODEL={name} holds no config.json with weights: name a folder saved by save_pretrained"
        return None
    if name.lower().endswith(".gguf"):
        return f"GPT2_MODEL={name} is a GGUF file: set LLM_BACKEND=llamacpp and LLAMACPP_MODEL={name}"
    if not HUB_NAME.fullmatch(name) or Path(name).parts[0] in {".", "..", "models"}:
        return f"GPT2_MODEL={name} is no folder: name a model folder or a Hugging Face hub name"
    return None


def is_default_model(settings: Settings) -> bool:
    """Whether this backend answers from the small model that ships."""
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
    """The settings for another model than theirs."""
    return settings.with_group(settings.group(BackendSettings).model_copy(update={"model": str(path)}))


def model_key(settings: Settings) -> str:
    """What the model of these settings is told from all others by."""
    name = settings.group(BackendSettings).model
    return f"gpt2 {Path(name).resolve() if Path(name).is_dir() else name}"


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


def build(settings: Settings) -> LocalChat:
    """The chat model over the loaded pipeline. Raises ModelNotFoundError, ModelAPIError."""
    options = settings.group(BackendSettings)
    reason = availability_error(settings)
    if reason:
        raise ModelNotFoundError(f"gpt2: {reason}")
    pipeline = load_pipeline(options.model)
    chat_template = template.choose_template(settings, saved_template(pipeline.tokenizer), options.model)
    engine = TransformersEngine(pipeline, options.parallel, int8=options.quantize == "int8")
    return LocalChat(
        engine=engine, template=chat_template, model=display_model(options.model), **settings.sampling_options()
    )
