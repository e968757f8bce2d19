"""A request for a message as Anthropic's clients send it, and what becomes of each of its fields. Knows no route."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from api.anthropic.blocks import ImageBlock, TextBlock, ToolResultBlock
from api.anthropic.errors import THREAD
from api.anthropic.message import InputMessage
from api.anthropic.reading import needs_reading
from api.anthropic.thinking import Thinking, ThinkingEnabled, is_told, thinking_options
from api.anthropic.tools import AnyTool, ToolChoice, tool_options
from api.http.open_model import OpenModel, OpenRequest, add_schemas
from api.http.refused import NoEffect, Refused, Table
from api.http.sampling import SamplingParams, StopString
from api.http.state import DEFAULT
from documents.pictures.prepare import check_count
from documents.pictures.settings import PictureSettings

TABLE: Table = {
    # Who asks, what it may cost, and what a server may keep of the prompt.
    **dict.fromkeys(
        ("cache_control", "inference_geo", "metadata", "service_tier", "speed", "user_profile_id"), NoEffect()
    ),
    # What only Anthropic's servers do.
    "container": Refused(),
    "mcp_servers": Refused(),
    THREAD: Refused(),
}
FORM_NAME = "output"  # a schema has to have a name where a server is asked


class JsonSchemaFormat(OpenModel):
    """A schema that the reply is held to."""

    type: Literal["json_schema"]
    form: dict[str, Any] = Field(alias="schema")

    def option(self) -> dict[str, Any]:
        """The form as the chain has it."""
        return {"type": "json_schema", "json_schema": {"name": FORM_NAME, "strict": True, "schema": self.form}}


class OutputConfig(OpenModel):
    """How much effort a model takes, and the form of its reply."""

    effort: str | None = Field(None, max_length=20, description="how much a model thinks, where it is to think")
    format: JsonSchemaFormat | None = None


class PromptRequest(OpenRequest):
    """What the tokens of a prompt are counted of."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)

    table: ClassVar[Table] = TABLE
    documented: ClassVar[Table] = TABLE

    model: str = Field(DEFAULT, max_length=200, description="a name of /v1/models")
    messages: list[InputMessage] = Field(min_length=1)
    system: str | list[TextBlock] | None = None
    tools: Annotated[list[AnyTool], Field(max_length=512)] | None = Field(
        None, description="tools that the model may call, and the client carries out"
    )
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = Field(None, description="unset: the model does not think")
    output_config: OutputConfig | None = None
    output_format: JsonSchemaFormat | None = Field(None, description="the same as output_config.format, after it")

    def blocks(self) -> Iterator[Any]:
        """Every block of every message, those within results too."""
        for block in (block for turn in self.messages if isinstance(turn.content, list) for block in turn.content):
            yield block
            if isinstance(block, ToolResultBlock) and isinstance(block.content, list):
                yield from block.content

    @property
    def pictures(self) -> list[str]:
        """The addresses of all pictures. Raises PictureError for too many."""
        found = [block.address for block in self.blocks() if isinstance(block, ImageBlock)]
        if found:
            check_count(len(found), PictureSettings.read())
        return found

    @property
    def needs_reading(self) -> bool:
        """Whether a block of it holds more than what stands in it."""
        return any(map(needs_reading, self.blocks()))

    @property
    def effort(self) -> str | None:
        """The effort that the client names."""
        return self.output_config.effort if self.output_config else None

    def prompt_options(self, computes_here: bool) -> dict[str, Any]:
        """The chain's options that change the prompt. Raises ApiError 400."""
        thinking = thinking_options(self.thinking, self.effort, computes_here)
        return {**thinking, **tool_options(self.tools, self.tool_choice)}


class MessageRequest(SamplingParams, PromptRequest):
    """A conversation to answer; a last message that is the assistant's is continued."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=add_schemas)

    max_tokens: int = Field(ge=1, le=2**31 - 1, description="the longest reply in tokens, what is thought among them")
    stream: bool | None = Field(None, description="send the reply as it comes, as server-sent events")
    stop_sequences: Annotated[list[StopString], Field(max_length=64)] | None = Field(
        None, description="texts that end the reply; they are not part of it"
    )

    def ignored_fields(self) -> Iterator[str]:
        """The fields that were sent and do nothing."""
        yield from super().ignored_fields()
        if self.effort and not is_told(self.thinking):
            yield "output_config.effort"

    def unused_budget(self, computes_here: bool) -> bool:
        """Whether a number of tokens is named that a server cannot be told."""
        return isinstance(self.thinking, ThinkingEnabled) and bool(self.thinking.budget_tokens) and not computes_here

    def chain_options(self, computes_here: bool) -> dict[str, Any]:
        """The options by the chain's names. Raises ApiError 400."""
        options = {**self.options(), **self.prompt_options(computes_here)}
        if stop := [*(options.get("stop") or ()), *(self.stop_sequences or ())]:
            options["stop"] = stop
        form = self.output_config.format if self.output_config and self.output_config.format else self.output_format
        return {**options, "response_format": form.option()} if form else options
