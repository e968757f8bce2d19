"""The fields of both requests for text: the model, the reply's form, thinking, and how the answer is sent.

Knows no route.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, ConfigDict, Field

from api.http.open_model import OpenRequest, add_schemas
from api.http.refused import NoEffect, Refused, Table
from api.ollama.options import Options
from backends import effort

Name = Annotated[str, Field(min_length=1, max_length=300, description="a name of /api/tags, with :latest or without")]
DURATION = r"^-?([0-9]+|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+)$"
KeepAlive = Annotated[float | Annotated[str, Field(pattern=DURATION, max_length=50)] | None, Field()]
# Older clients say `name`.
NAMED: Any = Field(validation_alias=AliasChoices("model", "name"))
KEPT = "taken, and changes nothing: MODELS_IDLE says how long a model stays"
TABLE: Table = {
    **dict.fromkeys(("shift", "debug_render_only"), NoEffect()),
    "adapters": Refused(),
    "logprobs": Refused((False,)),
    "top_logprobs": Refused((0,)),
    "width": Refused((0,)),
    "height": Refused((0,)),
    "steps": Refused((0,)),
}


class TextRequest(OpenRequest):
    """What both requests for text have."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)
    table: ClassVar[Table] = TABLE
    documented: ClassVar[Table] = TABLE

    model: Name
    stream: bool | None = Field(None, description="false: the answer comes whole; unset: line by line")
    format: Literal["json"] | dict[str, Any] | None = Field(
        None, description="json, or a JSON Schema that the reply is held to"
    )
    sampling: Options = Field(Options(), alias="options", description="how a reply is sampled, and how long it may be")
    think: bool | Literal["low", "medium", "high", "max"] | None = Field(
        None, description="whether a model thinks before it answers, or how much; one that cannot refuses true"
    )
    keep_alive: KeepAlive = Field(None, description=KEPT)
    truncate: bool | None = Field(
        None, description="false: a chat that is too long is refused; else it loses its oldest turns"
    )

    @property
    def is_streamed(self) -> bool:
        """Whether the answer comes line by line."""
        return self.stream is not False

    @property
    def truncates(self) -> bool:
        """Whether a chat that is too long loses its oldest turns."""
        return self.truncate is not False

    def options(self) -> dict[str, Any]:
        """The options by the chain's names."""
        found = self.sampling.options()
        if self.format == "json":
            found["response_format"] = {"type": "json_object"}
        elif isinstance(self.format, dict):
            found["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": self.format}}
        if self.think is not None:
            found["reasoning_effort"] = (
                self.think if isinstance(self.think, str) else effort.ON if self.think else effort.OFF
            )
        return found
