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

from backends.hf.engine import PipelineEngine
from backends.hf.model import load, own_template
from backends.local import template
from backends.local.chat import LocalChat
from settings import SHIPPED, Environment, Settings, missing, named

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Knobs(Environment):
    """What only this backend needs."""

    model_config = SettingsConfigDict(env_prefix="GPT2_")

    model: str = Field(str(SHIPPED), description="a model folder or a Hugging Face hub name")
    parallel: int = Field(8, ge=1, le=64, description="chats computed together, 1 to 64; more wait in line")
    quantize: Literal["none", "int8"] = Field(
        "none",
        description="int8: a GPT-2's matrices in 8 bits, faster on a CPU, with slightly other words; none: as saved",
    )


def unready(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if absent:
        return missing(" and ".join(absent), "run `make install`", "BACKENDS=gpt2 (or all)")
    name = Knobs.read().model
    if trouble := template.problem(settings):
        return trouble
    if Path(name).is_dir():
        folder = Path(name)
        weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
        if not (folder / "config.json").is_file() or not weights:
            return f"GPT2_MODEL={name} holds no config.json with weights: name a folder saved by save_pretrained"
        return None
    if not HUB_NAME.fullmatch(name) or Path(name).parts[0] in {".", "..", "models"}:
        return f"GPT2_MODEL={name} is no folder: name a model folder or a Hugging Face hub name"
    return None


def shipped() -> bool:
    """Whether this is the small model that ships."""
    return Path(Knobs.read().model).resolve() == SHIPPED


def build(settings: Settings) -> LocalChat:
    """Load the model. Raises ModelNotFoundError where there is none."""
    knobs = Knobs.read()
    reason = unready(settings)
    if reason:
        raise ModelNotFoundError(f"gpt2: {reason}")
    pipeline = load(knobs.model)
    chosen = template.choose(settings, own_template(pipeline.tokenizer), knobs.model)
    engine = PipelineEngine(pipeline, knobs.parallel, int8=knobs.quantize == "int8")
    engine.template, engine.template_origin = chosen
    return LocalChat(engine=engine, model=named(knobs.model), **settings.sampling())
