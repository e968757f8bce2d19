"""Failures as Anthropic's clients know them: a type by the status, a message, and the id of the request."""

from typing import Any, Literal

from asgi_correlation_id import correlation_id
from pydantic import BaseModel

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


class ErrorDetail(BaseModel):
    """A failure: `type` for programs, `message` for people."""

    type: str
    message: str


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
    return ErrorBody(error=ErrorDetail(type=kind, message=message), request_id=correlation_id.get()).model_dump()
