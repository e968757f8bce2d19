"""How many tokens a server says that a request took: the largest figures it tells hold, however often it tells them.

Some tell running totals in each chunk, some tell the same twice, some tell nothing by zeros or by words. Knows figures
and where servers put them; nothing of text.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST = 2**31 - 1  # what a column of the database holds: whoever tells more tells nothing
# Our names, which are OpenAI's, and those of others: Anthropic's and the Responses API's.
NAMES = {
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
}
DETAILS = {
    "prompt_tokens_details": ("cached_tokens", "audio_tokens", "cache_write_tokens"),
    "completion_tokens_details": ("reasoning_tokens", "audio_tokens"),
}
# Beside the figures, where others put what they had of the prompt: DeepSeek, Moonshot, and Claude's models by OpenAI's
# names. By its own names Claude's prompt is told without them.
BESIDE = {
    "cached_tokens": ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_creation_input_tokens",),
}


class TokenUsage:
    """The figures told so far."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._details: dict[str, dict[str, int]] = {name: {} for name in DETAILS}

    def observe(self, row: Mapping[str, Any]) -> None:
        """Take what a row tells, wherever it stands in it; what is no count is passed over."""
        for told in _told(row):
            for name, names in NAMES.items():
                _raise_to(self._counts, name, *(told.get(each) for each in names))
            for name, fields in DETAILS.items():
                details = told.get(name)
                if isinstance(details, dict):
                    for field in fields:
                        _raise_to(self._details[name], field, details.get(field))
            for field, names in BESIDE.items() if "prompt_tokens" in told else ():
                _raise_to(self._details["prompt_tokens_details"], field, *(told.get(each) for each in names))

    def as_dict(self) -> dict[str, Any] | None:
        """The figures in OpenAI's form, 0 where one is not told; None where neither prompt nor reply is."""
        prompt, completion = (self._counts.get(name, 0) for name in ("prompt_tokens", "completion_tokens"))
        total = self._counts.get("total_tokens", 0)
        if prompt and not completion:
            completion = max(0, total - prompt)
        elif completion and not prompt:
            prompt = max(0, total - completion)
        if not (prompt or completion):
            return None
        details = {name: told for name, told in self._details.items() if told}
        total = max(total, prompt + completion)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **details}


def read_count(value: Any) -> int | None:
    """A number of tokens, also where it is told as a text or with a fraction of nothing; None for what is none."""
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not math.isfinite(value) or value != int(value) or not 0 < value <= LARGEST:
        return None
    return int(value)


def _told(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects in a row that tell usage: OpenAI's, Groq's, and Moonshot's, which stands in the choice."""
    choices = row.get("choices")
    holders = [row, row.get("x_groq"), *(choices if isinstance(choices, list) else ())]
    for holder in holders:
        told = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(told, dict):
            yield told


def _raise_to(counts: dict[str, int], name: str, *values: Any) -> None:
    for value in values:
        count = read_count(value)
        if count is not None:
            counts[name] = max(count, counts.get(name, 0))
