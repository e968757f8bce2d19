"""`GET /docs` and `GET /openapi.json`: the API's description, and a page to try it. Nothing comes from another host.

The page's program is Swagger UI as the package fastapi_offline holds it.
"""

from importlib.resources import files
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from api.http.auth import CurrentPrincipal

router = APIRouter(include_in_schema=False)
Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png"}
# The page's own few lines stand in it; whatever else it might reach for, the browser refuses.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


@router.get("/openapi.json")
async def openapi_document(request: Request, principal: CurrentPrincipal) -> dict[str, Any]:
    """The OpenAPI document of all routes."""
    schema: dict[str, Any] = request.app.openapi()
    return schema


@router.get("/docs")
async def swagger_ui(request: Request, principal: CurrentPrincipal) -> HTMLResponse:
    """Swagger UI, a page to try the routes."""
    root = request.scope.get("root_path", "")
    response = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=request.app.title,
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},  # a stranger's server would check the document
    )
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


@router.get("/docs/{name}")
def asset(name: Asset, principal: CurrentPrincipal) -> Response:
    """A file of the page: its program, its style, its icon."""
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=media_type, headers={"Cache-Control": "private, max-age=86400"})
