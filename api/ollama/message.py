"""A message as Ollama's clients send it, and as the chain takes it.

Knows no route. Ollama's calls have no ids, and its results name a tool at most: here they meet in their order.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from pydantic import BaseModel, Field

from api.http.calls import drop_empty_end
from api.http.errors import ApiError
from api.http.open_model import OpenModel
from api.http.pictures import Pictures
from api.ollama.picture import content_of
from chains.thinking import KEY

OWN_FIELDS = frozenset(("id", "name", "tool_call_id", "tool_name", "type"))  # that clients keep for themselves
SHOWING = ("user", "tool")  # the roles whose messages may have pictures


class CalledFunction(OpenModel):
    """A function's name and its arguments."""

    name: str = Field(min_length=1, max_length=500)
    arguments: dict[str, Any] = Field({})


class MessageCall(OpenModel):
    """A call of a tool; `id` is what some clients give it."""

    function: CalledFunction
    id: str | None = Field(None, max_length=500)


class InputMessage(OpenModel):
    """A message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = Field(None, description="what the assistant thought before it said that")
    images: list[str] | None = Field(None, description="pictures of a user's or a tool's, each as base64")
    tool_calls: list[MessageCall] | None = None
    tool_name: str | None = Field(None, description="which tool gave this result")
    tool_call_id: str | None = Field(None, description="which call this is the result of")

    def ignored_fields(self) -> Iterator[str]:
        """The fields that do nothing, but for those that clients keep for themselves."""
        return (name for name in super().ignored_fields() if name not in OWN_FIELDS)


Messages = list[InputMessage]


class CallAnswer(BaseModel):
    """A call that the client is to carry out."""

    id: str
    function: CalledFunction


class _Open:
    """The calls that have no result yet, by their ids."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._count = 0

    def call(self, call: MessageCall) -> ToolCall:
        self._count += 1
        identity = call.id or f"call_{self._count}"
        self._names[identity] = call.function.name
        return ToolCall(name=call.function.name, args=call.function.arguments, id=identity, type="tool_call")

    def answer(self, message: InputMessage) -> str:
        """The id of the call that a result is of. Raises ApiError 400 where there is none."""
        named = (each for each, name in self._names.items() if message.tool_name in (None, name))
        identity = message.tool_call_id if message.tool_call_id in self._names else next(named, None)
        if identity is None:
            text = "messages: the result of a tool follows no call that it is of. Send the call before it."
            raise ApiError(400, text, code="invalid_value", param="messages")
        del self._names[identity]
        return identity


def check_pictures(messages: Sequence[InputMessage]) -> None:
    """Raise ApiError 400 where somebody else than a user or a tool shows a picture."""
    if other := next((each for each in messages if each.images and each.role not in SHOWING), None):
        text = f"images: a picture is read in a user's message and in a tool's alone, not in one of the {other.role}'s."
        raise ApiError(400, text, code="unsupported_parameter", param="messages")


def to_langchain_messages(messages: Sequence[InputMessage], pictures: Pictures) -> list[BaseMessage]:
    """The messages of a chat for the chain, with these pictures. Raises ApiError 400 for a result without its call."""
    calls = _Open()
    return drop_empty_end([_to_langchain_message(message, calls, pictures) for message in messages])


def _to_langchain_message(message: InputMessage, calls: _Open, pictures: Pictures) -> BaseMessage:
    content = message.content or ""
    if message.role in SHOWING:
        shown = content_of(content, message.images, pictures)
        if message.role == "user":
            return HumanMessage(shown)
        return ToolMessage(shown, tool_call_id=calls.answer(message))
    if message.role == "assistant":
        said = AIMessage(content, tool_calls=[calls.call(each) for each in message.tool_calls or ()])
        if message.thinking:
            said.additional_kwargs[KEY] = message.thinking
        return said
    return SystemMessage(content)
