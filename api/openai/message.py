"""A message as OpenAI's clients send it, and as the chain takes it: text only, word for word. Knows no route."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.openai.request import Unsupported, UnsupportedList

Role = Literal["system", "developer", "user", "assistant"]
TEXT_TYPES = ("text", "input_text", "output_text")


def _reject_non_text(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for parts that are no text."""
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in TEXT_TYPES:
            raise PydanticCustomError(
                "unsupported_parameter", "Only text is read here, not {kind}.", {"kind": kind[:100]}
            )
    return value


class TextPart(BaseModel):
    """A text; what replies had beside it (annotations) may come back and is ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


Content = Annotated[str | list[TextPart], BeforeValidator(_reject_non_text)]


class InputMessage(BaseModel):
    """One message of a chat; what an assistant's message of OpenAI's has beside its text may be there, and empty."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Role
    content: Content
    name: str | None = Field(None, max_length=100)
    annotations: UnsupportedList = None
    audio: Unsupported = None
    function_call: Unsupported = None
    refusal: Unsupported = None
    tool_calls: UnsupportedList = None


def to_langchain_message(role: Role, content: str | Sequence[TextPart], name: str | None = None) -> BaseMessage:
    """A message for the chain."""
    blocks: Any = content if isinstance(content, str) else [{"type": "text", "text": part.text} for part in content]
    if role == "user":
        return HumanMessage(blocks, name=name)
    if role == "assistant":
        return AIMessage(blocks, name=name)
    # A server that knows the developer's role gets it; elsewhere it is the system's.
    return SystemMessage(blocks, name=name, additional_kwargs={"__openai_role__": role})


def to_langchain_messages(messages: Sequence[InputMessage]) -> list[BaseMessage]:
    """The messages of a chat for the chain."""
    return [to_langchain_message(message.role, message.content, message.name) for message in messages]
