"""How tokens of a reply are drawn: the options, what they may be, and those that were saved with a model.

Knows numbers and their names; nothing of how a token is computed or drawn.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from langchain_core.exceptions import ModelInvalidRequestError

log = logging.getLogger(__name__)
REST_OF_WINDOW = -1  # max_tokens of a reply that may use all that the prompt leaves of the window
RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "repetition_penalty": (0, 2),
    "min_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
EXCLUSIVE = ("top_p", "repetition_penalty")  # the least value itself means nothing
INTEGER_RANGES = {
    "top_k": (0, 2**31 - 1),
    "repeat_last_n": (-1, 2**31 - 1),
    "seed": (-(2**63), 2**63 - 1),
    "max_tokens": (1, 2**31 - 1),
}
OPTIONAL = ("seed", "repeat_last_n")  # may be None
WHOLE_WINDOW = -1  # `repeat_last_n` of a penalty for all tokens of the prompt and the reply
# What a saved value of 0 or less stands for: the option does nothing. Without a temperature the likeliest is taken.
OFF: dict[str, float | int] = {"temperature": 0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class UnsupportedOptionError(ModelInvalidRequestError):
    """A call has an `option` that the model cannot follow."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True)
class Sampling:
    """How to sample tokens; these defaults are for what nobody set and was not saved with the model.

    `min_p` leaves out tokens with less than this share of the likeliest one's probability. The penalties are for tokens
    of this reply: `frequency_penalty` is taken from a logit for each time the token was drawn, `presence_penalty` once,
    and `repetition_penalty` divides it. `repeat_last_n` has that last one look at so many tokens before the next, those
    of the prompt too, or at all of them (-1). `ignore_eos`: tokens that end a reply are never drawn. Raises
    ModelInvalidRequestError.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 50
    repetition_penalty: float = 1.0
    repeat_last_n: int | None = None
    seed: int | None = None
    max_tokens: int = 256
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in {**RANGES, **INTEGER_RANGES}.items():
            value = getattr(self, name)
            kind, allowed = ("whole number", int) if name in INTEGER_RANGES else ("number", int | float)
            number = isinstance(value, allowed) and not isinstance(value, bool)
            fits = number and least <= value <= most and not (name in EXCLUSIVE and value == least)
            if not fits and not (name in OPTIONAL and value is None):
                span = f"above {least} and up to {most}" if name in EXCLUSIVE else f"from {least} to {most}"
                raise ModelInvalidRequestError(f"{name}={value}: it must be a {kind} {span}.")


def read_saved(found: Mapping[str, object], model: str) -> dict[str, float | int]:
    """The options that were saved with a model, by the names of `Sampling`; those that mean nothing are left out.

    0 or less switches an option off. A penalty that was saved is for the whole window, as transformers has it, unless
    `repeat_last_n` was saved too.
    """
    saved = {name: number for name, value in found.items() if (number := _read_number(name, value, model)) is not None}
    if saved.get("repetition_penalty", 1.0) == 1.0 or saved.get("repeat_last_n") == 0:
        return {name: number for name, number in saved.items() if name not in ("repetition_penalty", "repeat_last_n")}
    return {**saved, "repeat_last_n": saved.get("repeat_last_n", WHOLE_WINDOW)}


def _read_number(name: str, value: object, model: str) -> float | int | None:
    """One saved option as a number that `Sampling` takes; None where there is none, or none that can be used."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        log.warning("%s was saved with %s=%s, which is no number: left out", model, name, value)
        return None
    if name in OFF and value <= 0:
        return OFF[name]
    number = int(value) if name in INTEGER_RANGES else float(f"{value:.6g}")  # a GGUF has 0.9 as 0.8999999762
    least, most = {**RANGES, **INTEGER_RANGES}[name]
    if not least <= number <= most:
        log.warning("%s was saved with %s=%s, from %s to %s is allowed: left out", model, name, number, least, most)
        return None
    return number
