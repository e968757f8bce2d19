"""The events of a streamed response, as they come: what is thought, what its message says, which functions it calls.

Knows events; no route and no reply.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.messages.tool import ToolCallChunk

from api.openai.items import new_id
from api.openai.reasoning_item import ReasoningGrowth
from api.openai.response import (
    FunctionCallItem,
    OutputItem,
    OutputMessage,
    OutputText,
    ReasoningOutput,
    Response,
    Status,
)
from api.openai.tool_calls import MessageToolCall

Event = dict[str, Any]


class OutputItems:
    """The items of a response and their places, told as they begin, grow and end.

    What is thought ends where the message, or a call, begins; whatever is thought after that is another item.
    """

    def __init__(self, as_summary: bool = False) -> None:
        """`as_summary`: what is thought is told as a summary."""
        self.message_id = new_id("msg")
        self._as_summary = as_summary
        self._thoughts: list[ReasoningGrowth] = []
        self._call_ids: dict[int, str] = {}  # the ids of the items, by the place of the call
        self._places: dict[str, int] = {}  # of those that have begun

    @property
    def has_thought(self) -> bool:
        """Whether some thinking was told."""
        return bool(self._thoughts)

    def call_id(self, place: int) -> str:
        """The id of the item of this call."""
        return self._call_ids.setdefault(place, new_id("fc"))

    def of_thoughts(self, text: str, is_cut: bool) -> list[ReasoningOutput]:
        """The items of all that was thought; `is_cut`: the reply ended within it."""
        if not self._thoughts and text:  # nobody watched
            self._thoughts.append(ReasoningGrowth(self._as_summary, text))
        last = len(self._thoughts) - 1
        return [each.item("incomplete" if is_cut and at == last else "completed")
                for at, each in enumerate(self._thoughts)]  # fmt: skip

    def of_calls(self, calls: list[MessageToolCall], status: Status) -> list[FunctionCallItem]:
        """The items of calls that have ended."""
        item = partial(FunctionCallItem, status=status)
        return [
            item(id=self.call_id(at), call_id=call.id, name=call.function.name, arguments=call.function.arguments)
            for at, call in enumerate(calls)
        ]

    def in_order(self, items: Sequence[OutputItem]) -> list[OutputItem]:
        """The items as they began; those that nobody saw begin stay behind them."""
        return sorted(items, key=lambda item: self._places.get(item.id, len(self._places)))

    def open(self, started: Response) -> Iterator[Event]:
        """The first events."""
        snapshot = started.model_dump(mode="json")
        yield {"type": "response.created", "response": snapshot}
        yield {"type": "response.in_progress", "response": snapshot}

    def thought(self, piece: str) -> Iterator[Event]:
        """The events of some thinking."""
        if not self._thoughts or self._thoughts[-1].has_ended:
            growth = ReasoningGrowth(self._as_summary)
            self._thoughts.append(growth)
            yield self._added(growth.item("in_progress").model_dump(mode="json"))
            yield growth.begin(self._places[growth.id])
        yield self._thoughts[-1].grow(piece)

    def text(self, piece: str) -> Iterator[Event]:
        """The events of some text."""
        yield from self._end_thought("completed")
        if self.message_id not in self._places:
            yield from self._begin_message()
        yield {"type": "response.output_text.delta", **self._text_position(), "logprobs": [], "delta": piece}

    def call(self, piece: ToolCallChunk) -> Iterator[Event]:
        """The events of a piece of a call."""
        yield from self._end_thought("completed")
        identity = self.call_id(piece["index"] or 0)
        if identity not in self._places:
            begun = FunctionCallItem(
                id=identity,
                status="in_progress",
                call_id=piece["id"] or identity,
                name=piece["name"] or "",
                arguments="",
            )
            yield self._added(begun.model_dump(mode="json"))
        if piece["args"]:
            position = {"item_id": identity, "output_index": self._places[identity]}
            yield {"type": "response.function_call_arguments.delta", **position, "delta": piece["args"]}

    def close(self, ended: Response) -> Iterator[Event]:
        """The events after all that was said, the whole response last."""
        for item in ended.output:
            if isinstance(item, ReasoningOutput):
                if item.id == self._thoughts[-1].id:
                    yield from self._end_thought(item.status)
                continue
            if isinstance(item, OutputMessage):
                yield from self._end_message(item)
            elif not isinstance(item, FunctionCallItem):  # a call of this server's, told when it is over, or waits
                yield self._added(item.model_dump(mode="json"))
            else:
                position = {"item_id": item.id, "output_index": self._places[item.id]}
                told = {"name": item.name, "arguments": item.arguments}
                yield {"type": "response.function_call_arguments.done", **position, **told}
            yield self._done(item.id, item.model_dump(mode="json"))
        kind = "completed" if ended.status == "requires_action" else ended.status  # clients know no other end
        yield {"type": f"response.{kind}", "response": ended.model_dump(mode="json")}

    def _end_thought(self, status: Status) -> Iterator[Event]:
        if not self._thoughts or self._thoughts[-1].has_ended:
            return
        growth = self._thoughts[-1]
        yield from growth.end()
        yield self._done(growth.id, growth.item(status).model_dump(mode="json"))

    def _begin_message(self) -> Iterator[Event]:
        message = OutputMessage(id=self.message_id, status="in_progress", content=[])
        yield self._added(message.model_dump(mode="json"))
        part = OutputText(text="").model_dump()
        yield {"type": "response.content_part.added", **self._text_position(), "part": part}

    def _end_message(self, message: OutputMessage) -> Iterator[Event]:
        if message.id not in self._places:  # it says nothing
            yield from self._begin_message()
        part, position = message.content[0], self._text_position()
        for number, annotation in enumerate(part.annotations):
            told = {"annotation_index": number, "annotation": annotation.model_dump()}
            yield {"type": "response.output_text.annotation.added", **position, **told}
        yield {"type": "response.output_text.done", **position, "text": part.text, "logprobs": []}
        yield {"type": "response.content_part.done", **position, "part": part.model_dump()}

    def _added(self, item: Mapping[str, Any]) -> Event:
        place = self._places[item["id"]] = len(self._places)
        return {"type": "response.output_item.added", "output_index": place, "item": item}

    def _done(self, identity: str, item: Mapping[str, Any]) -> Event:
        return {"type": "response.output_item.done", "output_index": self._places[identity], "item": item}

    def _text_position(self) -> dict[str, Any]:
        """The fields that say where the text stands: in the one part of the one message."""
        return {"item_id": self.message_id, "output_index": self._places[self.message_id], "content_index": 0}
