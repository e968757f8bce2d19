"""The fields of every request for text: the model, how to sample, and how the answer is sent. Knows no route.

What becomes of fields that are not declared here or in a route's own request stands in `fields.TABLE`. A value that is
null or empty asks for nothing, whatever its field; what is left over is ignored, and named in a header and in the log.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.http.body import json_body
from api.http.context import request_context
from api.http.errors import ApiError, error_responses
from api.http.sampling import SamplingParams
from api.http.sse import event_stream_response
from api.http.state import DEFAULT
from api.openai.fields import TABLE, Refused, add_schemas, is_empty
from api.openai.response_format import FormatParams

log = logging.getLogger(__name__)
NO_LIMIT = -1  # as llama-server and vLLM have it
IGNORED_HEADER = "x-ignored-fields"
MAX_HEADER = 500  # characters
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Body = TypeVar("Body", bound="OpenModel")


def _reject_zero(value: int) -> int:
    if value == 0:
        raise PydanticCustomError("greater_than_equal", "Input should be 1 or more, or -1 for no limit")
    return value


TokenCount = Annotated[
    int, Field(ge=NO_LIMIT, le=2**31 - 1, json_schema_extra={"not": {"const": 0}}), AfterValidator(_reject_zero)
]


class OpenModel(BaseModel):
    """A part of a request that may hold fields that nobody here knows."""

    model_config = ConfigDict(extra="allow", strict=True)

    def ignored_fields(self) -> Iterator[str]:
        """The fields that were sent and do nothing, those of the parts by their path, without numbers."""
        for name, value in (self.model_extra or {}).items():
            if not is_empty(value):
                yield name
        for name in type(self).model_fields:
            value = getattr(self, name)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, OpenModel):
                    yield from (f"{name}.{inner}" for inner in part.ignored_fields())


class StreamOptions(OpenModel):
    """`include_usage` wants a last chunk with the tokens."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = Field(None, description="no answer depends on it")


class CompletionRequest(SamplingParams, FormatParams, OpenModel):
    """A request for text, whatever its form."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)

    asks_when_empty: ClassVar[frozenset[str]] = frozenset()  # fields that say something by being empty

    model: str = Field(DEFAULT, max_length=200, description="a name of /v1/models")
    stream: bool | None = Field(None, description="send the text as it comes, as server-sent events")
    stream_options: StreamOptions | None = None
    max_tokens: TokenCount | None = Field(
        None, description="the longest reply in tokens; unset or -1: MAX_TOKENS, else what the prompt leaves"
    )
    max_completion_tokens: TokenCount | None = Field(None, description="the same as max_tokens, and goes before it")
    max_output_tokens: TokenCount | None = Field(None, description="the same as max_tokens, and goes before it")
    n_predict: TokenCount | None = Field(None, description="the same as max_tokens, after it")
    repeat_penalty: float | None = Field(None, gt=0, le=2, description="the same as repetition_penalty, after it")

    @model_validator(mode="before")
    @classmethod
    def _sort_out(cls, data: Any) -> Any:
        """Leave out what asks for nothing and what has no effect. Raises ApiError 400 for what cannot be done."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if cls._counts(name, value)}

    @classmethod
    def _counts(cls, name: str, value: Any) -> bool:
        """Whether a field is to be looked at."""
        if name in cls.model_fields:
            kept = name in cls.asks_when_empty or cls.model_fields[name].is_required()
            return kept or not is_empty(value)
        field = TABLE.get(name)
        if isinstance(field, Refused) and not field.accepts(value):
            raise ApiError(400, f"{name}: {field.remedy}", code="unsupported_parameter", param=name)
        return field is None and not is_empty(value)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def longest(self) -> int | None:
        """Tokens of the reply at most; None where the request sets no limit."""
        names = ("max_output_tokens", "max_completion_tokens", "max_tokens", "n_predict")
        wanted: int | None = next((value for name in names if (value := getattr(self, name)) is not None), None)
        return None if wanted == NO_LIMIT else wanted

    def options(self) -> dict[str, Any]:
        """The options by the chain's names; of several for one thing the first that is given."""
        options = {**super().options(), **self.format_options(), "max_tokens": self.longest}
        options.setdefault("repetition_penalty", self.repeat_penalty)
        if self.seed == -1:  # as vLLM and llama-server have it: a random one
            options.pop("seed")
        return {name: value for name, value in options.items() if value is not None}


class MultiChoiceRequest(CompletionRequest):
    """A request for one or several answers to one prompt."""

    n: Annotated[int, Field(ge=1, le=8)] | None = Field(
        None, description="answers to one prompt, 1 unless given; with a seed they take seed, seed+1…"
    )


def text_responses(*examples: str) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for text, whole or as a stream of events that look like these."""
    header = {"description": "fields of the request that did nothing", "schema": {"type": "string"}}
    success = {**event_stream_response(*examples)[200], "headers": {IGNORED_HEADER: header}}
    return {**error_responses(400, 404, 408, 413, 500, 502, 503, 504), 200: success}


def request_body(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads the body as `json_body` does, and tells the client which of its fields do nothing."""
    read = json_body(model)

    async def parse(request: Request) -> Body:
        body = await read(request)
        if ignored := format_names(body.ignored_fields()):
            request_context(request.scope).headers[IGNORED_HEADER] = ignored
            log.info("fields ignored", extra={"fields": ignored})
        return body

    return parse


def format_names(names: Iterable[str]) -> str:
    """Names for a header and the log, within MAX_HEADER characters; one that is no plain name is a question mark."""
    text = ""
    for shown in dict.fromkeys(name if PLAIN_NAME.fullmatch(name) else "?" for name in names):
        if len(text) + len(shown) + 2 > MAX_HEADER - len(", ..."):
            return f"{text}, ..."
        text = f"{text}, {shown}" if text else shown
    return text
