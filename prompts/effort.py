"""The names of how much a model is asked to think. Knows no model, nor which of them one knows."""

from typing import Literal, get_args

OFF, ON = "none", "on"  # does not think; thinks as much as it likes to
Effort = Literal["none", "on", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: tuple[str, ...] = get_args(Effort)
LEVELS = tuple(effort for effort in EFFORTS if effort not in (OFF, ON))
USUAL_LEVELS = ("low", "medium", "high")  # those of whoever names none
