"""Which of the texts that were asked for ended a reply, as far as a server tells it. Knows choices; no stream.

vLLM says it in `stop_reason`, SGLang in `matched_stop`, each a number where a token ended the reply; TGI and Claude
behind OpenRouter say that one did, and not which.
"""

from collections.abc import Mapping, Sequence
from typing import Any

KEY = "stop_sequence"  # in a reply's metadata, and in the last choice of our own form
NAMES = ("stop_reason", "matched_stop", KEY, "stopping_word")
REASONS = ("finish_reason", "native_finish_reason")
SOME = ""  # one of them, and nobody says which


def read(choice: Mapping[str, Any]) -> str | None:
    """The text that a choice says it ended with, or SOME; None where it says nothing of it."""
    told = next((text for name in NAMES if isinstance(text := choice.get(name), str) and text), None)
    return SOME if told is None and KEY in map(choice.get, REASONS) else told


def settle(metadata: dict[str, Any] | None, asked: Sequence[str] | None) -> None:
    """Leave in a reply's metadata a text that was asked for, and no other: some tell the end's reason by that name."""
    if metadata is None or KEY not in metadata:
        return
    told = metadata.pop(KEY)
    if asked and told == SOME and len(asked) == 1:
        told = asked[0]
    if asked and told in asked:
        metadata[KEY] = told
