"""Words of strangers in a conversation: of documents, pictures, web pages and other results of tools, imported files.

Who wrote them may have written instructions. Where some stand in the window no call is made unasked that needs a
person's leave, and the person is shown which came last. Knows records; no tool and no page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chains.passages import location
from chains.report import Report
from conversations.replies.context import BranchContext
from conversations.store.schema import Message, ToolCall

HARMLESS = frozenset({"calculator", "date_time"})  # tools of ours whose results nobody else writes
LONGEST = 600  # characters of a passage that are shown


def last_passage(context: BranchContext, calls: Sequence[ToolCall], report: Report) -> dict[str, Any] | None:
    """What came last of strangers' words, as `source` and `text`; None where there are none.

    `calls` are those of this reply that are over, `report` knows the passages of this prompt. What the window has
    dropped counts as well: the model's own words may come from it.
    """
    if strange := _newest(calls):
        return _of_call(strange)
    if report.passages:
        passage = report.passages[0]
        return {"source": location(passage), "text": passage.page_content[:LONGEST]}
    for message in reversed([*context.history, context.question]):
        if strange := _newest(context.calls.get(message.id, ())):
            return _of_call(strange)
        if message.id == context.cited:
            return {"source": "a document, which an earlier reply was made from", "text": message.text[:LONGEST]}
        if shown := context.pictures.get(message.id):
            names = ", ".join(each.picture.name for each in shown)
            return {"source": f"a picture ({names})", "text": message.text[:LONGEST]}
        if message.imported:
            return {"source": "an imported conversation", "text": message.text[:LONGEST]}
    if context.foreign_system:
        return {"source": context.foreign_system, "text": (context.system or "")[:LONGEST]}
    return None


def holders(messages: Sequence[Message], calls: Mapping[int, Sequence[ToolCall]], cited: Mapping[int, Any]) -> set[int]:
    """The ids of the messages that hold such words: made with results of tools or with documents, or imported."""
    return {
        message.id
        for message in messages
        if message.imported or cited.get(message.id) or _newest(calls.get(message.id, ())) is not None
    }


def _newest(calls: Sequence[ToolCall]) -> ToolCall | None:
    """The last of the calls whose result a stranger may have written."""
    over = [call for call in calls if call.strange and call.result and call.finished is not None]
    return max(over, key=lambda call: (call.finished or 0.0, call.id), default=None)


def _of_call(call: ToolCall) -> dict[str, Any]:
    origin = f" ({call.origin})" if call.origin else ""
    return {"source": f"{call.name}{origin}", "text": (call.result or "")[:LONGEST]}
