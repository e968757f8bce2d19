"""What a chat template tells of a model: whether it thinks and calls tools. Knows templates; no file and no model."""

from collections.abc import Iterator

from backends.models.entry import Ability
from prompts.template import free_variables

THINKING_VARIABLES = {"enable_thinking", "thinking", "reasoning_effort", "thinking_budget"}
THINKING_MARKS = ("<think>", "</think>", "reasoning_content", "<|channel|>analysis", "[THINK]")


def read_template(template: str | None) -> frozenset[Ability]:
    """The abilities that a template is written for; none without one."""
    return frozenset(_abilities(template)) if template else frozenset()


def _abilities(template: str) -> Iterator[Ability]:
    yield Ability.CHAT
    known = free_variables(template)
    if "tools" in known:
        yield Ability.TOOLS
    if known & THINKING_VARIABLES or any(mark in template for mark in THINKING_MARKS):
        yield Ability.THINK
