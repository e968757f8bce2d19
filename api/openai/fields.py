"""The fields of a request by what becomes of them: one table for chat, completions and responses alike.

A field that does something is declared in its request's model. Of the others some are taken, since no answer depends
on them, and some are refused, unless their value asks for nothing; whatever is left is ignored and named. Knows names
and values; no route.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from api.http.refused import NoEffect, Refused, Table

# OpenAI's own fields.
OPENAI: Table = {
    # Who asks, how it is kept, how it is computed (a prediction brings the same text sooner), and calls of no tool.
    **dict.fromkeys(
        (
            *("max_tool_calls", "metadata", "parallel_tool_calls", "prediction", "prompt_cache_key"),
            *("prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "user"),
        ),
        NoEffect(),
    ),
    # Another form of the answer, or more than its text.
    "audio": Refused(),
    "background": Refused((False,)),
    "best_of": Refused((1,)),
    "echo": Refused((False,)),
    "logprobs": Refused((False,)),
    "modalities": Refused((["text"],)),
    "n": Refused((1,)),
    "top_logprobs": Refused((0,)),
    # Tools.
    "function_call": Refused(("none", "auto")),
    "functions": Refused(),
    "tool_choice": Refused(("none", "auto")),
    "tools": Refused(),
    "web_search_options": Refused(empty_asks=True),
    # Another text, prompt or model.
    "context_management": Refused(),
    "conversation": Refused(),
    "logit_bias": Refused(),
    "prompt": Refused(),
    "reasoning": Refused(({"effort": "none"}, {"enabled": False}, {"exclude": True})),
    "reasoning_effort": Refused(("none",)),
    "suffix": Refused(),
}
# Those of vLLM, SGLang, llama-server, Ollama, LM Studio, DeepSeek and OpenRouter.
OTHERS: Table = {
    **dict.fromkeys(
        (
            *("cache_prompt", "cache_salt", "client_metadata", "id_slot", "keep_alive", "priority", "request_id"),
            *("session_id", "ttl", "usage"),
            *("include_reasoning", "reasoning_format", "separate_reasoning", "stream_reasoning"),  # a form, not a text
            "reasoning_control",  # each stream can be told to answer now
            *("add_generation_prompt", "continue_final_message"),  # a last message of the assistant is gone on with
        ),
        NoEffect(),
    ),
    # Another form of the answer, or more than its text.
    "include_stop_str_in_output": Refused((False,)),
    "n_probs": Refused((0,)),
    "prompt_logprobs": Refused((False,)),
    "return_token_ids": Refused((False,)),
    "return_tokens": Refused((False,)),
    "return_tokens_as_token_ids": Refused((False,)),
    "skip_special_tokens": Refused((True,)),
    # A text of a form, by other names than those that are used.
    "format": Refused(),
    "structural_tag": Refused(),
    # Thinking, where no field that is used says it.
    "enable_thinking": Refused((False,)),
    "reasoning_budget": Refused((-1,)),
    "think": Refused((False,)),
    "thinking": Refused((False, {"type": "disabled"})),
    "thinking_budget": Refused((-1,)),
    "thinking_budget_tokens": Refused((-1,)),
    "thinking_token_budget": Refused((-1,)),
    # Which tokens are drawn.
    "allowed_token_ids": Refused(),
    "bad_words": Refused(),
    "dry_multiplier": Refused((0,)),
    "dynatemp_range": Refused((0,)),
    "early_stopping": Refused((False,)),
    "length_penalty": Refused((1,)),
    "logits_processors": Refused(),
    "min_tokens": Refused((0,)),
    "mirostat": Refused((0,)),
    "stop_token_ids": Refused(),
    "tfs_z": Refused((1,)),
    "top_a": Refused((0,)),
    "top_n_sigma": Refused((-1,)),
    "typical_p": Refused((1,)),
    "use_beam_search": Refused((False,)),
    "xtc_probability": Refused((0,)),
    # Another prompt, or another model.
    "chat_template": Refused(),
    "documents": Refused(),
    "lora": Refused(),
    "plugins": Refused(),
    "truncate_prompt_tokens": Refused(),
}
TABLE: Table = {**OPENAI, **OTHERS}


def markdown(models: Mapping[str, type[BaseModel]]) -> str:
    """The table as docs/api.md has it: what becomes of each field, for these requests by the name of their route."""
    rows = [("used", _used(models)), ("taken, without effect", _names(NoEffect)), ("refused by name", _names(Refused))]
    lines = [f"| {becomes} | {', '.join(names)} |" for becomes, names in rows]
    return "\n".join(["| what becomes of it | fields |", "|---|---|", *lines])


def _used(models: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    for name in sorted({name for model in models.values() for name in model.model_fields}):
        routes = [route for route, model in models.items() if name in model.model_fields]
        yield f"`{name}`" + ("" if len(routes) == len(models) else f" ({', '.join(routes)})")


def _names(kind: type) -> Sequence[str]:
    found = [(name, field) for name, field in sorted(TABLE.items()) if isinstance(field, kind)]
    return [
        f"`{name}`" + (f" ({_neutral(field)})" if isinstance(field, Refused) and field.neutral else "")
        for name, field in found
    ]


def _neutral(field: Refused) -> str:
    return " or ".join(f"`{json.dumps(value)}`" for value in field.neutral)
