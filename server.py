"""The server: page and API in one process on one port, and a cookie for each browser. Knows no model.

`python cli.py serve`, `streamlit run server.py` and `uvicorn server:app` start it.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import App

from api.application import app as api
from api.application import route_paths
from api.lifespan import LifespanMiddleware, lifespan
from conversations.replies import running_replies
from identity import LIFETIME, cookies
from page.session.presses import PressQueue
from page.stream import routes as stream_routes
from settings import ROOT, Settings

UNKNOWN = ("/v1/{rest:path}", "/api/{rest:path}")  # OpenAI's and Ollama's clients get their own form of a 404
# Under these paths of Streamlit's own, and the API's, is never the page.
STREAMLIT_PATHS = ("/_stcore/", "/component/", "/media/", "/static/", "/docs")


class OwnerCookieMiddleware:
    """Middleware: gives its cookie to a browser that loads the page, and renews it; other answers pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(scope, message):
                _set_owner_cookie(scope, MutableHeaders(raw=message["headers"]))
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _is_page(scope: Scope, message: Message) -> bool:
    """Whether this answers with the page, be it with the page that the browser still has."""
    if any(path in scope["path"] for path in STREAMLIT_PATHS):
        return False
    if message["status"] == 304:
        return "text/html" in Headers(scope=scope).get("accept", "")
    return bool(
        message["status"] == 200
        and MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/html")
    )


def _set_owner_cookie(scope: Scope, headers: MutableHeaders) -> None:
    connection = HTTPConnection(scope)
    issued = cookies(Settings.read())
    browser_id = issued.read(connection.cookies) or issued.issue(connection.cookies)
    response = Response()
    response.set_cookie(
        browser_id.cookie_name,
        issued.sign(browser_id),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=scope["scheme"] == "https",
    )
    headers.append("set-cookie", response.headers["set-cookie"])
    headers["cache-control"] = "private, no-cache"  # a cache between would hand one browser's cookie to others


def _is_ending() -> bool:
    """Whether the server was told to end and no reply is written any more, so that there is nothing left to follow."""
    return getattr(api.state, "api", None) is not None and api.state.api.shutting_down and not running_replies()


app = App(
    ROOT / "app.py",
    # A path's parameters are the API's own affair.
    routes=[*stream_routes(_is_ending), *(Route(path, endpoint=api) for path in (*route_paths(), *UNKNOWN))],
    middleware=[
        Middleware(LifespanMiddleware, lifespan=lambda: lifespan(api)),
        Middleware(OwnerCookieMiddleware),
        Middleware(PressQueue),
    ],
)
