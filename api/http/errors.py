"""Failures as clients are answered: a status and OpenAI's error object, or that of the family whose path was asked.

Knows kinds of failure; nothing of routes.
"""

import logging
import math
from collections.abc import Callable, Mapping
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
from conversations.store import AnsweredError, DatabaseError, MessageError, NotFoundError
from documents.errors import DocumentError, EmbeddingError

log = logging.getLogger(__name__)
CLIENT_CLOSED = 499  # nobody reads it: the client is gone
INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"
TOO_LONG = "The prompt is too long."  # langchain-openai knows this failure by its words, not by the code


class ApiError(Exception):
    """An answer in the place of a result: status, OpenAI's `type`, `code` and `param`, and headers."""

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


Shape = Callable[[ApiError], dict[str, Any]]
shapes: dict[str, Shape] = {}  # the JSON of a failure by how a path begins, where a family of clients has its own


def error_body(path: str, error: ApiError) -> dict[str, Any]:
    """The JSON of a failure at this path, as the clients know it who ask there."""
    shape = next((shape for beginning, shape in shapes.items() if path.startswith(beginning)), None)
    return error.body if shape is None else shape(error)


class ErrorDetail(BaseModel):
    """A failure: `message` for people, `code` for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorDetail


def error_responses(*statuses: int, model: type[BaseModel] = ErrorBody) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for these statuses, documented as errors; `model` is the family's own form."""
    return {status: {"model": model} for status in statuses}


# The first kind that fits: status and code. What the backend's own server refuses is no fault of our client.
STATUSES: list[tuple[type[Exception], int, str | None]] = [
    (AnsweredError, 409, "call_answered"),
    (MessageError, 400, None),
    (EmbeddingError, 502, "embeddings_failed"),
    (DocumentError, 400, "invalid_file"),
    (NotFoundError, 404, "not_found"),
    (ContextOverflowError, 400, "context_length_exceeded"),
    (backends.UnsupportedOptionError, 400, "unsupported_parameter"),
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
    """A failure as an ApiError; one that nobody foresaw is logged, and its text is left out."""
    if isinstance(error, ApiError):
        return error
    match = next(((status, code) for kind, status, code in STATUSES if isinstance(error, kind)), None)
    if match is None:
        log.error("a request failed: %s", type(error).__name__, exc_info=error)
        return _internal_error(error)
    status, code = match
    wait = backends.retry_after(error) if status == 429 else None
    text = f"{TOO_LONG} {error}" if isinstance(error, ContextOverflowError) else str(error)
    headers = None if wait is None else {"Retry-After": str(math.ceil(wait))}
    return ApiError(status, text, code=code, param=getattr(error, "option", None), headers=headers)


def install_handlers(app: FastAPI) -> None:
    """Register handlers that answer every failure of a route in this form."""
    kinds: list[type[Exception]] = [ApiError, *(kind for kind, _, _ in STATUSES)]
    for kind in kinds:
        app.add_exception_handler(kind, _handle)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_validation)
    app.add_exception_handler(Exception, _handle_crash)


async def _handle(request: Request, error: Exception) -> JSONResponse:
    return _respond(request, to_api_error(error))


async def _handle_crash(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: the server logs it, and the id with which it is found there is in the answer."""
    answer = _internal_error(error)
    body = error_body(request.scope["path"], answer)
    return JSONResponse(body, answer.status, {"X-Request-ID": correlation_id.get() or ""})


def _internal_error(error: BaseException) -> ApiError:
    return ApiError(500, f"The server failed ({type(error).__name__}); its log says more.", code="internal")


def _respond(request: Request, error: ApiError) -> JSONResponse:
    request_context(request.scope).error = error.code or f"status_{error.status}"
    return JSONResponse(error_body(request.scope["path"], error), error.status, error.headers)


async def _handle_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    texts = {404: f"There is no {request.url.path}.", 405: f"{request.url.path} takes no {request.method}."}
    headers = {"Allow": _allowed_methods(request)} if error.status_code == 405 else error.headers
    message = texts.get(error.status_code, str(error.detail))
    return _respond(request, ApiError(error.status_code, message, headers=headers))


def _allowed_methods(request: Request) -> str:
    """The methods of a path; its first route, which made this answer, knows its own alone."""
    path = getattr(request.scope.get("route"), "path", None)
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path == path]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


async def _handle_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _respond(request, validation_error(error.errors()))


def validation_error(errors: Any) -> ApiError:
    """ApiError 400 for pydantic's errors: it names the first field and what is wanted there."""
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"Unrecognized request argument supplied: {field}", code="unknown_parameter", param=field)
    message = f"{field}: {first['msg']}" if field else str(first["msg"])
    code = "unsupported_parameter" if first["type"] == "unsupported_parameter" else "invalid_value"
    return ApiError(400, message, code=code, param=field or None)
