"""The fields of a request by what becomes of them: one table for chat, completions and responses alike.

A field that does something is declared in its request's model. Of the others some are taken, since no answer depends
on them, and some are refused, unless their value asks for nothing; whatever is left is ignored and named. Knows names
and values; no route.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class NoEffect:
    """A field that is taken, whatever it holds: no answer depends on it."""


@dataclass(frozen=True, eq=False)  # typing takes equal ones for the same, and 0 equals False
class Refused:
    """A field that asks for what nothing here does; `neutral` are the values that ask for nothing, beside the empty.

    `empty_asks`: an empty one asks for something, too. It is also an annotation of a field that is declared.
    """

    neutral: tuple[Any, ...] = ()
    empty_asks: bool = False

    @property
    def allowed(self) -> tuple[Any, ...]:
        """Every value that is taken."""
        return (*((None,) if self.empty_asks else NOTHING), *self.neutral)

    @property
    def remedy(self) -> str:
        """What is wrong with any other value, and what to send instead."""
        values = " or ".join(json.dumps(value) for value in (self.neutral or (None,)))
        return f"This server cannot do that. Leave it out, or send {values}."

    def accepts(self, value: Any) -> bool:
        """Whether a value of JSON asks for nothing."""
        return any(_equal(value, allowed) for allowed in self.allowed)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.json_schema()

    def json_schema(self) -> JsonSchemaValue:
        """The JSON Schema of what is taken; an object of nulls alone is as an empty one."""
        values: JsonSchemaValue = {"enum": list(self.allowed)}
        nulls = {"type": "object", "additionalProperties": {"type": "null"}}
        return values if self.empty_asks else {"anyOf": [values, nulls]}

    def _check(self, value: Any) -> Any:
        if not self.accepts(value):
            raise PydanticCustomError("unsupported_parameter", "{remedy}", {"remedy": self.remedy})
        return value


Unsupported = Annotated[Any, Refused()]

Table = Mapping[str, NoEffect | Refused]
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


def is_empty(value: Any) -> bool:
    """Whether a value of JSON is null or empty; false and 0 are neither."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def _equal(value: Any, allowed: Any) -> bool:
    """Whether two values of JSON are the same: 1 and 1.0 are, 0 and false are not, and null in an object is nothing."""
    if isinstance(value, dict) and isinstance(allowed, dict):
        value = {name: part for name, part in value.items() if part is not None}
    return isinstance(value, bool) == isinstance(allowed, bool) and bool(value == allowed)


def add_schemas(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Complete the JSON Schema of a request by OpenAI's fields of the table, and by empty values for its own.

    Pydantic's `json_schema_extra`.
    """
    properties = schema["properties"]
    for name in properties.keys() - set(schema.get("required", ())) - getattr(model, "asks_when_empty", frozenset()):
        properties[name] = _or_empty(properties[name])
    for name, field in OPENAI.items():
        if name not in model.model_fields:
            properties[name] = (
                {"description": "no answer depends on it"}
                if isinstance(field, NoEffect)
                else {"description": "refused for any other value", **field.json_schema()}
            )


def _or_empty(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field that may be null or empty as well."""
    notes: dict[str, Any] = {name: schema[name] for name in ("default", "description", "title") if name in schema}
    rest = {name: value for name, value in schema.items() if name not in notes}
    kinds = [kind for kind in rest.get("anyOf", [rest]) if kind != {"type": "null"}]
    return {"anyOf": [*kinds, {"enum": list(NOTHING)}], **notes}


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
