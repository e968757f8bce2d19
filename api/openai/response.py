"""The answers of `/v1/responses`: the response, what was thought for it, its message, its calls. Knows no route."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.answers import NOTICE
from api.http.errors import ApiError
from api.openai.annotations import FileCitation
from api.openai.choices import Usage
from api.openai.own_items import ApprovalRequest, OwnCall

Status = Literal["completed", "incomplete", "in_progress", "failed", "requires_action"]
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


class FunctionCallItem(BaseModel):
    """A function that the client is to carry out, with its arguments as JSON."""

    id: str
    type: Literal["function_call"] = "function_call"
    status: Status
    call_id: str
    name: str
    arguments: str


class ReasoningText(BaseModel):
    """What was thought, word for word."""

    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class SummaryText(BaseModel):
    """What was thought, for a client that asked for a summary: nothing here makes a shorter one."""

    type: Literal["summary_text"] = "summary_text"
    text: str


class ReasoningOutput(BaseModel):
    """What the model thought, in one of two places: `summary` where the request asks for one, else `content`."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    status: Status
    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: None = None


OutputItem = Annotated[
    ReasoningOutput | OutputMessage | FunctionCallItem | ApprovalRequest | OwnCall, Field(discriminator="type")
]


class IncompleteDetails(BaseModel):
    """Details of a text that ended early."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(BaseModel):
    """A failure in the middle of a stream."""

    code: str
    message: str


class InputTokensDetails(BaseModel):
    """Details of the input's tokens: `cached_tokens` were known from an earlier request."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(BaseModel):
    """Details of the output's tokens: all others are text."""

    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Tokens; those that the backend's server does not tell are estimated."""

    input_tokens: int
    input_tokens_details: InputTokensDetails = InputTokensDetails()
    output_tokens: int
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()
    total_tokens: int
    estimated: bool = Field(False, exclude_if=lambda value: not value, description="there where some are an estimate")


class TextConfig(BaseModel):
    """The settings of the output's text."""

    format: dict[str, Any] = Field({"type": "text"}, description="the form of the text, as it was asked for")


class ReasoningConfig(BaseModel):
    """How much thought was asked for, and whether as a summary."""

    effort: str | None = None
    summary: str | None = None


class Response(BaseModel):
    """The answer; `model` is the name that was asked for, and `store` says whether it is kept.

    Where tools of this server were called it tells a turn of a `conversation`; with `requires_action` a call waits.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [RESPONSE_EXAMPLE]})

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status = "in_progress"
    conversation: dict[str, str] | None = Field(None, exclude_if=lambda conversation: conversation is None)
    background: Literal[False] = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, Any]
    model: str
    output: list[OutputItem] = []
    parallel_tool_calls: bool = False
    previous_response_id: str | None = None
    reasoning: ReasoningConfig = ReasoningConfig()
    store: bool
    temperature: float | None
    text: TextConfig = TextConfig()
    tool_choice: str | dict[str, Any] = Field("none", description="as it was asked for")
    tools: list[dict[str, Any]] = Field([], description="as they were offered")
    top_p: float | None
    truncation: Truncation = "disabled"
    usage: ResponseUsage | None = None
    notice: str | None = Field(None, exclude_if=lambda notice: notice is None, description=NOTICE)

    def finish(
        self, output: Sequence[OutputItem], cut: str | None, usage: Usage, notice: str | None = None
    ) -> "Response":
        """This response at its end; `cut` is why the text ended early."""
        details, known = usage.completion_tokens_details, usage.prompt_tokens_details
        response_usage = ResponseUsage(
            output_tokens_details=OutputTokensDetails(reasoning_tokens=details.reasoning_tokens if details else 0),
            input_tokens=usage.prompt_tokens,
            input_tokens_details=InputTokensDetails(cached_tokens=known.cached_tokens if known else 0),
            output_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            estimated=usage.estimated,
        )
        incomplete = IncompleteDetails.model_validate({"reason": cut}) if cut else None
        return self.model_copy(
            update={
                "status": "incomplete" if cut else "completed",
                "output": list(output),
                "notice": notice,
                "incomplete_details": incomplete,
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
