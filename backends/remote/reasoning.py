"""What a request says of thinking: have it told apart, and here is what was thought before.

Knows server software by its name, and the fields that it has; nothing of answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from backends.remote.beginnings import BEGINNINGS

KEY = "reasoning_content"  # in LangChain's messages, and in those of the servers that read it
# Servers whose chat templates may read what was thought; others refuse a field that they do not know.
KNOWN = frozenset({"llama-server", "vllm", "sglang"})
APART: dict[str, dict[str, Any]] = {"llama-server": {"reasoning_format": "deepseek"}}
SHOWS_PROMPT = "vllm"  # which tells the prompt that its template wrote, where it is asked


def prepare(payload: dict[str, Any], messages: Sequence[BaseMessage], software: str, base_url: str) -> None:
    """Have the server of this software tell thinking apart, or show whether its prompt opens it."""
    fields = APART.get(software, {})
    if software == SHOWS_PROMPT and not BEGINNINGS.is_known(base_url, {**payload, **payload.get("extra_body", {})}):
        fields = {"return_prompt_text": True}
    if fields:
        payload["extra_body"] = {**fields, **payload.get("extra_body", {})}
    if software in KNOWN:
        _tell_thoughts(payload.get("messages", []), messages)


def is_told(messages: Sequence[BaseMessage]) -> bool:
    """Whether a message says what was thought before it."""
    return any(KEY in message.additional_kwargs for message in messages)


def _tell_thoughts(rows: Sequence[Any], messages: Sequence[BaseMessage]) -> None:
    """Put what was thought beside the texts; LangChain leaves it out."""
    if len(rows) != len(messages):
        return
    for row, message in zip(rows, messages, strict=True):
        thinking = message.additional_kwargs.get(KEY)
        if isinstance(row, dict) and row.get("role") == "assistant" and thinking:
            row[KEY] = thinking


def keep(message: BaseMessage, said: Any) -> None:
    """Put what the model thinks beside its text, where LangChain looks for it; langchain-openai drops it."""
    thinking = said.get(KEY) if isinstance(said, Mapping) else None
    if thinking:
        message.additional_kwargs[KEY] = thinking
