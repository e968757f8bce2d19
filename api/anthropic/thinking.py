"""How much a model thinks, and whether the answer tells it, as Anthropic's clients say it. Knows fields; no route."""

import base64
import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field

from api.http.open_model import OpenModel
from backends import effort

Display = Literal["summarized", "omitted"]


class ThinkingEnabled(OpenModel):
    """The model thinks."""

    type: Literal["enabled"]
    budget_tokens: int | None = Field(
        None, ge=0, lt=2**31, description="tokens that a model of this machine may think, then it answers"
    )
    display: Display | None = Field(None, description="omitted: the answer has a block, and nothing in it")


class ThinkingAdaptive(OpenModel):
    """The model decides how much it thinks, or output_config.effort."""

    type: Literal["adaptive"]
    display: Display | None = None


class ThinkingBetweenTools(OpenModel):
    """The model may think; when, it decides here."""

    type: Literal["between_tools"]


class ThinkingDisabled(OpenModel):
    """The model does not think."""

    type: Literal["disabled"]


Adaptive = ThinkingAdaptive | ThinkingBetweenTools
Thinking = Annotated[ThinkingEnabled | Adaptive | ThinkingDisabled, Field(discriminator="type")]


def thinking_options(thinking: Any, wanted: str | None, computes_here: bool) -> dict[str, Any]:
    """The chain's options for it; `wanted` is an effort that the client names.

    Who does not ask for thinking gets none, as these clients expect: a model of this machine is told so, and what a
    server thinks all the same is not told.
    """
    if isinstance(thinking, ThinkingEnabled):
        budget = {"reasoning_budget": thinking.budget_tokens} if computes_here and thinking.budget_tokens else {}
        return {"reasoning_effort": wanted or effort.ON, **budget}
    if isinstance(thinking, Adaptive):
        return {"reasoning_effort": wanted} if wanted else {}
    return {"reasoning_effort": effort.OFF} if computes_here or thinking is not None else {}


def is_told(thinking: Any) -> bool:
    """Whether the answer has what was thought."""
    return isinstance(thinking, ThinkingEnabled | Adaptive)


def signature(text: str) -> str:
    """A digest of what was thought: clients send back only what has one. Nobody here checks it."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest()).decode()


def omits(thinking: Any) -> bool:
    """Whether what was thought is left out of its block."""
    return getattr(thinking, "display", None) == "omitted"
