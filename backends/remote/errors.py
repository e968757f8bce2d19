"""A server's failures as LangChain's ModelError kinds, each with its cause and a remedy. Knows no request."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from backends.remote.error_body import one_line
from backends.remote.normalizer import BrokenReplyError, NoReplyError
from backends.remote.overflow import is_context_overflow, is_rate_limit


class RequestRateLimitError(ModelRateLimitError):
    """A single request above what the account may send in a minute: waiting mends nothing."""

    is_retryable = False


# What the SDK raises, what it is to LangChain, and what a person can do about it; the first that fits counts.
ERROR_KINDS: list[tuple[type[Exception], type[ModelError], str]] = [
    (ContextOverflowError, ContextOverflowError, "Shorten the message, or set OPENAI_N_CTX."),
    (openai.AuthenticationError, ModelAuthenticationError, "Check OPENAI_API_KEY."),
    (openai.PermissionDeniedError, ModelPermissionDeniedError, "This key may not use this model; choose another."),
    (openai.NotFoundError, ModelNotFoundError, "Check OPENAI_MODEL and OPENAI_BASE_URL."),
    (
        RequestRateLimitError,
        RequestRateLimitError,
        "Shorten the message, or raise the account's limit: one request is above it.",
    ),
    (openai.RateLimitError, ModelRateLimitError, "Wait a little, or check the account's limits."),
    (openai.BadRequestError, ModelInvalidRequestError, "Unset the knob that the server names."),
    (openai.UnprocessableEntityError, ModelInvalidRequestError, "Unset the knob that the server names."),
    (openai.APITimeoutError, ModelTimeoutError, "Try again, or raise OPENAI_TIMEOUT."),
    (openai.APIConnectionError, ModelConnectionError, "Check OPENAI_BASE_URL and that the server runs."),
    (openai.InternalServerError, ModelAPIError, "The server failed; try again."),
    (openai.APIStatusError, ModelInvalidRequestError, "The server refused the request."),
    (openai.LengthFinishReasonError, ModelInvalidRequestError, "Raise max_tokens, or ask for a smaller object."),
    (
        openai.ContentFilterFinishReasonError,
        ModelInvalidRequestError,
        "The server's filter cut it; ask otherwise.",
    ),
    (BrokenReplyError, ModelConnectionError, "Try again."),
    (NoReplyError, ModelConnectionError, "Does OPENAI_BASE_URL end in /v1?"),
    (openai.APIResponseValidationError, ModelAPIError, "Try again, or ask another server."),
    (openai.APIError, ModelAPIError, "The server failed in mid-reply; try again."),
    (json.JSONDecodeError, ModelAPIError, "The server sent something that is no JSON; try again."),
    (TimeoutError, ModelTimeoutError, "Nothing came for too long; try again."),  # what LangChain raises itself
    (httpx2.TimeoutException, ModelTimeoutError, "Try again, or raise OPENAI_TIMEOUT."),
    (httpx2.HTTPError, ModelConnectionError, "The connection broke; try again."),
]

STATUS_KINDS: dict[int, type[Exception]] = {408: openai.APITimeoutError, 425: openai.InternalServerError}

# What a later try, or another server, may mend, in words that hold nothing of the request.
BRIEF_CAUSES: dict[type[ModelError], str] = {
    ModelRateLimitError: "it has too many requests",
    ModelTimeoutError: "it did not answer in time",
    ModelConnectionError: "it cannot be reached, or broke off",
    ModelAPIError: "it failed",
}


@contextmanager
def translate_errors(server: str) -> Iterator[None]:
    """A block whose failures are raised as ModelError kinds that name server, cause and remedy."""
    try:
        yield
    except tuple(kind for kind, _, _ in ERROR_KINDS) as error:
        fitting = _fitting_kind(error)
        kind, remedy = next((to, text) for of, to, text in ERROR_KINDS if issubclass(fitting, of))
        raise kind(f"openai ({server}): {_cause(error)} {remedy}") from error


def is_server_error(error: ModelError) -> bool:
    """Whether a failure is the server's and not the request's, so that another server may do better."""
    if isinstance(error, ModelNotFoundError):  # it has no model at all, or is something else than a server of models
        return not isinstance(error.__cause__, openai.NotFoundError)
    return isinstance(error, tuple(BRIEF_CAUSES))


def brief_cause(error: ModelError) -> str:
    """The cause of a failure in a few words, none of which is the server's or the request's."""
    if isinstance(error, ModelAuthenticationError):
        return "it refuses the key"
    return next(
        (sentence for kind, sentence in BRIEF_CAUSES.items() if isinstance(error, kind)), "it does not serve the model"
    )


def _fitting_kind(error: Exception) -> type[Exception]:
    """The type whose line in ERROR_KINDS tells of a failure: its own, unless its words say better what it is."""
    if is_context_overflow(error):
        return ContextOverflowError
    if is_rate_limit(error):
        return RequestRateLimitError
    if type(error) is openai.APIStatusError:  # the SDK has no class for this status
        is_elsewhere = error.status_code < 400 or error.status_code == 405  # a page, and no server of models
        return openai.NotFoundError if is_elsewhere else STATUS_KINDS.get(error.status_code, type(error))
    return type(error)


def _cause(error: Exception) -> str:
    body = getattr(error, "body", None)
    detail = body.get("message") if isinstance(body, dict) else body
    text = one_line(str(detail or error)) or type(error).__name__
    return text if text.endswith((".", "!", "?", "…")) else text + "."
