"""The fields of every request for text: the model, how to sample, and how the answer is sent.

Three kinds of names: those that do something, those that clients send and no answer depends on (taken, ignored), and
those that ask for what no model here does (refused, unless they ask for nothing). Any other name is refused too.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from api.http.sampling import SamplingParams

DEFAULT = "default"  # the model that LLM_BACKEND names, or that was chosen by what is there
TokenCount = Annotated[int, Field(ge=1, le=2**31 - 1)]


@dataclass(frozen=True, eq=False)  # typing takes equal ones for the same, and 0 equals False
class UnsupportedExcept:
    """An annotation of a field that may hold null or these values, which ask for nothing."""

    values: tuple[Any, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": [None, *self.values]}

    def _check(self, value: Any) -> Any:
        allowed_values = [json.dumps(allowed) for allowed in (None, *self.values)]
        if json.dumps(value) not in allowed_values:
            raise PydanticCustomError(
                "unsupported_parameter",
                "This server cannot do that. Leave it out, or send {allowed}.",
                {"allowed": " or ".join(allowed_values)},
            )
        return value


Unsupported = Annotated[Any, UnsupportedExcept()]
UnsupportedFlag = Annotated[Any, UnsupportedExcept((False,))]
UnsupportedList = Annotated[Any, UnsupportedExcept(([],))]


class StreamOptions(BaseModel):
    """`include_usage` wants a last chunk with the tokens; `include_obfuscation` is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionRequest(SamplingParams):
    """A request for text, whatever its form."""

    model_config = ConfigDict(strict=True)

    model: str = Field(DEFAULT, max_length=200, description="a name of /v1/models")
    stream: bool | None = Field(None, description="send the text as it comes, as server-sent events")
    stream_options: StreamOptions | None = None

    metadata: dict[str, str] | None = Field(None, description="ignored")
    parallel_tool_calls: bool | None = Field(None, description="ignored")
    prompt_cache_key: str | None = Field(None, description="ignored")
    prompt_cache_retention: str | None = Field(None, description="ignored")
    safety_identifier: str | None = Field(None, description="ignored")
    service_tier: str | None = Field(None, description="ignored")
    user: str | None = Field(None, description="ignored")

    top_logprobs: Annotated[Any, UnsupportedExcept((0,))] = None
    tools: UnsupportedList = None

    @field_validator("*", mode="before")
    @classmethod
    def _parse_whole_number(cls, value: Any) -> Any:
        """Take 8.0 for a whole number, as JSON does."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


class MultiChoiceRequest(CompletionRequest):
    """A request for one or several answers to one prompt."""

    n: Annotated[int, Field(ge=1, le=8)] | None = Field(
        None, description="answers to one prompt, 1 unless given; with a seed they take seed, seed+1…"
    )
    logit_bias: Annotated[Any, UnsupportedExcept(({},))] = None
