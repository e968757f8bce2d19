"""What goes wrong, as a client is told of it: a status and OpenAI's error object, the same for every route.

Knows kinds of failure; nothing of routes.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
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

from chains.answer import retry_after
from conversations.database import DatabaseError
from conversations.store import NotFoundError
from conversations.text import MessageError

log = logging.getLogger(__name__)
INVALID = "invalid_request_error"
FAILED = "server_error"


class Problem(Exception):
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
        kind = kind or (INVALID if self.status < 500 else FAILED)
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


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: that it may answer with these statuses."""
    return {status: {"model": ErrorBody} for status in statuses}


# The first kind that fits: status and code. What the backend's own server refuses is no fault of our client.
KINDS: list[tuple[type[Exception], int, str | None]] = [
    (MessageError, 400, None),
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


def problem(error: BaseException) -> Problem:
    """A failure as a Problem; one that nobody foresaw is logged and told without its text."""
    if isinstance(error, Problem):
        return error
    found = next(((status, code) for kind, status, code in KINDS if isinstance(error, kind)), None)
    if found is None:
        log.error("a request failed: %s", type(error).__name__, exc_info=error)
        return Problem(500, f"The server failed ({type(error).__name__}); its log says more.", code="internal")
    status, code = found
    wait = retry_after(error) if status == 429 else None
    return Problem(status, str(error), code=code, headers=None if wait is None else {"Retry-After": f"{wait:.0f}"})


def install(app: FastAPI) -> None:
    """Have every failure of a route answered in this form."""
    kinds: list[type[Exception]] = [Problem, *(kind for kind, _, _ in KINDS)]
    for kind in kinds:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    found = problem(error)
    return JSONResponse(found.body, found.status, found.headers)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    texts = {404: f"There is no {request.url.path}.", 405: f"{request.url.path} takes no {request.method}."}
    said = Problem(error.status_code, texts.get(error.status_code, str(error.detail)), headers=error.headers, code=None)
    return JSONResponse(said.body, said.status, said.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = unfit(error.errors())
    return JSONResponse(said.body, said.status)


def unfit(errors: Any) -> Problem:
    """What pydantic found wrong with a request: 400, naming the first field and what is wanted there."""
    first = errors[0]
    at = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "extra_forbidden":
        return Problem(400, f"Unrecognized request argument supplied: {at}", code="unknown_parameter", param=at)
    said = f"{at}: {first['msg']}" if at else str(first["msg"])
    return Problem(400, said, code="invalid_value", param=at or None)
