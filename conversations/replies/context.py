"""What stands before a reply: the messages of its branch, and which of them a model reads. Knows records; no query."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages import ToolCall as Call

import backends
from backends import vision
from chains.thinking import kept
from conversations.store.pictures import Placed
from conversations.store.schema import Message, State, ToolCall

NO_RESULT = "There is no result."  # for a model, of a call that is not over
# Who brought the system prompt out of a file: `foreign_system` of a branch.
PROJECT, PERSONA = "an imported project's system prompt", "an imported persona"
CONVERSATION = "an imported conversation's system prompt"


@dataclass(frozen=True)
class Compaction:
    """A summary, and how many messages at the beginning of the branch it stands for."""

    messages: int = 0
    summary: str | None = None


@dataclass(frozen=True)
class BranchContext:
    """What a reply is made from: the branch up to the question, and the text it goes on with where it was cut.

    `documents` are the ids of the conversation's own and of its project's, `stored` is the newest summary on the
    branch. `dropped` messages of it were in no prompt of the reply before. `whole`: the documents are read whole, where
    they fit. `tools` are the names of those that are switched on; `effort` is how much the model is to think, and
    `thinking` what was thought before `partial`, or where the reply goes on in the middle of that. `calls` are those of
    the branch's replies and of this one, `row_id`, and where no tool is on a model reads none of them. `cited`: the
    last reply of the history that was made from documents. `foreign_system`: what brought the system prompt out of a
    file, None where none did. `pictures` are those of the branch's messages.
    """

    system: str | None
    history: list[Message]
    question: Message
    partial: str
    documents: Sequence[str] = ()
    stored: Compaction = field(default_factory=Compaction)
    dropped: int = 0
    whole: bool = False
    tools: Sequence[str] = ()
    calls: Mapping[int, Sequence[ToolCall]] = field(default_factory=dict)
    row_id: int = 0
    thinking: str = ""
    cited: int | None = None
    effort: str | None = None
    pictures: Mapping[int, Sequence[Placed]] = field(default_factory=dict)
    project_id: str | None = None
    foreign_system: str | None = None

    @cached_property
    def own_calls(self) -> Sequence[ToolCall]:
        """The calls of this reply so far."""
        return self.calls.get(self.row_id, ())

    @cached_property
    def uses_tools(self) -> bool:
        """Whether this reply may call tools, or has done so."""
        return bool(self.tools or self.own_calls)

    @property
    def previous(self) -> Message | None:
        """The message before the question."""
        return self.history[-1] if self.history else None

    def inputs(self, after: int = 0) -> dict[str, Any]:
        """The inputs of the assistant's chain, without the first `after` messages of the branch."""
        first = self._next_question(after)
        shown = [self.history[at] for at in self.visible if at >= first]
        history = (
            [each for row in shown for each in self._messages(row)]
            if self.uses_tools
            else [_to_message(row, self.pictures) for row in shown]
        )
        partial: list[BaseMessage] = []
        if self.partial or self.own_calls:
            partial = to_steps(self.partial, self.own_calls, self.thinking)
        elif self.thinking and self.effort != backends.effort.OFF:  # it has only thought; else it begins anew
            partial = [AIMessage("", additional_kwargs=kept(self.thinking))]
        asked = {"question": [_to_message(self.question, self.pictures)]} if self.shows_pictures else {}
        return {"history": history, "input": self.question.text, "partial": partial, **asked}

    @cached_property
    def shows_pictures(self) -> bool:
        """Whether the question has pictures."""
        return self.question.id in self.pictures

    def _messages(self, row: Message) -> list[BaseMessage]:
        calls = self.calls.get(row.id, ())
        return to_steps(row.text, calls, row.thinking or "") if calls else [_to_message(row, self.pictures)]

    def hidden_counts(self, after: int = 0) -> list[int]:
        """How many messages of the branch the model does not see, where the first 0, 1, 2… of `inputs` are dropped."""
        first = self._next_question(after)
        visible = [at for at in self.visible if at >= first]
        if self.uses_tools:
            visible = [at for at in visible for _ in self._messages(self.history[at])]
        return [first, *visible[1:], len(self.history)]

    @cached_property
    def visible(self) -> list[int]:
        """Where those messages of the history stand that a model reads."""
        return visible_indexes(self.history, self.calls if self.uses_tools else {}, self.pictures)

    def _next_question(self, at: int) -> int:
        """Where the first question after so many messages stands: none begins with the answer to one before it."""
        later = range(at, len(self.history))
        return next((i for i in later if self.history[i].role == "user"), len(self.history)) if at else 0


def up_to_question(branch: Sequence[Message]) -> Sequence[Message]:
    """The branch up to the last message that a person wrote: an import has tools' and hidden ones behind it."""
    asked = [at for at, message in enumerate(branch) if message.role == "user" and not message.hidden]
    return branch[: asked[-1] + 1] if asked else branch


def last_dropped(branch: Sequence[Message]) -> int:
    """How many messages of a branch its newest reply did not see; of one that goes on, when it began."""
    return next((message.dropped for message in reversed(branch) if message.prompt_tokens is not None), 0)


def to_messages(messages: Sequence[Message]) -> list[BaseMessage]:
    """Those of the records that a model reads, as LangChain's messages."""
    return [_to_message(messages[at]) for at in visible_indexes(messages)]


def visible_indexes(
    messages: Sequence[Message],
    calls: Mapping[int, Sequence[ToolCall]] | None = None,
    pictures: Mapping[int, Sequence[Placed]] | None = None,
) -> list[int]:
    """Where the questions that got some answer stand, and the answers; one with `calls` is one without a word too, and
    so is a question with `pictures`.
    """
    following = [*(None if message.hidden else message for message in messages[1:]), None]
    more = set(calls or ()) | set(pictures or ())
    return [at for at, message in enumerate(messages) if _is_visible(message, following[at], more)]


def to_steps(text: str, calls: Sequence[ToolCall], thinking: str = "") -> list[BaseMessage]:
    """A reply as a model wrote and read it: what it thought and said, its calls, their results, to its last words."""
    messages: list[BaseMessage] = []
    at = known = 0
    for _, grouped in groupby(calls, key=lambda call: call.step):
        step = list(grouped)
        said, at = text[at : step[0].position].lstrip("\n"), step[0].position
        beside, known = kept(thinking[known : step[0].thought].lstrip("\n")), max(known, step[0].thought)
        calling = AIMessage(said, tool_calls=list(map(_to_call, step)), additional_kwargs=beside)
        messages += [calling, *map(to_result, step)]
    rest = text[at:].lstrip("\n") if messages else text
    last = AIMessage(rest, additional_kwargs=kept(thinking[known:].lstrip("\n")))
    return [*messages, last] if rest.strip() or not messages else messages


def to_result(call: ToolCall) -> ToolMessage:
    """What a model reads of a call that is over."""
    return ToolMessage(call.result or NO_RESULT, tool_call_id=call.call_id, name=call.name)


def _to_call(call: ToolCall) -> Call:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    return Call(name=call.name, args=arguments if isinstance(arguments, dict) else {}, id=call.call_id)


def _to_message(row: Message, pictures: Mapping[int, Sequence[Placed]] | None = None) -> BaseMessage:
    if row.role == "user":
        return HumanMessage(_content(row.text, (pictures or {}).get(row.id, ())))
    return AIMessage(row.text, additional_kwargs=kept(row.thinking)) if row.thinking else AIMessage(row.text)


def _content(text: str, pictures: Sequence[Placed]) -> Any:
    """A text, with pictures as LangChain's content blocks, each where it stands in the text."""
    if not pictures:
        return text
    blocks, at = list[dict[str, Any]](), 0
    for each in sorted(pictures, key=lambda each: each.position):
        if said := text[at : each.position]:
            blocks.append({"type": "text", "text": said})
        at = max(at, each.position)
        blocks.append(vision.to_block(each.picture.mime_type, each.picture.base64))
    return [*blocks, {"type": "text", "text": text[at:]}] if text[at:] else blocks


def _is_visible(message: Message, after: Message | None, more: Set[int]) -> bool:
    if message.hidden:
        return False
    if message.role == "assistant":
        return _is_answer(message, more)
    unanswered = after is not None and after.role == "assistant" and not _is_answer(after, more)
    says = bool(message.text) or message.id in more
    return message.role == "user" and says and not unanswered


def _is_answer(message: Message, more: Set[int]) -> bool:
    return (bool(message.text) or message.id in more) and message.state != State.FAILED
