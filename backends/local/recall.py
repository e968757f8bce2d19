"""What was thought in earlier messages, as a chat template takes it: under its own name for it, or as a block.

Which it is, is tried on the template; whether it writes it there, as behind the last question alone, is its own affair.
Knows templates and rows of messages; nothing of tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from prompts.template import Message, render

THOUGHT = "reasoning_content"  # of a row, and where LangChain looks for it in a message's additional_kwargs
NAMES = (THOUGHT, "thinking", "reasoning")  # of most; of gpt-oss and LFM2.5; of Kimi K3, which knows the first as well
CONTENT = "content"  # of Ministral: a list of blocks, one of them of type thinking
PROBE, SAID = "probe_thought", "probe_said"
CALL = {"id": "probecall", "type": "function", "function": {"name": "probe_name"}}


class Recall:
    """Writes what was thought into rows for one template, which reads `variables` beside them."""

    def __init__(self, template: str, variables: Mapping[str, Any]) -> None:
        self._template, self._variables = template, dict(variables)

    def write(self, rows: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """The ways to write these rows, the fullest first, for a template that refuses one; the last is without it."""
        if self.name is not None:
            yield [self._own(row) for row in rows]
            if any(_thinks_and_says(row) for row in rows):  # gpt-oss' refuses both beside a call
                yield [self._own(_all_thought(row)) for row in rows]
        yield [_without(row) for row in rows]

    @cached_property
    def name(self) -> str | None:
        """The field under which the template looks for it, `content` where it looks for a block; None for none."""
        return next((name for name in (*NAMES, CONTENT) if any(map(_is_written, self._tries(name)))), None)

    def _own(self, row: Message) -> Message:
        if THOUGHT not in row:
            return row
        return _filled(_without(row), self.name or THOUGHT, row[THOUGHT])

    def _tries(self, name: str) -> Iterator[str]:
        """What the template writes of a message under this name: of the last one, and of one that calls a tool."""
        asked, said = {"role": "user", "content": "hi"}, {"role": "assistant", "content": SAID}
        yield self._try([asked, _filled(said, name, PROBE)], reply=False)
        kinds: tuple[Any, ...] = ({}, "{}")
        for arguments in kinds:
            call = {**CALL, "function": {"name": "probe_name", "arguments": arguments}}
            calling = _filled({"role": "assistant", "content": "", "tool_calls": [call]}, name, PROBE)
            result = {"role": "tool", "content": "probe_result", "name": "probe_name", "tool_call_id": "probecall"}
            yield self._try([asked, calling, result], reply=True)

    def _try(self, rows: Sequence[Message], reply: bool) -> str:
        """What the template writes; nothing where it refuses."""
        try:
            prompt = render(self._template, rows, (), reply=reply, **self._variables)
        except ValueError:
            return ""
        return "".join(segment.text for segment in prompt.segments)


def _is_written(text: str) -> bool:
    """Whether the thought is written, and not a list of blocks as Python or JSON has it."""
    return PROBE in text and "'thinking':" not in text and '"thinking":' not in text


def _filled(row: Message, name: str, thought: str) -> Message:
    if name != CONTENT:
        return {**row, name: thought}
    said = [{"type": "text", "text": row["content"]}] if row["content"] else []
    return {**row, CONTENT: [{"type": "thinking", "thinking": thought}, *said]}


def _without(row: Message) -> Message:
    return {name: value for name, value in row.items() if name != THOUGHT}


def _thinks_and_says(row: Message) -> bool:
    return bool(row.get(THOUGHT) and row.get("tool_calls") and row["content"])


def _all_thought(row: Message) -> Message:
    """A row that says nothing beside its calls: what it said stands at the end of what it thought."""
    return {**row, THOUGHT: f"{row[THOUGHT]}\n\n{row['content']}", "content": ""} if _thinks_and_says(row) else row
