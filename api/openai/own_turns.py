"""A response whose model calls this server's own tools: a turn of a conversation, which waits for a person as any does.

Made, gone on from, answered by items of approval, and told again as it is by now. Knows conversations and items; no
route.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from api.http.errors import ApiError
from api.http.jobs import Job
from api.openai.choices import Usage, finish_reason
from api.openai.context import ResponseContext
from api.openai.own_items import OPEN, request_id, to_item
from api.openai.picture_part import to_picture
from api.openai.response import OutputMessage, OutputText, Response
from api.openai.response_events import OutputItems
from backends import vision
from conversations.replies import GenerationRequest, Reply, approval, turn
from conversations.store import (
    Decision,
    Message,
    NotFoundError,
    State,
    Store,
    ToolCall,
    check_message,
    pictures,
    responses,
)


@dataclass(frozen=True)
class Since:
    """What of a reply earlier responses have told: so many characters of its text, these calls, and what it thought."""

    text: int = 0
    calls: Sequence[int] = ()
    thinking: str = ""

    def kept(self) -> dict[str, Any]:
        """As it is kept with a response."""
        return {"text": self.text, "calls": list(self.calls), "thinking": self.thinking}


@dataclass(frozen=True)
class OwnTurn:
    """The reply of `row`, which this response tells from `since` on; `asked` are ids of calls that were asked about."""

    row: Message
    since: Since = Since()
    asked: Mapping[int, str] = field(default_factory=dict)


def begin(
    store: Store,
    context: ResponseContext,
    names: Sequence[str],
    instructions: str | None,
    request: GenerationRequest,
) -> tuple[OwnTurn, Reply]:
    """Add the input to the conversation of the response before, or to a new one, and start the reply.

    Raises ApiError 400 for an input that ends with no message of the user's, MessageError.
    """
    _reject_functions(context)
    said = context.new_messages() if context.message_id is not None else context.messages(None)
    talk = [each for each in said if each.type in {"human", "ai"} and (each.text or vision.has_pictures(each))]
    if not talk or talk[-1].type != "human":
        text = "input: its last item has to be a message of the user's."
        raise ApiError(400, text, code="invalid_value", param="input")
    *earlier, question = talk
    systems = [*([instructions] if instructions else []), *(str(each.text) for each in said if each.type == "system")]
    asked, fields = _columns(question), {"tools": list(names), "system": "\n\n".join(systems)}
    text = check_message(asked["text"], beside=bool(asked["pictures"]))
    added = [*map(_columns, earlier), {"text": text, "pictures": asked["pictures"]}]
    row, reply = turn.go_on(store, context.message_id, added, request, fields)
    return OwnTurn(row), reply


def _reject_functions(context: ResponseContext) -> None:
    """Raise ApiError 400 for calls of the client's functions: nobody here could go on from them."""
    kinds = {item.value["type"] for item in context.input} & {"function_call", "function_call_output"}
    if kinds:
        text = f"input: {' and '.join(sorted(kinds))} beside this server's own tools: send a message."
        raise ApiError(400, text, code="invalid_value", param="input")


def _columns(message: BaseMessage) -> dict[str, Any]:
    """A message of the input as it is kept; what the client says that an assistant said is a stranger's."""
    is_own, shown, text = message.type == "human", list[pictures.Placed](), ""
    for block in message.content if isinstance(message.content, list) else [message.content]:
        if isinstance(block, dict) and vision.is_picture(block):
            shown.append(pictures.Placed(to_picture(block), len(text)))
        else:
            text += block if isinstance(block, str) else str(block.get("text") or "")
    return {"role": "user" if is_own else "assistant", "text": text, "imported": not is_own, "pictures": shown}


def answer(
    store: Store, given: Mapping[str, bool], previous_id: str | None, request: GenerationRequest
) -> tuple[OwnTurn, Reply]:
    """Answer the calls of these ids, as a person has decided, and have their reply go on.

    Raises ApiError 404 for an id that nobody was asked with, 400 where another call of the reply waits, too, and
    AnsweredError where a call waits no more.
    """
    asked = {identity: _find(store, identity, previous_id) for identity in given}
    numbers = {call.id: identity for identity, call in asked.items()}
    message_id = next(iter(asked.values())).message_id
    calls = store.calls(message_id)
    if left := [call.name for call in calls if call.waiting and call.id not in numbers]:
        raise ApiError(
            400,
            f"input: {', '.join(left)} waits for an answer, too. Answer all calls of a response at once.",
            code="invalid_value",
            param="input",
        )
    asking = store.message(message_id)
    over = [call.id for call in calls if call.status not in OPEN]
    since = Since(len(asking.text), over, asking.thinking or "")
    row, reply = store.message(message_id), None
    for identity, call in asked.items():
        decision = Decision.ONCE if given[identity] else Decision.NO
        row, reply = approval.answer(store, call.id, decision, "api", request)
    if reply is None:
        raise ApiError(409, "Another call of this reply waits by now. Look at the response.", code="call_waits")
    return OwnTurn(row, since, numbers), reply


def _find(store: Store, identity: str, previous_id: str | None) -> ToolCall:
    """The call that a response asked about under this id."""
    for response_id, call in responses.asked_calls(store, previous_id):
        if request_id(response_id, call.id) == identity:
            return call
    raise ApiError(404, f"input: nobody was asked with the id {identity[:100]!r}.", code="not_found", param="input")


@dataclass(frozen=True)
class OwnDraft:
    """A response whose reply is being made, or waits for a person."""

    response: Response
    store: Store
    job: Job
    turn: OwnTurn
    context: ResponseContext
    days: int
    items: OutputItems

    def finish(self) -> Response:
        """The response with all that it tells, kept before anybody hears of it. Raises DatabaseError."""
        reply = self.job.replies[0]
        cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish_reason(reply))
        state = State(reply.state)
        output = own_output(self.store, self.response.id, self.turn, reply.text, self.items.message_id)
        thinking = reply.report.thinking.text.removeprefix(self.turn.since.thinking).lstrip()
        output = [*self.items.of_thoughts(thinking, is_cut=bool(cut) and not reply.text), *output]
        ended = self.response.finish(output, None if state == State.REQUIRES_ACTION else cut, usage_of(reply))
        ended = ended.model_copy(update={"conversation": {"id": self.turn.row.conversation_id}})
        if state == State.REQUIRES_ACTION:
            ended = ended.model_copy(update={"status": "requires_action"})
        self._keep(ended)
        return ended

    def _keep(self, ended: Response) -> None:
        body = {**ended.model_dump(mode="json"), "since": self.turn.since.kept(), "asked": dict(self.turn.asked)}
        output = [responses.Item(item, is_ours=True) for item in body["output"]]
        responses.save(
            self.store,
            ended.id,
            body,
            self.context.input,
            output,
            history=self.context.history,
            days=self.days,
            message_id=self.turn.row.id,
        )


def own_output(store: Store, response_id: str, told: OwnTurn, text: str, message_id: str) -> list[Any]:
    """The items of a reply, without what earlier responses told: what it says stands before calls that wait."""
    calls = [call for call in store.calls(told.row.id) if call.id not in told.since.calls]
    items = [item for call in calls if (item := to_item(response_id, call, told.asked)) is not None]
    new = text[told.since.text :].lstrip("\n") if told.since.text else text
    message = OutputMessage(id=message_id, status="completed", content=[OutputText(text=new)])
    if any(call.waiting for call in calls):
        return [*([message] if new.strip() else []), *items]
    return [*items, message]


def usage_of(reply: Reply) -> Usage:
    """The tokens of all prompts of a reply, and of what the model wrote to them."""
    report = reply.report
    prompt = report.read_before + (report.prompt_tokens or 0)
    completion = report.written_before + (report.completion_tokens or report.pieces)
    cached = report.cached_before + report.cached_tokens
    return Usage.of(prompt, completion, report.thinking_tokens, report.has_estimates, cached)


def as_of_now(store: Store, body: dict[str, Any], message_id: int) -> dict[str, Any]:
    """A kept response that waited for a person, as its reply is by now: somebody may have answered elsewhere."""
    if body["status"] != "requires_action":
        return body
    calls = store.calls(message_id)  # which brings expired ones in order
    try:
        row = store.message(message_id)
    except NotFoundError:
        return body
    if row.live or any(call.status in OPEN and not call.waiting for call in calls):
        return {**body, "status": "in_progress"}
    requests = {call.id: request_id(body["id"], call.id) for call in calls}
    items = {item["id"] for item in body["output"]}
    asked = {int(number): identity for number, identity in body["asked"].items()}
    asked |= {number: identity for number, identity in requests.items() if identity in items}
    said = next((item["id"] for item in body["output"] if item["type"] == "message"), f"msg_{body['id'][5:]}")
    told = OwnTurn(row, Since(**body["since"]), asked)
    output = [item for item in body["output"] if item["type"] == "reasoning"]
    output += [item.model_dump(mode="json") for item in own_output(store, body["id"], told, row.text, said)]
    waits = row.state == State.REQUIRES_ACTION
    return {
        **body,
        "output": output,
        "status": "requires_action" if waits else _ENDED.get(State(row.state), "completed"),
    }


_ENDED = {State.FAILED: "failed", State.STOPPED: "incomplete", State.INTERRUPTED: "incomplete"}
