"""The HTTP clients that OpenAI's SDK is given: whatever a server answers, the SDK and LangChain read OpenAI's own form.

Knows connections and answers; what a body says is read in `normalizer`.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, suppress
from functools import cache
from typing import Any

import httpx2
import openai

from backends.remote.chunk import Chunk
from backends.remote.gathering import gather
from backends.remote.normalizer import BodyNormalizer, BrokenReplyError, failure_body, is_completion

ssl_context = cache(httpx2.create_ssl_context)  # one for all clients: it takes longer to make than all else
PROXY = "OPENAI_PROXY"  # LangChain's variable, for the clients that it makes
KEPT_METHOD = (307, 308)  # redirections that repeat the request; others would ask for a page in its place
OF_THE_BODY = ("content-encoding", "content-length", "content-type", "transfer-encoding")


class HTTPClient(openai.DefaultHttpxClient):
    """The SDK's client; it keeps the environment's proxies, as httpx does by itself."""

    def __init__(self, **options: Any) -> None:
        """`options` are httpx's."""
        super().__init__(**with_defaults(options))

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """The answer in OpenAI's form. Raises httpx2.HTTPError kinds."""
        if not is_completion(request):
            return self._normalize_failure(super().send(request, stream=True, **options), stream)
        response = self._send_on(request, **options)
        if response.is_success and stream:
            return with_body(response, stream=NormalizedStream(response))
        if response.is_success:
            return whole_response(response, response.read())
        return self._normalize_failure(response, stream)

    def _send_on(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The answer to a request for a reply, sent on as often as servers say where it is to go."""
        options["follow_redirects"] = False
        response = super().send(request, stream=True, **options)
        for _ in range(self.max_redirects):
            if response.status_code not in KEPT_METHOD or response.next_request is None:
                break
            response.close()
            response = super().send(response.next_request, stream=True, **options)
        return response

    @staticmethod
    def _normalize_failure(response: httpx2.Response, stream: bool) -> httpx2.Response:
        if response.is_success:
            if not stream:
                response.read()
            return response
        response.read()
        return with_body(response, content=failure_body(response))

    def __del__(self) -> None:
        with suppress(AttributeError):  # of a client that could not be made
            self.close()


class AsyncHTTPClient(openai.DefaultAsyncHttpxClient):
    """The same for an event loop."""

    def __init__(self, **options: Any) -> None:
        """`options` are httpx's."""
        super().__init__(**with_defaults(options))

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """The answer in OpenAI's form. Raises httpx2.HTTPError kinds."""
        if not is_completion(request):
            return await self._normalize_failure(await super().send(request, stream=True, **options), stream)
        response = await self._send_on(request, **options)
        if response.is_success and stream:
            return with_body(response, stream=NormalizedAsyncStream(response))
        if response.is_success:
            return whole_response(response, await response.aread())
        return await self._normalize_failure(response, stream)

    async def _send_on(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        options["follow_redirects"] = False
        response = await super().send(request, stream=True, **options)
        for _ in range(self.max_redirects):
            if response.status_code not in KEPT_METHOD or response.next_request is None:
                break
            await response.aclose()
            response = await super().send(response.next_request, stream=True, **options)
        return response

    @staticmethod
    async def _normalize_failure(response: httpx2.Response, stream: bool) -> httpx2.Response:
        if response.is_success:
            if not stream:
                await response.aread()
            return response
        await response.aread()
        return with_body(response, content=failure_body(response))


class NormalizedStream(httpx2.SyncByteStream):
    """The events of an answer in OpenAI's form; whoever begins to read again goes on where the last one stopped."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._events = self._read(BodyNormalizer(response))

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Close the connection."""
        self._events.close()
        self._response.close()

    def _read(self, body: BodyNormalizer) -> Generator[bytes]:
        try:
            for part in self._response.iter_bytes():
                yield from body.stream(part)
        except httpx2.RequestError as error:
            raise_unless_finished(error, body)
        yield from body.end_stream()


class NormalizedAsyncStream(httpx2.AsyncByteStream):
    """The same for an event loop."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._events = self._read(BodyNormalizer(response))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._events

    async def aclose(self) -> None:
        """Close the connection."""
        await self._events.aclose()
        await self._response.aclose()

    async def _read(self, body: BodyNormalizer) -> AsyncGenerator[bytes]:
        async with aclosing(gather(self._chunks(body))) as chunks:
            async for chunk in chunks:
                if chunk is not None:
                    yield body.render(chunk)
                    continue
                for event in body.end_stream():
                    yield event
        for event in body.end_stream():
            yield event

    async def _chunks(self, body: BodyNormalizer) -> AsyncGenerator[Chunk | None]:
        """What comes, with None once all of the reply has: what follows is read, so that the connection can stay."""
        is_told = False
        try:
            async for part in self._response.aiter_bytes():
                for chunk in body.read(part):
                    yield chunk
                if body.is_done and not is_told:
                    is_told = True
                    yield None
        except httpx2.RequestError as error:
            raise_unless_finished(error, body)


def with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """These options of a client, with certificates that all share, and LangChain's proxy where it is set."""
    return {"verify": ssl_context(), "proxy": os.environ.get(PROXY) or None, **options}


def with_body(response: httpx2.Response, **body: Any) -> httpx2.Response:
    """The answer with another body: `content` or `stream`, decompressed, JSON or server-sent events."""
    headers = response.headers.copy()  # with bytes that are no text, too
    for name in OF_THE_BODY:
        headers.pop(name, None)
    headers["content-type"] = "text/event-stream" if "stream" in body else "application/json"
    status, request, extensions = response.status_code, response.request, response.extensions
    return httpx2.Response(status, headers=headers, request=request, extensions=extensions, **body)


def whole_response(response: httpx2.Response, body: bytes) -> httpx2.Response:
    """The answer that is read whole, in OpenAI's form; one that holds a failure has its status."""
    status, content = BodyNormalizer(response).whole(body)
    changed = with_body(response, content=content)
    changed.status_code = status
    return changed


def raise_unless_finished(error: httpx2.RequestError, body: BodyNormalizer) -> None:
    """Pass over a connection that breaks after the last word. Raises what it is before that."""
    if body.is_finished:
        return
    if isinstance(error, httpx2.TimeoutException) or not body.has_begun:
        raise error
    raise BrokenReplyError("the connection broke off before the reply's end", error.request, body=None) from error
