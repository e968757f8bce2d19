"""A message as OpenAI's clients send it, and as the chain takes it: texts, pictures and calls of tools, word for word.

Knows no route.
What clients keep beside a message for themselves may come back with it, and changes nothing; what the assistant thought
goes along, for the chat templates that ask for it.
"""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.http.calls import check_results, drop_empty_end
from api.http.open_model import OpenModel
from api.http.pictures import Pictures
from api.http.refused import Unsupported
from api.openai.picture_part import TYPES as PICTURE_TYPES
from api.openai.picture_part import ImagePart, InputImagePart, PicturePart, check_place, to_block
from api.openai.tool_calls import MessageToolCall, read_calls
from chains.thinking import KEY

NO_PICTURES: Pictures = MappingProxyType({})
Role = Literal["system", "developer", "user", "assistant"]
TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
THOUGHT_TYPES = ("thinking", "redacted_thinking", "reasoning", "reasoning_text")
# What an assistant thought, by the names that clients send it back with, and a part of it.
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
PART_FIELDS = ("thinking", "text", "summary", "reasoning")
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
        *("provider_specific_fields", *THOUGHT_FIELDS),
        *("partial", "prefix"),  # that a last message is gone on with, as it is anyway
    )
)


class TextPart(BaseModel):
    """A text; what replies had beside it (annotations) may come back and is ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


class ThoughtPart(BaseModel):
    """What an assistant thought: no part of its text."""

    model_config = ConfigDict(strict=True)

    type: Literal["thinking", "redacted_thinking", "reasoning", "reasoning_text"]
    thinking: Any = None
    reasoning: Any = None
    words: Any = Field(None, validation_alias="text")

    @property
    def text(self) -> str:
        """The thinking, where it can be read."""
        return next((each for each in (self.thinking, self.reasoning, self.words) if isinstance(each, str)), "")


class RefusalPart(BaseModel):
    """The words of an assistant that refused: a text, too."""

    model_config = ConfigDict(strict=True)

    type: Literal["refusal"]
    text: str = Field(validation_alias="refusal")


def _reject_non_text(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for parts that are no text."""
    return _reject_others(value, (*TEXT_TYPES, *THOUGHT_TYPES), "Only text is read here, not {kind}.")


def _reject_non_prompt(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for parts that are neither text nor picture."""
    kinds = (*TEXT_TYPES, *THOUGHT_TYPES, *PICTURE_TYPES)
    return _reject_others(value, kinds, "Only text and pictures are read here, not {kind}.")


def _reject_others(value: Any, kinds: Sequence[str], text: str) -> Any:
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in kinds:
            raise PydanticCustomError("unsupported_parameter", text, {"kind": kind[:100]})
    return value


Part = TextPart | RefusalPart | ThoughtPart
Content = Annotated[str | list[Part], BeforeValidator(_reject_non_text)]
SAID = (TextPart, RefusalPart)


def _part_kind(part: Any) -> str:
    """Which kind of part it is, for pydantic to choose by."""
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    if kind in PICTURE_TYPES:
        return f"({kind})"
    return "(thought)" if kind in THOUGHT_TYPES else "(refusal)" if kind == "refusal" else "(text)"


PromptPart = Annotated[
    Annotated[TextPart, Tag("(text)")]
    | Annotated[RefusalPart, Tag("(refusal)")]
    | Annotated[ThoughtPart, Tag("(thought)")]
    | Annotated[ImagePart, Tag("(image_url)")]
    | Annotated[InputImagePart, Tag("(input_image)")],
    Discriminator(_part_kind),
]
PromptContent = Annotated[str | list[PromptPart], BeforeValidator(_reject_non_prompt)]


class OpenMessage(OpenModel):
    """What every message may have beside its role and text."""

    name: Any = Field(None, description="the speaker's name, a text; any other value is ignored")
    audio: Unsupported = None
    function_call: Unsupported = None

    def ignored_fields(self) -> Iterator[str]:
        """The fields that do nothing, but for those that clients keep for themselves."""
        return (name for name in super().ignored_fields() if name not in OWN_FIELDS)


class PromptMessage(OpenMessage):
    """A message to the assistant."""

    role: Literal["system", "developer", "user"]
    content: PromptContent
    tool_calls: Unsupported = None

    @field_validator("content")
    @classmethod
    def _check_pictures(cls, value: Any, info: ValidationInfo) -> Any:
        check_place(info.data.get("role", ""), value)
        return value


class ToolResult(OpenMessage):
    """What a tool gave, for the call of this id."""

    role: Literal["tool"]
    content: PromptContent
    tool_call_id: str = Field(min_length=1, max_length=500)
    tool_calls: Unsupported = None


class AssistantMessage(OpenMessage):
    """A message of the assistant, which may have said nothing, or only why it refused."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: Any = Field(None, description="the text, where there is no content")
    tool_calls: list[MessageToolCall] | None = None

    @property
    def said(self) -> str | list[Part]:
        """The text, or its parts."""
        if self.content is not None:
            return self.content
        return self.refusal if isinstance(self.refusal, str) else ""

    @property
    def thought(self) -> str:
        """What it thought before, where the client sends that back: by the first of the names that holds it."""
        if isinstance(self.content, list) and (parts := [p.text for p in self.content if isinstance(p, ThoughtPart)]):
            return "".join(parts)
        fields = self.model_extra or {}
        return next((each for name in THOUGHT_FIELDS if (each := thought_text(fields.get(name)))), "")


def message_kind(message: Any) -> str:
    """Which kind of message it is, for pydantic to choose by: no key of a message, so that errors are located well."""
    role = message.get("role") if isinstance(message, dict) else getattr(message, "role", None)
    return f"({role})" if role in ("assistant", "tool") else "(prompt)"


InputMessage = Annotated[
    Annotated[PromptMessage, Tag("(prompt)")]
    | Annotated[AssistantMessage, Tag("(assistant)")]
    | Annotated[ToolResult, Tag("(tool)")],
    Discriminator(message_kind),
]


def thought_text(value: Any) -> str:
    """What a field of a client's holds of thinking: a text, or parts of one; what is encrypted has none."""
    if isinstance(value, str):
        return value
    parts = [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
    told = (next((part[name] for name in PART_FIELDS if isinstance(part.get(name), str)), "") for part in parts)
    return "".join(told)


def texts(content: str | Sequence[Part | PicturePart]) -> list[str]:
    """The texts of a message, without what was only thought."""
    return [content] if isinstance(content, str) else [p.text for p in content if isinstance(p, SAID)]


def to_langchain_messages(
    messages: Sequence[PromptMessage | AssistantMessage | ToolResult], pictures: Pictures = NO_PICTURES
) -> list[BaseMessage]:
    """The messages of a chat for the chain, with these pictures. Raises ApiError 400 for a result without its call."""
    found = drop_empty_end([_to_langchain_message(message, pictures) for message in messages])
    check_results(found, "messages")
    return found


def _to_langchain_message(message: PromptMessage | AssistantMessage | ToolResult, pictures: Pictures) -> BaseMessage:
    content = message.said if isinstance(message, AssistantMessage) else message.content
    blocks: Any = content if isinstance(content, str) else list(_blocks(content, pictures))
    if isinstance(message, ToolResult):
        return ToolMessage(blocks, tool_call_id=message.tool_call_id)
    if not isinstance(message, AssistantMessage):
        return make_message(message.role, blocks, _name(message))
    calls = read_calls(message.tool_calls) if message.tool_calls else {}
    said = AIMessage(blocks, **calls) if calls else make_message(message.role, blocks, _name(message))
    if thought := message.thought:
        said.additional_kwargs[KEY] = thought
    return said


def _blocks(content: Sequence[Part | PicturePart], pictures: Pictures) -> Iterator[dict[str, Any]]:
    """The texts and pictures of a message, in order."""
    for part in content:
        if isinstance(part, PicturePart):
            yield to_block(part, pictures)
        elif isinstance(part, SAID):
            yield {"type": "text", "text": part.text}


def _name(message: OpenMessage) -> str | None:
    return message.name if isinstance(message.name, str) else None


def make_message(role: Role, content: Any, name: str | None = None) -> BaseMessage:
    """A message for the chain of a role and a text, or blocks of texts."""
    if role == "user":
        return HumanMessage(content, name=name or None)
    if role == "assistant":
        return AIMessage(content, name=name or None)
    # A server that knows the developer's role gets it; elsewhere it is the system's.
    return SystemMessage(content, name=name or None, additional_kwargs={"__openai_role__": role})
