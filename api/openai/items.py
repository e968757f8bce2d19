"""An item of a response's input: as clients send it, as it is kept, and as the chain takes it. Knows no store.

What a model thought is kept with the rest and given to nobody: models here think anew.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import BaseMessage
from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from api.http.errors import ApiError
from api.openai.message import AssistantMessage, PromptMessage, drop_empty_end, make_message, message_kind, texts
from api.openai.request import OpenModel
from conversations.store import responses

MAX_ID = 64  # characters
OTHER_KINDS = {"reasoning": "(reasoning)", "item_reference": "(reference)", "refusal": "(refusal)"}


class PromptItem(PromptMessage):
    """A message to the assistant."""

    type: Literal["message"] | None = None


class AssistantItem(AssistantMessage):
    """A message of the assistant, as one of an earlier response."""

    type: Literal["message"] | None = None


class ReasoningItem(OpenModel):
    """What a model thought, as another server told it: taken, and not read."""

    type: Literal["reasoning"]

    def ignored_fields(self) -> Iterator[str]:
        """None: nothing of it is read."""
        return iter(())


class RefusalItem(OpenModel):
    """The words of an assistant that refused."""

    type: Literal["refusal"]
    refusal: str


class ItemReference(OpenModel):
    """An item of a response that was kept."""

    type: Literal["item_reference"] | None = None
    id: str = Field(min_length=1, max_length=200)


def _reject_other(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for a kind of item that is not read."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("message", *OTHER_KINDS):
        raise PydanticCustomError(
            "unsupported_parameter", "Only messages are read here, not {kind}.", {"kind": kind[:100]}
        )
    return value


def _item_kind(item: Any) -> str:
    if not isinstance(item, dict):
        return message_kind(item)
    kind = item.get("type")
    if kind is None and "role" not in item and "id" in item:
        return "(reference)"
    return OTHER_KINDS.get(kind, "") if isinstance(kind, str) and kind in OTHER_KINDS else message_kind(item)


InputItem = Annotated[
    Annotated[PromptItem, Tag("(prompt)")]
    | Annotated[AssistantItem, Tag("(assistant)")]
    | Annotated[ReasoningItem, Tag("(reasoning)")]
    | Annotated[RefusalItem, Tag("(refusal)")]
    | Annotated[ItemReference, Tag("(reference)")],
    Discriminator(_item_kind),
    BeforeValidator(_reject_other),
]
Items = Sequence[PromptItem | AssistantItem | ReasoningItem | RefusalItem | ItemReference]


def new_id(kind: str) -> str:
    """A new id, which nobody guesses: `kind` and 128 random bits."""
    return f"{kind}_{secrets.token_hex(16)}"


def references(given: str | Items) -> list[str]:
    """The ids of items that have to be found."""
    return [] if isinstance(given, str) else [item.id for item in given if isinstance(item, ItemReference)]


def to_items(given: str | Items, found: Mapping[str, dict[str, Any]]) -> list[responses.Item]:
    """The items as they are kept; `found` are those that are referred to. Raises ApiError 404 for one that is not."""
    if isinstance(given, str):
        return [_message_item("user", given, None)]
    return [_to_item(item, found) for item in given]


def _to_item(
    item: PromptItem | AssistantItem | ReasoningItem | RefusalItem | ItemReference, found: Mapping[str, dict[str, Any]]
) -> responses.Item:
    if isinstance(item, ItemReference):
        if item.id not in found:
            raise ApiError(
                404,
                f"Item with id '{item.id}' not found. Items are kept where a response is made with store=true; "
                "send the item itself.",
                param="input",
            )
        return responses.Item(found[item.id], is_ours=False)
    if isinstance(item, ReasoningItem):
        return _with_id(item.model_dump(), "rs", (item.model_extra or {}).get("id"))
    if isinstance(item, RefusalItem):
        return _message_item("assistant", item.refusal, (item.model_extra or {}).get("id"))
    content = item.said if isinstance(item, AssistantItem) else item.content
    return _message_item(item.role, content, (item.model_extra or {}).get("id"))


def _message_item(role: str, content: Any, given_id: Any) -> responses.Item:
    parts: list[dict[str, Any]]
    if role == "assistant":
        parts = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts(content)]
    else:
        parts = [{"type": "input_text", "text": text} for text in texts(content)]
    return _with_id({"type": "message", "role": role, "status": "completed", "content": parts}, "msg", given_id)


def _with_id(value: dict[str, Any], kind: str, given_id: Any) -> responses.Item:
    """The item with the id that its client gave it, else with one of ours."""
    if isinstance(given_id, str) and 0 < len(given_id) <= MAX_ID:
        return responses.Item({**value, "id": given_id}, is_ours=False)
    return responses.Item({**value, "id": new_id(kind)}, is_ours=True)


def to_messages(items: Sequence[dict[str, Any]]) -> list[BaseMessage]:
    """The messages among kept items for the chain."""
    return drop_empty_end([_to_message(item) for item in items if item["type"] == "message"])


def _to_message(item: dict[str, Any]) -> BaseMessage:
    blocks: Any = [{"type": "text", "text": part["text"]} for part in item["content"]]
    return make_message(item["role"], blocks if len(blocks) > 1 else "".join(block["text"] for block in blocks))
