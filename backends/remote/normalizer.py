"""The body of an answer, as a server sends it, into the body that OpenAI would send: streamed, whole, or a failure.

Knows bodies, statuses and what the SDK raises; nothing of connections.
"""

import re
from collections.abc import Callable, Iterator

import httpx2
import openai

from backends.remote.beginnings import BEGINNINGS
from backends.remote.canonical import Renderer
from backends.remote.chunk import Chunk, WrongShapeError
from backends.remote.error_body import ErrorBody, read_error
from backends.remote.inline import InlineReader
from backends.remote.reader import ErrorRow, IncompleteReplyError, ReplyReader
from openai_account import is_official

ROUTE = re.compile(r"(?P<chat>/chat)?/completions/?$")
STATUS_ERRORS: dict[int, Callable[..., openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
SHORTEST_KEY = 8  # characters: less than that is no key, but "none"
NO_STATUS = 502  # of a failure that names none, where the SDK wants one: the server behind the address failed


class BrokenReplyError(openai.APIError):
    """An answer that ended before the reply did."""


class NoReplyError(openai.APIError):
    """An answer that holds nothing of a reply."""


class BodyNormalizer:
    """One answer's body, fed with bytes."""

    def __init__(self, response: httpx2.Response) -> None:
        """`response` is the answer, to a request that `is_completion` has found to be one for a reply."""
        self._response = response
        match = ROUTE.search(response.request.url.path)
        is_chat = match is None or match["chat"] is not None
        self._inline = inline_reader(response.request) if is_chat else None
        self._reader = ReplyReader(response.charset_encoding, self._inline)
        self._renderer = Renderer(self._reader, is_chat)
        self._is_ended = False

    @property
    def is_finished(self) -> bool:
        """Whether all of the reply is there."""
        return self._reader.is_finished

    @property
    def is_done(self) -> bool:
        """Whether the server said that nothing follows."""
        return self._reader.is_done

    @property
    def has_begun(self) -> bool:
        """Whether some of the reply is there."""
        return self._reader.begun

    def stream(self, data: bytes) -> Iterator[bytes]:
        """The events that these bytes complete; all of them once the server says that nothing follows.

        Raises openai.APIError kinds.
        """
        for chunk in self.read(data):
            yield self.render(chunk)
        if self.is_done:
            yield from self.end_stream()

    def read(self, data: bytes) -> Iterator[Chunk]:
        """What these bytes add, where `stream` would write it at once; `render` does. Raises openai.APIError kinds."""
        if self._is_ended:
            return
        try:
            yield from self._reader.feed(data)
        except (ErrorRow, WrongShapeError) as error:
            raise self._as_api_error(error) from error

    def render(self, chunk: Chunk) -> bytes:
        """The event of what was read."""
        return self._renderer.chunk(chunk)

    def end_stream(self) -> Iterator[bytes]:
        """The events that are left when nothing more comes. Raises openai.APIError kinds."""
        if self._is_ended:
            return
        self._is_ended = True
        try:
            for chunk in self._reader.finish():
                yield self._renderer.chunk(chunk)
        except (ErrorRow, WrongShapeError, IncompleteReplyError) as error:
            raise self._as_api_error(error) from error
        self._learn()
        yield self._renderer.end()

    def whole(self, data: bytes) -> tuple[int, bytes]:
        """The status and the body for the whole body that came; where it holds a failure, that of a failure."""
        chunks: list[Chunk] = []
        try:
            chunks.extend(self._reader.feed(data))
            chunks.extend(self._reader.finish())
        except (ErrorRow, WrongShapeError, IncompleteReplyError) as error:
            body = self._error_body(error)
            return body.status or NO_STATUS, body.as_json()
        self._learn()
        return self._response.status_code, self._renderer.whole(chunks)

    def _learn(self) -> None:
        """Note how the reply began, for those after it."""
        inline, reader, request = self._inline, self._reader, self._response.request
        if inline is None:
            return
        is_wrong = inline.is_trusted or (inline.is_lost and reader.finish_reason != "length")
        if is_wrong and (reader.has_prompt or BEGINNINGS.expected(request) is not None):
            BEGINNINGS.learn(request, None)
        elif reader.has_prompt:
            BEGINNINGS.learn(request, reader.prompt_form)
        elif inline.is_plain and not inline.is_trusted and (form := reader.began_within()) is not None:
            BEGINNINGS.learn(request, form)

    def _error_body(self, error: ErrorRow | WrongShapeError | IncompleteReplyError) -> ErrorBody:
        """What went wrong, as the server says it or in our words."""
        body = error.error if isinstance(error, ErrorRow) else ErrorBody(describe(error), None, {})
        return hide_key(body, self._response.request)

    def _as_api_error(self, error: ErrorRow | WrongShapeError | IncompleteReplyError) -> openai.APIError:
        """What the SDK would raise, had the server answered with a status."""
        request, response, body = self._response.request, self._response, self._error_body(error)
        if isinstance(error, WrongShapeError):
            return openai.APIResponseValidationError(response, None, message=body.message)
        if isinstance(error, IncompleteReplyError):
            return (BrokenReplyError if error.begun else NoReplyError)(body.message, request, body=None)
        fields = {**body.fields, "message": body.message}
        if body.status is None or (kind := status_error(body.status)) is None:
            return openai.APIError(body.message, request, body=fields)
        return kind(body.message, response=response, body=fields)


def inline_reader(request: httpx2.Request) -> InlineReader | None:
    """What tells thinking apart in the text of the reply to a request; None for OpenAI's own, which leaves none."""
    if is_official(str(request.url)):
        return None
    reader = InlineReader()
    reader.expect(BEGINNINGS.expected(request))
    return reader


def is_completion(request: httpx2.Request) -> bool:
    """Whether a request is one for a reply."""
    return request.method == "POST" and ROUTE.search(request.url.path) is not None


def failure_body(response: httpx2.Response) -> bytes:
    """The body, in OpenAI's form, of an answer that was read and whose status is that of a failure."""
    text = response.text
    if response.has_redirect_location:
        target = response.headers["location"].partition("?")[0]
        text = f"it sends the request on to {target} (status {response.status_code})"
    return hide_key(read_error(text, response.status_code), response.request).as_json()


def hide_key(error: ErrorBody, request: httpx2.Request) -> ErrorBody:
    """The failure without the request's key, which some servers say back."""
    key = request.headers.get("authorization", "").rpartition(" ")[2]
    return error if len(key) < SHORTEST_KEY else error._replace(message=error.message.replace(key, "(hidden)"))


def status_error(status: int) -> Callable[..., openai.APIStatusError] | None:
    """What the SDK raises for a status of a failure; None for one that is none."""
    if status >= 500:
        return openai.InternalServerError
    return STATUS_ERRORS.get(status, openai.APIStatusError) if status >= 400 else None


def describe(error: WrongShapeError | IncompleteReplyError) -> str:
    """What is wrong with an answer, on one line."""
    words = str(error)
    if isinstance(error, WrongShapeError):
        return f"its answer has not the shape of OpenAI's: {words}"
    if error.begun:
        return f"the reply broke off before its end: {words}" if words else "the reply broke off before its end"
    return f"no reply came, but {words}" if words else "nothing came"
