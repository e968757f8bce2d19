"""The API's one application: its routes by family, how failures are answered, and its OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import body, error, health
from api.life import Life, living
from settings import VERSION

ABOUT = "One chain, any model behind it. The page's conversations, reply jobs and chain, over HTTP."

app = FastAPI(title="LLM Assistant", version=VERSION, description=ABOUT, docs_url=None, redoc_url=None)
for family in (health,):
    app.include_router(family.router)
error.install(app)
app.add_middleware(Life, living=lambda: living(app))


def paths() -> list[str]:
    """Every path of the API but `/`, for a server that has a page there."""
    return [path for path in dict.fromkeys(getattr(route, "path", "") for route in app.routes) if path not in {"", "/"}]


def document() -> dict[str, Any]:
    """The OpenAPI document, with the bodies that routes read by themselves."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        made.setdefault("components", {}).setdefault("schemas", {}).update(body.schemas())
        app.openapi_schema = made
    return app.openapi_schema


app.openapi = document  # type: ignore[method-assign]
