"""Failures as Anthropic's clients know them: a type by the status, a message, and the id of the request."""

from typing import Any, Literal

from asgi_correlation_id import correlation_id
from pydantic import BaseModel, Field

from api.http.errors import ApiError

PATH = "/v1/messages"  # where failures have this form
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# What the chain's options are called by these clients.
NAMES = {
    "reasoning_effort": "thinking",
    "reasoning_budget": "thinking.budget_tokens",
    "response_format": "output_config.format",
}
# Their clients ask whether this server keeps what was said, and go on without where they are told so in these words.
THREAD = "thread"
NO_THREADS = {"error_code": "thread_unsupported_request", "unsupported": [THREAD]}


class ErrorDetail(BaseModel):
    """A failure: `type` for programs, `message` for people."""

    type: str
    message: str
    details: dict[str, Any] | None = Field(None, exclude_if=lambda value: value is None, description="for programs")


class ErrorBody(BaseModel):
    """The body of every answer that is no success; with `request_id` it is found in the server's log."""

    type: Literal["error"] = "error"
    error: ErrorDetail
    request_id: str | None


def shape(error: ApiError) -> dict[str, Any]:
    """The JSON of a failure."""
    kind = TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    name = NAMES.get(error.param or "")
    message = f"{name}: {error.message}" if name else error.message
    detail = ErrorDetail(type=kind, message=message, details=NO_THREADS if error.param == THREAD else None)
    return ErrorBody(error=detail, request_id=correlation_id.get()).model_dump()
