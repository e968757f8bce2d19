"""Which web pages may call: none but this server's own and those of CORS_ORIGINS. Knows headers; no route, no key.

A browser sends forms to any address, so without this every page that somebody visits could spend his backend. A name
that suddenly leads to this machine would make a foreign page this server's own: where no key is asked for, a page that
calls over the loopback address must come from this machine, too.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.context import request_context
from api.http.errors import ApiError, error_body
from api.http.state import AppState

EXPOSED_HEADERS = [
    "X-Request-ID",
    "X-Ignored-Fields",
    "Retry-After",
    *(f"X-RateLimit-{kind}-{what}" for kind in ("Limit", "Remaining", "Reset") for what in ("Requests", "Tokens")),
]


class OriginMiddleware:
    """Middleware: 403 for a page that may not call; CORS answers where CORS_ORIGINS is set."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._apps: dict[tuple[str, ...], ASGIApp] = {(): app}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: AppState = scope["app"].state.api
        error = origin_error(scope, state)
        if error is not None:
            request_context(scope).error = error.code
            await JSONResponse(error_body(scope["path"], error), error.status)(scope, receive, send)
            return
        await self._with_cors(state.api.cors_origins)(scope, receive, send)

    def _with_cors(self, origins: tuple[str, ...]) -> ASGIApp:
        """The application as pages of these origins reach it: settings are read after the application is made."""
        if origins not in self._apps:
            self._apps[origins] = CORSMiddleware(
                self.app,
                allow_origins=origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=EXPOSED_HEADERS,
            )
        return self._apps[origins]


def origin_error(scope: Scope, state: AppState) -> ApiError | None:
    """The refusal of a page that may not call; None where it may, and for whoever is no page."""
    headers = Headers(scope=scope)
    origin, allowed = headers.get("origin"), state.api.cors_origins
    if origin is None or "*" in allowed or origin in allowed:
        return None
    host = _netloc(origin)
    if not host or host != headers.get("host", "").lower():
        return _forbidden("origin_not_allowed", "Pages of another origin may not call this server.")
    if state.settings.api_keys or state.settings.api_keys_file or not _is_loopback((scope.get("server") or ("",))[0]):
        return None
    if is_local_host(host):
        return None
    return _forbidden("host_not_allowed", "This server was reached at this machine under a name it does not know.")


def _forbidden(code: str, text: str) -> ApiError:
    return ApiError(403, f"{text} Name the origin (https://host) in CORS_ORIGINS to allow it.", code=code)


def _netloc(origin: str) -> str:
    """The host:port of an origin; "" for what is none, as `null` is."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def is_local_host(host: str) -> bool:
    """Whether a host:port can only be this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
