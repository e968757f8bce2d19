"""The access log: a line, and metrics, of each request: how long it took, how it ended, who called.

Knows the route's template, never the path as it was sent: a path may hold what only its sender knows.
"""

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import metrics
from api.http.context import RequestContext, request_context
from api.http.errors import CLIENT_CLOSED
from api.http.exposure import warn_if_exposed

log = logging.getLogger("api.access")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "(none)"  # the route of a path that is none of ours


class AccessLogMiddleware:
    """Middleware around all that answers: logs and counts each request, and adds its context's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, started, status = request_context(scope), time.perf_counter(), 0
        warn_if_exposed(scope["app"].state.api, (scope.get("server") or ("",))[0])

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(context.headers)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
            status = status or CLIENT_CLOSED
        finally:
            _record(scope, context, status or 500, time.perf_counter() - started)


def _record(scope: Scope, context: RequestContext, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", NO_ROUTE)
    method = scope["method"] if scope["method"] in METHODS else "(other)"
    error = context.error or ("internal" if status >= 500 else None)
    metrics.observe_request(route, method, status, seconds, error)
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "caller": context.caller,
    }
    log.info("request", extra=fields if error is None else {**fields, "error": error})
