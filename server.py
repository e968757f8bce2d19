"""The server: the page, its database opened before the first visitor, and a cookie for each browser. Knows no model.

`python cli.py serve`, `streamlit run server.py` and `uvicorn server:app` start it.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import App

from conversations.database import DatabaseError, connect
from conversations.journal import interrupt
from conversations.owner import LIFETIME, cookies
from settings import ROOT, Settings, SettingsError

# Streamlit's own places: what they hold is never the page.
OTHERS = ("/_stcore/", "/component/", "/media/", "/static/")


def ready() -> None:
    """Bring the database up to date and read the cookies' key. Raises SettingsError."""
    try:
        settings = Settings.read()
        connect(settings.database_url)
        cookies(settings)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


class Life:
    """Refuses to start, in one line, where a setting is wrong or the database shut; at the end replies are kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            ready()
        except SettingsError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await self.app(scope, receive, send)
        interrupt()  # a server that is told to end dies of the signal, and nothing else runs after this


class OwnerCookie:
    """Gives the cookie to a browser that loads the page, and renews it; whatever else is served passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and _page(scope, message):
                _give(scope, MutableHeaders(raw=message["headers"]))
            await send(message)

        await self.app(scope, receive, sending)


def _page(scope: Scope, message: Message) -> bool:
    """Whether this answers with the page, be it with the page that the browser still has."""
    if any(place in scope["path"] for place in OTHERS):
        return False
    if message["status"] == 304:
        return "text/html" in Headers(scope=scope).get("accept", "")
    return bool(
        message["status"] == 200
        and MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/html")
    )


def _give(scope: Scope, headers: MutableHeaders) -> None:
    connection = HTTPConnection(scope)
    issued = cookies(Settings.read())
    badge = issued.held(connection.cookies) or issued.fresh(connection.cookies)
    answer = Response()
    answer.set_cookie(
        badge.name, issued.value(badge), max_age=int(LIFETIME.total_seconds()), httponly=True, samesite="lax",
        secure=scope["scheme"] == "https",
    )  # fmt: skip
    headers.append("set-cookie", answer.headers["set-cookie"])
    headers["cache-control"] = "private, no-cache"  # a cache between would hand one browser's cookie to others


app = App(ROOT / "app.py", middleware=[Middleware(Life), Middleware(OwnerCookie)])
