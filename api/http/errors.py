"""What goes wrong, as a client is told of it: a status and OpenAI's error object, the same for every route.

Knows kinds of failure; nothing of routes.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from pydantic import BaseModel
from starlette.exceptions import HTTPException

import backends
from api.http.context import request_context
from conversations.store import DatabaseError, MessageError, NotFoundError
from documents.errors import DocumentError, EmbeddingError

log = logging.getLogger(__name__)
CLIENT_CLOSED = 499  # nobody reads it: the client is gone
INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"
TOO_LONG = "The prompt is too long."  # langchain-openai knows this failure by its words, not by the code


class ApiError(Exception):
    """What a client is answered instead of a result: status, OpenAI's `type`, `code` and `param`, and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status)
        kind = kind or (INVALID_REQUEST if self.status < 500 else SERVER_ERROR)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class ErrorDetail(BaseModel):
    """What went wrong: `message` for people, `code` for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """Every answer that is no success."""

    error: ErrorDetail


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: that it may answer with these statuses."""
    return {status: {"model": ErrorBody} for status in statuses}


# The first kind that fits: status and code. What the backend's own server refuses is no fault of our client.
STATUSES: list[tuple[type[Exception], int, str | None]] = [
    (MessageError, 400, None),
    (EmbeddingError, 502, "embeddings_failed"),
    (DocumentError, 400, "invalid_file"),
    (NotFoundError, 404, "not_found"),
    (ContextOverflowError, 400, "context_length_exceeded"),
    (ModelInvalidRequestError, 400, None),
    (ModelRateLimitError, 429, "rate_limit_exceeded"),
    (ModelTimeoutError, 504, "backend_timeout"),
    (ModelAuthenticationError, 502, "backend_authentication"),
    (ModelPermissionDeniedError, 502, "backend_permission"),
    (ModelConnectionError, 502, "backend_connection"),
    (ModelNotFoundError, 503, "backend_unavailable"),
    (ModelError, 502, "backend_failed"),
    (DatabaseError, 503, "database_unavailable"),
]


def to_api_error(error: BaseException) -> ApiError:
    """A failure as a ApiError; one that nobody foresaw is logged and told without its text."""
    if isinstance(error, ApiError):
        return error
    found = next(((status, code) for kind, status, code in STATUSES if isinstance(error, kind)), None)
    if found is None:
        log.error("a request failed: %s", type(error).__name__, exc_info=error)
        return ApiError(500, f"The server failed ({type(error).__name__}); its log says more.", code="internal")
    status, code = found
    wait = backends.retry_after(error) if status == 429 else None
    text = f"{TOO_LONG} {error}" if isinstance(error, ContextOverflowError) else str(error)
    return ApiError(status, text, code=code, headers=None if wait is None else {"Retry-After": str(math.ceil(wait))})


def install_handlers(app: FastAPI) -> None:
    """Have every failure of a route answered in this form."""
    kinds: list[type[Exception]] = [ApiError, *(kind for kind, _, _ in STATUSES)]
    for kind in kinds:
        app.add_exception_handler(kind, _handle)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_validation)
    app.add_exception_handler(Exception, _handle_crash)


async def _handle(request: Request, error: Exception) -> JSONResponse:
    return _respond(request, to_api_error(error))


async def _handle_crash(_: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: the server logs it, and the id with which it is found there is in the answer."""
    said = ApiError(500, f"The server failed ({type(error).__name__}); its log says more.", code="internal")
    return JSONResponse(said.body, said.status, {"X-Request-ID": correlation_id.get() or ""})


def _respond(request: Request, found: ApiError) -> JSONResponse:
    request_context(request.scope).error = found.code or f"status_{found.status}"
    return JSONResponse(found.body, found.status, found.headers)


async def _handle_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    texts = {404: f"There is no {request.url.path}.", 405: f"{request.url.path} takes no {request.method}."}
    headers = {"Allow": _allowed_methods(request)} if error.status_code == 405 else error.headers
    said = ApiError(error.status_code, texts.get(error.status_code, str(error.detail)), headers=headers, code=None)
    return _respond(request, said)


def _allowed_methods(request: Request) -> str:
    """The methods of a path; its first route, which made this answer, knows its own alone."""
    path = getattr(request.scope.get("route"), "path", None)
    found = [route.methods or () for route in iter_route_contexts(request.app.routes) if route.path == path]
    return ", ".join(sorted({method for methods in found for method in methods}))


async def _handle_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _respond(request, validation_error(error.errors()))


def validation_error(errors: Any) -> ApiError:
    """What pydantic found wrong with a request: 400, naming the first field and what is wanted there."""
    first = errors[0]
    at = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"Unrecognized request argument supplied: {at}", code="unknown_parameter", param=at)
    said = f"{at}: {first['msg']}" if at else str(first["msg"])
    code = "unsupported_parameter" if first["type"] == "unsupported_parameter" else "invalid_value"
    return ApiError(400, said, code=code, param=at or None)
