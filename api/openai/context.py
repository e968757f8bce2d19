"""What a response is made from: the items of its input, and those of the responses that it goes on from.

Knows items and the store; no route and no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from api.http.errors import ApiError
from api.http.pictures import Pictures
from api.openai import items
from api.openai.items import Items
from api.openai.message import NO_PICTURES, make_message
from api.openai.response import Response
from conversations.store import NotFoundError, Store, responses


@dataclass(frozen=True)
class ResponseContext:
    """The input of a response, and what was said before it."""

    history: responses.History
    input: Sequence[responses.Item]

    @property
    def message_id(self) -> int | None:
        """The reply that the response before told, where it is one of a conversation."""
        return self.history.message_id

    def new_messages(self) -> list[BaseMessage]:
        """The messages of the input alone. Raises ApiError 400 for an output without its call."""
        return items.to_messages([item.value for item in self.input])

    def messages(self, instructions: str | None) -> list[BaseMessage]:
        """The messages for the chain, these instructions first: those of earlier responses are not carried over."""
        system = [make_message("system", instructions)] if instructions else []
        found = items.to_messages([*self.history.items, *(item.value for item in self.input)])
        if not found:
            raise ApiError(400, "input: There is no message in it.", code="invalid_value", param="input")
        return [*system, *found]


def load_context(
    store: Store, given: str | Items, previous_id: str | None, pictures: Pictures = NO_PICTURES
) -> ResponseContext:
    """The context of a new response, with these pictures.

    Raises ApiError 400 for no such response before it, 404 for no such item.
    """
    try:
        history = responses.load_history(store, previous_id) if previous_id else responses.History()
    except NotFoundError as error:
        raise ApiError(
            400,
            f"Previous response: {error} It was never kept (store=false), was deleted or has expired.",
            code="previous_response_not_found",
            param="previous_response_id",
        ) from None
    wanted = items.references(given)
    found = responses.find_items(store, wanted) if wanted else {}
    return ResponseContext(history, items.to_items(given, found, pictures))


def keep(store: Store, response: Response, context: ResponseContext, days: int) -> None:
    """Keep a response that has ended. Raises DatabaseError."""
    body = response.model_dump(mode="json")
    output = [responses.Item(item, is_ours=True) for item in body["output"]]
    responses.save(store, response.id, body, context.input, output, history=context.history, days=days)
