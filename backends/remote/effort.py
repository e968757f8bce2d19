"""How a server is told how much its model is to think: by OpenAI's name for that, or by variables of the chat template.

Servers that render the model's own template take both, and turn thinking on and off by its variables alone. Knows
server software by its name; nothing of connections.
"""

from typing import Any, Literal

from langchain_core.exceptions import ModelInvalidRequestError

from prompts.effort import LEVELS, OFF, ON, USUAL_LEVELS

Way = Literal["reasoning_effort", "chat_template_kwargs", "no"]
TEMPLATES = ("llama-server", "vllm", "sglang")  # software that renders the model's own template


def choose_way(way: Way | None, software: str) -> Way:
    """The way that is set, else the one that the server's software takes."""
    return way or ("chat_template_kwargs" if software in TEMPLATES else "reasoning_effort")


def efforts_by(way: Way) -> tuple[str, ...]:
    """What can be told by a way."""
    if way == "no":
        return ()
    return (OFF, *USUAL_LEVELS) if way == "reasoning_effort" else (OFF, ON, *USUAL_LEVELS)


def prepare(payload: dict[str, Any], way: Way) -> None:
    """Have a request tell its `reasoning_effort` in this way. Raises ModelInvalidRequestError where not.

    One that goes on with a message of the assistant is left as it is: it has thought.
    """
    effort, messages = payload.get("reasoning_effort"), payload.get("messages")
    if effort is None or not messages or messages[-1].get("role") == "assistant":
        return
    if way == "no":
        raise ModelInvalidRequestError(
            f"reasoning_effort={effort}: the server is not told how much to think (OPENAI_THINKING=no). Leave it out."
        )
    if way == "chat_template_kwargs":
        body = payload.get("extra_body", {})
        payload["extra_body"] = {**body, "chat_template_kwargs": _variables(effort) | _given(body)}
    if effort == ON or (way == "chat_template_kwargs" and effort not in LEVELS):
        del payload["reasoning_effort"]


def _variables(effort: str) -> dict[str, Any]:
    """The names of Qwen3 and SmolLM3, of DeepSeek, and of gpt-oss."""
    told: dict[str, Any] = dict.fromkeys(("enable_thinking", "thinking"), effort != OFF)
    return {**told, "reasoning_effort": effort} if effort in LEVELS else told


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return body.get("chat_template_kwargs") or {}
