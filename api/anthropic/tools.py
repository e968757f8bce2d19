"""Tools as Anthropic's clients offer them, by the names that the chain has for them. Knows no route."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.http.errors import ApiError
from api.http.open_model import OpenModel

# What tells a client's program, or a cache, about a tool.
OWN_FIELDS = frozenset({"allowed_callers", "cache_control", "defer_loading", "eager_input_streaming", "input_examples"})


def _reject_named_types(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for a tool whose schema only Anthropic's models know."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("", "custom"):
        text = f"{kind[:100]}: only tools with an input_schema are called here. Leave it out."
        raise PydanticCustomError("unsupported_parameter", "{text}", {"text": text})
    return value


class Tool(OpenModel):
    """A tool of the client's, which the client carries out."""

    type: Literal["custom"] | None = None
    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = Field(None, description="what of the schema cannot be held to is refused")

    def ignored_fields(self) -> Iterator[str]:
        """The fields that do nothing, but for those that clients and caches keep for themselves."""
        return (name for name in super().ignored_fields() if name not in OWN_FIELDS)

    def definition(self) -> dict[str, Any]:
        """The tool as the chain has it."""
        given = {"description": self.description, "strict": self.strict}
        told = {name: value for name, value in given.items() if value is not None}
        return {"type": "function", "function": {"name": self.name, **told, "parameters": self.input_schema}}


AnyTool = Annotated[Tool, BeforeValidator(_reject_named_types)]


class ToolChoice(OpenModel):
    """Whether the model has to call a tool, and which."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = Field(None, max_length=128, description="of the tool, where the type is tool")
    disable_parallel_tool_use: bool | None = Field(None, description="true: one call at most")

    def option(self) -> Any:
        """The choice as the chain has it. Raises ApiError 400 for a tool without a name."""
        if self.type != "tool":
            return {"any": "required"}.get(self.type, self.type)
        if not self.name:
            raise ApiError(400, "tool_choice.name: Field required", code="invalid_value", param="tool_choice.name")
        return {"type": "function", "function": {"name": self.name}}


def tool_options(tools: Sequence[Tool] | None, choice: ToolChoice | None) -> dict[str, Any]:
    """The chain's options for these tools. Raises ApiError 400 for a choice where there are none."""
    if not tools:
        if choice is not None and choice.type in ("any", "tool"):
            text = f"tool_choice: {choice.type} asks for a tool, and there are none. Send tools."
            raise ApiError(400, text, code="unsupported_parameter", param="tool_choice")
        return {}
    options: dict[str, Any] = {"tools": [tool.definition() for tool in tools]}
    if choice is not None:
        options["tool_choice"] = choice.option()
        if choice.disable_parallel_tool_use:
            options["parallel_tool_calls"] = False
    return options
