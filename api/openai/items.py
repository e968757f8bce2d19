"""An item of a response's input: as clients send it, as it is kept, and as the chain takes it. Knows no store.

What a model thought goes with what it said after it: a chat template that asks for it finds it there.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from api.http.calls import check_results, drop_empty_end
from api.http.errors import ApiError
from api.http.open_model import OpenModel
from api.http.pictures import Pictures
from api.openai.message import (
    NO_PICTURES,
    AssistantMessage,
    PromptContent,
    PromptMessage,
    ThoughtPart,
    make_message,
    message_kind,
    texts,
)
from api.openai.picture_part import PicturePart, addresses, from_item_part, picture_parts, to_item_part
from api.openai.tool_calls import FunctionCall, MessageToolCall, read_calls
from chains.thinking import KEY, thought
from conversations.store import responses

MAX_ID = 64  # characters
OTHER_KINDS = {
    "reasoning": "(reasoning)",
    "item_reference": "(reference)",
    "refusal": "(refusal)",
    "function_call": "(call)",
    "function_call_output": "(output)",
    "mcp_approval_response": "(approval)",
    "mcp_call": "(own)",
    "mcp_approval_request": "(told)",
    "mcp_list_tools": "(told)",
}


class PromptItem(PromptMessage):
    """A message to the assistant."""

    type: Literal["message"] | None = None


class AssistantItem(AssistantMessage):
    """A message of the assistant, as one of an earlier response."""

    type: Literal["message"] | None = None


class ClientItem(OpenModel):
    """An item whose other fields are the client's own: none of them is named as ignored."""

    def ignored_fields(self) -> Iterator[str]:
        """None."""
        return iter(())


class ReasoningItem(ClientItem):
    """What a model thought, as this server or another told it."""

    type: Literal["reasoning"]


class RefusalItem(OpenModel):
    """The words of an assistant that refused."""

    type: Literal["refusal"]
    refusal: str


class CallItem(ClientItem):
    """A call of a function, as one of an earlier response."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=500)
    name: str = Field(min_length=1, max_length=200)
    arguments: str


class OutputItem(ClientItem):
    """What a function gave, for the call of this id."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=500)
    output: PromptContent


class ApprovalItem(ClientItem):
    """A person's answer to a call of a tool of this server's."""

    type: Literal["mcp_approval_response"]
    approval_request_id: str = Field(min_length=1, max_length=200)
    approve: bool


class OwnCallItem(ClientItem):
    """A call of a tool of this server's that is over, as one of an earlier response."""

    type: Literal["mcp_call"]
    name: str = Field(min_length=1, max_length=200)
    arguments: str
    output: str | None = None
    error: Any = None


class ToldItem(ClientItem):
    """What an earlier response told of tools: taken, and not read."""

    type: Literal["mcp_approval_request", "mcp_list_tools"]


class ItemReference(OpenModel):
    """An item of a response that was kept."""

    type: Literal["item_reference"] | None = None
    id: str = Field(min_length=1, max_length=200)


def _reject_other(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for a kind of item that is not read."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("message", *OTHER_KINDS):
        raise PydanticCustomError(
            "unsupported_parameter", "Messages and functions are read here, not {kind}.", {"kind": kind[:100]}
        )
    return value


def _item_kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if isinstance(item, dict) and kind is None and "role" not in item and "id" in item:
        return "(reference)"
    if isinstance(kind, str) and kind in OTHER_KINDS:
        return OTHER_KINDS[kind]
    return "(assistant)" if message_kind(item) == "(assistant)" else "(prompt)"


InputItem = Annotated[
    Annotated[PromptItem, Tag("(prompt)")]
    | Annotated[AssistantItem, Tag("(assistant)")]
    | Annotated[ReasoningItem, Tag("(reasoning)")]
    | Annotated[RefusalItem, Tag("(refusal)")]
    | Annotated[CallItem, Tag("(call)")]
    | Annotated[OutputItem, Tag("(output)")]
    | Annotated[ApprovalItem, Tag("(approval)")]
    | Annotated[OwnCallItem, Tag("(own)")]
    | Annotated[ToldItem, Tag("(told)")]
    | Annotated[ItemReference, Tag("(reference)")],
    Discriminator(_item_kind),
    BeforeValidator(_reject_other),
]
TakenItem = ReasoningItem | ApprovalItem | OwnCallItem | ToldItem  # which are kept as they are
GivenItem = PromptItem | AssistantItem | RefusalItem | CallItem | OutputItem | ItemReference | TakenItem
TAKEN = {"reasoning": "rs", "mcp_approval_response": "mcpr", "mcp_call": "mcp"}  # and how their ids begin
Items = Sequence[GivenItem]


def new_id(kind: str) -> str:
    """A new id, which nobody guesses: `kind` and 128 random bits."""
    return f"{kind}_{secrets.token_hex(16)}"


def approvals(given: str | Items) -> dict[str, bool]:
    """The answers to calls that the input ends with, by the ids under which they were asked about."""
    if isinstance(given, str):
        return {}
    ending = takewhile(lambda item: isinstance(item, ApprovalItem), reversed(given))
    return {item.approval_request_id: item.approve for item in ending if isinstance(item, ApprovalItem)}


def references(given: str | Items) -> list[str]:
    """The ids of items that have to be found."""
    return [] if isinstance(given, str) else [item.id for item in given if isinstance(item, ItemReference)]


def picture_addresses(given: str | Items) -> Iterator[str]:
    """Where the pictures of the items are. Raises PictureError for an item with too many."""
    if isinstance(given, str):
        return iter(())
    return addresses(
        [item.output if isinstance(item, OutputItem) else getattr(item, "content", None) for item in given]
    )


def to_items(
    given: str | Items, found: Mapping[str, dict[str, Any]], pictures: Pictures = NO_PICTURES
) -> list[responses.Item]:
    """The items as they are kept; `found` are those that are referred to. Raises ApiError 404 for one that is not."""
    if isinstance(given, str):
        return [_message_item("user", given, None)]
    return [_to_item(item, found, pictures) for item in given]


def _to_item(item: GivenItem, found: Mapping[str, dict[str, Any]], pictures: Pictures) -> responses.Item:
    if isinstance(item, ItemReference):
        if item.id not in found:
            raise ApiError(
                404,
                f"Item with id '{item.id}' not found. Items are kept where a response is made with store=true; "
                "send the item itself.",
                param="input",
            )
        return responses.Item(found[item.id], is_ours=False)
    if isinstance(item, TakenItem):
        return _with_id(item.model_dump(), TAKEN.get(item.type, "item"), (item.model_extra or {}).get("id"))
    if isinstance(item, RefusalItem):
        return _message_item("assistant", item.refusal, (item.model_extra or {}).get("id"))
    if isinstance(item, CallItem):
        call = {"type": item.type, "call_id": item.call_id, "name": item.name, "arguments": item.arguments}
        return _with_id({**call, "status": "completed"}, "fc", (item.model_extra or {}).get("id"))
    if isinstance(item, OutputItem):
        given = {"type": item.type, "call_id": item.call_id, "output": _output(item.output, pictures)}
        return _with_id({**given, "status": "completed"}, "fco", (item.model_extra or {}).get("id"))
    content = item.said if isinstance(item, AssistantItem) else item.content
    return _message_item(item.role, content, (item.model_extra or {}).get("id"), pictures)


def _message_item(role: str, content: Any, given_id: Any, pictures: Pictures = NO_PICTURES) -> responses.Item:
    parts: list[dict[str, Any]]
    if role == "assistant":
        parts = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts(content)]
    else:
        parts = [_input_part(part, pictures) for part in ([content] if isinstance(content, str) else content)]
    return _with_id({"type": "message", "role": role, "status": "completed", "content": parts}, "msg", given_id)


def _output(content: str | Sequence[Any], pictures: Pictures) -> str | list[dict[str, Any]]:
    """What a function gave: a text, or parts where it shows pictures."""
    if not picture_parts(content):
        return "".join(texts(content))
    return [_input_part(part, pictures) for part in content if not isinstance(part, ThoughtPart)]


def _input_part(part: Any, pictures: Pictures) -> dict[str, Any]:
    if isinstance(part, PicturePart):
        return to_item_part(part, pictures)
    return {"type": "input_text", "text": part if isinstance(part, str) else part.text}


def _with_id(value: dict[str, Any], kind: str, given_id: Any) -> responses.Item:
    """The item with the id that its client gave it, else with one of ours."""
    if isinstance(given_id, str) and 0 < len(given_id) <= MAX_ID:
        return responses.Item({**value, "id": given_id}, is_ours=False)
    return responses.Item({**value, "id": new_id(kind)}, is_ours=True)


def to_messages(items: Sequence[dict[str, Any]]) -> list[BaseMessage]:
    """The messages of kept items for the chain. Raises ApiError 400 for an output without its call."""
    messages: list[BaseMessage] = []
    thoughts: list[str] = []  # of the assistant's message that comes next
    for item in items:
        if item["type"] == "reasoning":
            thoughts.append(thought_in(item))
            continue
        if item["type"] == "function_call":
            _add_call(messages, item)
        elif item["type"] == "mcp_call":
            _add_call(messages, {**item, "call_id": item["id"]})
            messages.append(ToolMessage(item.get("output") or str(item.get("error")), tool_call_id=item["id"]))
        elif item["type"] == "function_call_output":
            output = item["output"]
            given: Any = output if isinstance(output, str) else [*map(_to_block, output)]
            messages.append(ToolMessage(given, tool_call_id=item["call_id"]))
        elif item["type"] == "message":
            messages.append(_to_message(item))
        add_thought(messages, thoughts)
        thoughts.clear()
    found = drop_empty_end(messages)
    check_results(found, "input")
    return found


def thought_in(item: Mapping[str, Any]) -> str:
    """The text of an item of thought: all that was thought where it holds that, else its summary."""
    parts = item.get("content") or item.get("summary")
    texts = (part.get("text") for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def add_thought(messages: Sequence[BaseMessage], thoughts: Sequence[str]) -> None:
    """Have the last message know what was thought before it, where it is the assistant's."""
    last, text = messages[-1] if messages else None, "\n\n".join(filter(None, thoughts))
    if isinstance(last, AIMessage) and text:
        before = thought(last)
        last.additional_kwargs[KEY] = f"{before}\n\n{text}" if before else text


def _add_call(messages: list[BaseMessage], item: dict[str, Any]) -> None:
    """Add a call to the assistant's message that it stands behind, or to a new one."""
    function = FunctionCall(name=item["name"], arguments=item["arguments"])
    added = read_calls([MessageToolCall(id=item["call_id"], function=function)])
    last = messages[-1] if messages else None
    if isinstance(last, AIMessage):
        last.tool_calls += added["tool_calls"]
        last.invalid_tool_calls += added["invalid_tool_calls"]
    else:
        messages.append(AIMessage("", **added))


def _to_message(item: dict[str, Any]) -> BaseMessage:
    blocks: Any = [_to_block(part) for part in item["content"]]
    is_plain = len(blocks) < 2 and all(block["type"] == "text" for block in blocks)
    return make_message(item["role"], "".join(block["text"] for block in blocks) if is_plain else blocks)


def _to_block(part: dict[str, Any]) -> dict[str, Any]:
    return from_item_part(part) if part["type"] == "input_image" else {"type": "text", "text": part["text"]}
