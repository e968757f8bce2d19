"""The answers of `/v1/responses`: the response, its one message, its items, the events of a stream. Knows no route."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.errors import ApiError
from api.openai.annotations import FileCitation
from api.openai.choices import Usage

Status = Literal["completed", "incomplete", "in_progress", "failed"]
Truncation = Literal["auto", "disabled"]
ID, MESSAGE_ID = "resp_5f0d2a8c3b7e41d69a1c0e4f7b2d8365", "msg_0b6c1f9e2d7a48c3951e7f3a6d0c82b4"
RESPONSE_EXAMPLE: dict[str, JsonValue] = {
    "id": ID,
    "object": "response",
    "created_at": 1795273831,
    "status": "completed",
    "model": "default",
    "output": [
        {
            "id": MESSAGE_ID,
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "I am fine, thank you!", "annotations": [], "logprobs": []}],
        }
    ],
    "previous_response_id": None,
    "store": True,
}
ITEM_EXAMPLE: dict[str, JsonValue] = {
    "id": MESSAGE_ID,
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "hi, how are you?"}],
}
LIST_EXAMPLE: dict[str, JsonValue] = {
    "object": "list",
    "data": [ITEM_EXAMPLE],
    "first_id": MESSAGE_ID,
    "last_id": MESSAGE_ID,
    "has_more": False,
}


class OutputText(BaseModel):
    """The text of a message."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[FileCitation] = []
    logprobs: list[None] = []


class OutputMessage(BaseModel):
    """The assistant's message."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: Status
    content: list[OutputText]


class IncompleteDetails(BaseModel):
    """Details of a text that ended early."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(BaseModel):
    """A failure in the middle of a stream."""

    code: str
    message: str


class InputTokensDetails(BaseModel):
    """Details of the input's tokens: none is cached for a client to count on."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(BaseModel):
    """Details of the output's tokens: all are text."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens; those that the backend's server does not tell are estimated."""

    input_tokens: int
    input_tokens_details: InputTokensDetails = InputTokensDetails()
    output_tokens: int
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()
    total_tokens: int
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where some are an estimate")


class TextFormat(BaseModel):
    """The form of a text: plain."""

    type: Literal["text"] = "text"


class TextConfig(BaseModel):
    """The settings of the output's text."""

    format: TextFormat = TextFormat()


class ReasoningConfig(BaseModel):
    """How much thought was asked for; no summary of it is made."""

    effort: str | None = None
    summary: None = None


class Response(BaseModel):
    """The answer; `model` is the name that was asked for, and `store` says whether it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [RESPONSE_EXAMPLE]})

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status = "in_progress"
    background: Literal[False] = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, Any]
    model: str
    output: list[OutputMessage] = []
    parallel_tool_calls: bool = False
    previous_response_id: str | None = None
    reasoning: ReasoningConfig = ReasoningConfig()
    store: bool
    temperature: float | None
    text: TextConfig = TextConfig()
    tool_choice: Literal["none"] = "none"
    tools: list[None] = []
    top_p: float | None
    truncation: Truncation = "disabled"
    usage: ResponseUsage | None = None

    def finish(self, message: OutputMessage, cut: str | None, usage: Usage) -> "Response":
        """This response at its end; `cut` is why the text ended early."""
        response_usage = ResponseUsage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            estimated=usage.estimated,
        )
        details = IncompleteDetails.model_validate({"reason": cut}) if cut else None
        return self.model_copy(
            update={
                "status": message.status,
                "output": [message],
                "incomplete_details": details,
                "usage": response_usage,
            }
        )

    def fail(self, error: ApiError) -> "Response":
        """This response after a failure; the code is one that OpenAI's clients know."""
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        return self.model_copy(update={"status": "failed", "error": ResponseError(code=code, message=error.message)})


class ResponseDeleted(BaseModel):
    """A response that was deleted: it is gone, with its items."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID, "object": "response", "deleted": True}]})

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class ItemList(BaseModel):
    """A page of the items of a response's input; `has_more`: ask again with `after` for the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [LIST_EXAMPLE]})

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


def opening_events(started: Response, message_id: str) -> Iterator[dict[str, Any]]:
    """The events before the text of message `message_id`."""
    snapshot = started.model_dump(mode="json")
    message = OutputMessage(id=message_id, status="in_progress", content=[])
    yield {"type": "response.created", "response": snapshot}
    yield {"type": "response.in_progress", "response": snapshot}
    yield {"type": "response.output_item.added", "output_index": 0, "item": message.model_dump(mode="json")}
    yield {"type": "response.content_part.added", **text_position(message_id), "part": OutputText(text="").model_dump()}


def closing_events(ended: Response) -> Iterator[dict[str, Any]]:
    """The events after the text, the whole response last."""
    message = ended.output[0]
    part = message.content[0]
    position = text_position(message.id)
    for number, annotation in enumerate(part.annotations):
        told = {"annotation_index": number, "annotation": annotation.model_dump()}
        yield {"type": "response.output_text.annotation.added", **position, **told}
    yield {"type": "response.output_text.done", **position, "text": part.text, "logprobs": []}
    yield {"type": "response.content_part.done", **position, "part": part.model_dump()}
    yield {"type": "response.output_item.done", "output_index": 0, "item": message.model_dump(mode="json")}
    yield {"type": f"response.{ended.status}", "response": ended.model_dump(mode="json")}


def text_position(message_id: str) -> dict[str, Any]:
    """The fields that say where a text stands: in the one part of the one message."""
    return {"item_id": message_id, "output_index": 0, "content_index": 0}
