"""Middleware of Ray Serve's proxy: a request that none of our replicas answered may be sent again.

Serve says 500 where a replica dies before its first byte. Nothing has come back then, so it becomes 503 with
Retry-After. A reply that was answered is left alone: its connection is closed, and no `[DONE]` comes. Knows no route.
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_AFTER = "5"  # seconds after which a client may try again
REPLICA_GONE = {
    "error": {
        "message": f"The replica that had the request is gone. Try again in {RETRY_AFTER} seconds.",
        "type": "server_error",
        "param": None,
        "code": "replica_gone",
    }
}


class RetryMiddleware:
    """Answers 503 with Retry-After where no replica answers, and adds the header to each 503 that has none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = scope["type"] != "http"

        async def send_with_retry_after(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                if message["status"] == 503:  # of Serve itself, for one: a queue that is full
                    message.setdefault("headers", [])  # ASGI lets them be left out
                    MutableHeaders(scope=message).setdefault("Retry-After", RETRY_AFTER)
            await send(message)

        await self.app(scope, receive, send_with_retry_after)
        if not answered:
            await JSONResponse(REPLICA_GONE, 503, {"Retry-After": RETRY_AFTER})(scope, receive, send)


def gates() -> list[Middleware]:
    """The middleware that RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names."""
    return [Middleware(RetryMiddleware)]
