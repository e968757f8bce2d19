"""A message as OpenAI's clients send it, and as the chain takes it: text only, word for word. Knows no route."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.openai.request import Nothing, Unset

Role = Literal["system", "developer", "user", "assistant"]
KINDS = ("text", "input_text", "output_text")


def _text(value: Any) -> Any:
    """Raises PydanticCustomError, in words for people, for what is no text."""
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in KINDS:
            raise PydanticCustomError(
                "unsupported_parameter", "Only text is read here, not {kind}.", {"kind": kind[:100]}
            )
    return value


class Part(BaseModel):
    """Some text; what replies had beside it (annotations) may come back and is ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


Content = Annotated[str | list[Part], BeforeValidator(_text)]


class Message(BaseModel):
    """One message of a chat; what an assistant's message of OpenAI's has beside its text may be there, and empty."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Role
    content: Content
    name: str | None = Field(None, max_length=100)
    annotations: Nothing = None
    audio: Unset = None
    function_call: Unset = None
    refusal: Unset = None
    tool_calls: Nothing = None


def plain(role: Role, content: str | Sequence[Part], name: str | None = None) -> BaseMessage:
    """The same for the chain."""
    said: Any = content if isinstance(content, str) else [{"type": "text", "text": part.text} for part in content]
    if role == "user":
        return HumanMessage(said, name=name)
    if role == "assistant":
        return AIMessage(said, name=name)
    # Whoever knows a developer's role is told of it; to the others it is the system's.
    return SystemMessage(said, name=name, additional_kwargs={"__openai_role__": role})


def chain(messages: Sequence[Message]) -> list[BaseMessage]:
    """A chat for the chain."""
    return [plain(message.role, message.content, message.name) for message in messages]
