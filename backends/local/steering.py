"""What a call's options say of thinking: how much by the template, how many tokens, and who may end it.

Knows the names of options; nothing of templates or tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from backends.local.sampling import UnsupportedOptionError
from backends.local.template import ChatTemplate
from backends.thinking.control import ThinkingControl
from prompts.effort import OFF, ON

UNLIMITED = -1  # as llama-server has it


class Steering(NamedTuple):
    """A reply thinks `budget` tokens at most, None for as many as it likes; `control` may end that before.

    `variables` are those of the chat template.
    """

    variables: dict[str, Any]
    budget: int | None = None
    control: ThinkingControl | None = None


def take(options: dict[str, Any], template: ChatTemplate, efforts: Sequence[str], engine: str) -> Steering:
    """What the options of a call say, which are taken out of them. Raises UnsupportedOptionError.

    `efforts` are those that the model of this engine knows. One that is not to think has a budget of none: also where
    its template cannot tell it, and where it would begin all the same.
    """
    variables = dict(options.pop("chat_template_kwargs", None) or {})
    effort, control = options.pop("reasoning_effort", None), options.pop("thinking_control", None)
    budget = _budget(options.pop("reasoning_budget", None))
    if effort is None:
        return Steering(variables, budget, control)
    told = template.thinking_variables(effort)
    if told is None and effort == ON and efforts:  # it thinks by itself
        told = {}
    if told is None:
        raise UnsupportedOptionError("reasoning_effort", f"reasoning_effort={effort}: {_refusal(engine, efforts)}")
    return Steering({**told, **variables}, 0 if effort == OFF else budget, control)


def _refusal(engine: str, efforts: Sequence[str]) -> str:
    if efforts:
        return f"the model of {engine} knows {', '.join(efforts)} alone. Leave it out, or send one of these."
    return f"the model of {engine} does not think before it answers. Leave it out, or send {OFF}."


def _budget(value: object) -> int | None:
    if value is None or value == UNLIMITED:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnsupportedOptionError(
            "reasoning_budget", f"reasoning_budget={value}: it must be a number of tokens from 0 on, or -1 for no end."
        )
    return value
