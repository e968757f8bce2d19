"""How much a model is asked to think: which of the names a model knows, and how each is told.

Knows what chat models say of themselves; no backend by name.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel

from prompts.effort import EFFORTS as EFFORTS
from prompts.effort import OFF as OFF
from prompts.effort import ON as ON
from prompts.effort import USUAL_LEVELS as USUAL_LEVELS
from prompts.effort import Effort as Effort


@runtime_checkable
class SteeredModel(Protocol):
    """A model of ours, whose call argument is `reasoning_effort`, whatever its template or its server calls that."""

    def thinking_efforts(self, model: str | None = None) -> tuple[str, ...]:
        """The efforts that the model knows, or another one of its server; none where it thinks not, or as it likes."""


def known_efforts(model: BaseChatModel | None, name: str | None = None) -> tuple[str, ...]:
    """The efforts that a model knows; `name` is that of another one at its server. None of one that is not loaded."""
    if isinstance(model, SteeredModel):
        return model.thinking_efforts(name)
    if model is None or _argument(model) is None or (model.profile or {}).get("reasoning_output") is False:
        return ()
    return OFF, *USUAL_LEVELS


def call_options(model: BaseChatModel, effort: str) -> dict[str, Any] | None:
    """The call arguments that tell a model how much to think; None where no way is known."""
    name = "reasoning_effort" if isinstance(model, SteeredModel) else _argument(model)
    if name is None:
        return None
    if name == "reasoning_effort":
        return {name: effort}
    if _takes_flag(model):  # as LangChain's class for Ollama
        return {name: {OFF: False, ON: True}.get(effort, effort)}
    return {name: {"effort": effort}}


def describe(efforts: Sequence[str]) -> str:
    """The efforts as people write them."""
    return ", ".join("off" if effort == OFF else effort for effort in efforts)


def _argument(model: BaseChatModel) -> str | None:
    """The call argument of a provider's own class, by its fields."""
    known = type(model).model_fields
    return next((name for name in ("reasoning_effort", "reasoning") if name in known), None)


def _takes_flag(model: BaseChatModel) -> bool:
    return "bool" in str(type(model).model_fields["reasoning"].annotation)
