"""The fields of every request for text: the model, how to sample, and how the answer is sent. Knows no route.

What becomes of fields that are not declared here or in a route's own request stands in `fields.TABLE`. A value that is
null or empty asks for nothing, whatever its field; what is left over is ignored, and named in a header and in the log.
"""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.http.errors import error_responses
from api.http.open_model import OpenModel, OpenRequest, add_schemas, stream_response
from api.http.refused import Table
from api.http.sampling import SamplingParams
from api.http.state import DEFAULT
from api.openai.fields import OPENAI, TABLE
from api.openai.response_format import FormatParams

NO_LIMIT = -1  # as llama-server and vLLM have it


def _reject_zero(value: int) -> int:
    if value == 0:
        raise PydanticCustomError("greater_than_equal", "Input should be 1 or more, or -1 for no limit")
    return value


TokenCount = Annotated[
    int, Field(ge=NO_LIMIT, le=2**31 - 1, json_schema_extra={"not": {"const": 0}}), AfterValidator(_reject_zero)
]


class StreamOptions(OpenModel):
    """`include_usage` wants a last chunk with the tokens."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = Field(None, description="no answer depends on it")


class CompletionRequest(SamplingParams, FormatParams, OpenRequest):
    """A request for text, whatever its form."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)

    table: ClassVar[Table] = TABLE
    documented: ClassVar[Table] = OPENAI

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
    return {**error_responses(400, 404, 408, 413, 500, 502, 503, 504), **stream_response(*examples)}
