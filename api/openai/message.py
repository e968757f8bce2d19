"""A message as OpenAI's clients send it, and as the chain takes it: text only, word for word. Knows no route.

What clients keep beside a message for themselves may come back with it, and changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from api.openai.fields import Unsupported
from api.openai.request import OpenModel

Role = Literal["system", "developer", "user", "assistant"]
TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
THOUGHT_TYPES = ("thinking", "redacted_thinking", "reasoning", "reasoning_text")
# What clients hold beside a text: OpenAI's SDKs, litellm, LangChain, DeepSeek's and OpenRouter's.
OWN_FIELDS = frozenset(
    (
        *(
            "annotations",
            "cache_control",
            "created_at",
            "id",
            "metadata",
            "parsed",
            "phase",
            "refusal",
            "status",
            "type",
        ),
        *("provider_specific_fields", "reasoning", "reasoning_content", "reasoning_details", "thinking"),
        *("thinking_blocks", "partial", "prefix"),  # the last two: that a last message is gone on with, as it is anyway
    )
)


class TextPart(BaseModel):
    """A text; what replies had beside it (annotations) may come back and is ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


class ThoughtPart(BaseModel):
    """What an assistant thought: taken, and given to no model."""

    model_config = ConfigDict(strict=True)

    type: Literal["thinking", "redacted_thinking", "reasoning", "reasoning_text"]

    @property
    def text(self) -> str:
        """None of it."""
        return ""


class RefusalPart(BaseModel):
    """The words of an assistant that refused: a text, too."""

    model_config = ConfigDict(strict=True)

    type: Literal["refusal"]
    text: str = Field(validation_alias="refusal")


def _reject_non_text(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for parts that are no text."""
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in (*TEXT_TYPES, *THOUGHT_TYPES):
            raise PydanticCustomError(
                "unsupported_parameter", "Only text is read here, not {kind}.", {"kind": kind[:100]}
            )
    return value


Part = TextPart | RefusalPart | ThoughtPart
Content = Annotated[str | list[Part], BeforeValidator(_reject_non_text)]


class OpenMessage(OpenModel):
    """What every message may have beside its role and text."""

    name: Any = Field(None, description="the speaker's name, a text; any other value is ignored")
    audio: Unsupported = None
    function_call: Unsupported = None
    tool_calls: Unsupported = None

    def ignored_fields(self) -> Iterator[str]:
        """The fields that do nothing, but for those that clients keep for themselves."""
        return (name for name in super().ignored_fields() if name not in OWN_FIELDS)


class PromptMessage(OpenMessage):
    """A message to the assistant."""

    role: Literal["system", "developer", "user"]
    content: Content


class AssistantMessage(OpenMessage):
    """A message of the assistant, which may have said nothing, or only why it refused."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: Any = Field(None, description="the text, where there is no content")

    @property
    def said(self) -> str | list[Part]:
        """The text, or its parts."""
        if self.content is not None:
            return self.content
        return self.refusal if isinstance(self.refusal, str) else ""


def message_kind(message: Any) -> str:
    """Which kind of message it is, for pydantic to choose by: no key of a message, so that errors are located well."""
    role = message.get("role") if isinstance(message, dict) else getattr(message, "role", None)
    return "(assistant)" if role == "assistant" else "(prompt)"


InputMessage = Annotated[
    Annotated[PromptMessage, Tag("(prompt)")] | Annotated[AssistantMessage, Tag("(assistant)")],
    Discriminator(message_kind),
]


def texts(content: str | Sequence[Part]) -> list[str]:
    """The texts of a message, without what was only thought."""
    return [content] if isinstance(content, str) else [p.text for p in content if not isinstance(p, ThoughtPart)]


def to_langchain_messages(messages: Sequence[PromptMessage | AssistantMessage]) -> list[BaseMessage]:
    """The messages of a chat for the chain."""
    return drop_empty_end([_to_langchain_message(message) for message in messages])


def _to_langchain_message(message: PromptMessage | AssistantMessage) -> BaseMessage:
    content = message.said if isinstance(message, AssistantMessage) else message.content
    blocks: Any = content if isinstance(content, str) else [{"type": "text", "text": text} for text in texts(content)]
    return make_message(message.role, blocks, message.name if isinstance(message.name, str) else None)


def make_message(role: Role, content: Any, name: str | None = None) -> BaseMessage:
    """A message for the chain of a role and a text, or blocks of texts."""
    if role == "user":
        return HumanMessage(content, name=name or None)
    if role == "assistant":
        return AIMessage(content, name=name or None)
    # A server that knows the developer's role gets it; elsewhere it is the system's.
    return SystemMessage(content, name=name or None, additional_kwargs={"__openai_role__": role})


def drop_empty_end(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages without empty ones of the assistant at the end: it is still to speak."""
    while len(messages) > 1 and messages[-1].type == "ai" and not messages[-1].text:
        messages = messages[:-1]
    return messages
