"""The API's one application: its routes by family, how failures are answered, and its OpenAPI document."""

import re
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from api.anthropic import messages
from api.anthropic.errors import PATH as MESSAGES
from api.anthropic.errors import ErrorBody as AnthropicError
from api.anthropic.errors import shape
from api.exchange import exports, imports, links
from api.http import body, cost, docs, errors, health, log, metrics, trace
from api.http.access_log import AccessLogMiddleware
from api.http.origin import OriginMiddleware
from api.lifespan import LifespanMiddleware, lifespan
from api.llama import routes as llama
from api.mcp import routes as mcp
from api.ollama import routes as ollama
from api.ollama.errors import PATH as OLLAMA
from api.ollama.errors import OllamaError
from api.ollama.errors import error_body as ollama_shape
from api.openai import answer_now, chat, completions, control, embeddings, files, models, responses
from api.predict import routes
from api.projects import exchange as project_files
from api.projects import routes as projects
from api.sms import webhook
from conversations.replies import listeners
from settings import VERSION

REQUEST_ID = re.compile(
    r"[A-Za-z0-9_.:/+=-]{1,100}"
)  # another id of a client's is not used: it goes into every line of the log
DESCRIPTION = "One chain, any model behind it. The page's conversations, reply jobs and chain, over HTTP."

app = FastAPI(
    title="LLM Assistant",
    version=VERSION,
    description=DESCRIPTION,
    openapi_url=None,
    docs_url=None,
    redoc_url=None,
    telemetry=trace.TELEMETRY,
)
# These demand a key where one is set, and what they answer counts for the limits.
for family in (
    *(
        routes,
        project_files,
        projects,
        models,
        chat,
        completions,
        responses,
        embeddings,
        answer_now,
        control,
        files,
        llama,
        mcp,
    ),
    *(exports, imports, links),
):
    app.include_router(family.router, dependencies=[cost.rate_limited], responses=errors.error_responses(401, 403, 429))
app.include_router(
    messages.router,
    dependencies=[messages.named, cost.rate_limited],
    responses=errors.error_responses(401, 403, 429, model=AnthropicError),
)
app.include_router(
    ollama.router,
    dependencies=[cost.rate_limited],
    responses=errors.error_responses(401, 403, 429, model=OllamaError),
)
errors.shapes[MESSAGES] = shape
errors.shapes[OLLAMA] = ollama_shape
# These say for themselves what they ask for.
for family in (health, metrics, docs, webhook):
    app.include_router(family.router)
app.include_router(links.open_router)
errors.install_handlers(app)
app.add_middleware(OriginMiddleware)  # from the innermost to the outermost
app.add_middleware(AccessLogMiddleware)
app.add_middleware(CorrelationIdMiddleware, validator=lambda sent: bool(REQUEST_ID.fullmatch(sent)))
app.add_middleware(LifespanMiddleware, lifespan=lambda: lifespan(app))
for listener in (metrics.observe_reply, cost.charge, log.log_reply, trace.trace_reply):
    listeners.append(listener)


def route_paths() -> list[str]:
    """Every path of the API but `/`, for a server that has its page there."""
    paths = dict.fromkeys(route.path for route in iter_route_contexts(app.routes))
    return [path for path in paths if path not in {None, "", "/"}]


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, with the models of bodies that routes read themselves."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document.setdefault("components", {}).setdefault("schemas", {})
        body.add_schemas(document["components"]["schemas"])
        app.openapi_schema = document
    return app.openapi_schema


app.openapi = openapi_document  # type: ignore[method-assign]
