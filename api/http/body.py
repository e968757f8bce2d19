"""The body of a request, read with a limit and checked against a model. Knows no route.

JSON is read whatever content type a client sends: `curl -d` says it is a form.
"""

import asyncio
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from api.http.errors import CLIENT_CLOSED, ApiError, validation_error
from api.http.state import get_state

Model = TypeVar("Model", bound=BaseModel)
CLOSE_CONNECTION = {"Connection": "close"}  # nobody reads the rest of a body that was refused
REF_TEMPLATE = "#/components/schemas/{model}"
_models: dict[str, type[BaseModel]] = {}


async def read_body(request: Request) -> bytes:
    """The bytes. Raises ApiError 413 for too many, 408 for a client that stops sending, 499 for one that is gone."""
    settings = get_state(request).api
    found = bytearray()
    async with receiving(settings.send_timeout):
        async for chunk in limit_stream(request, settings.max_body_bytes, "MAX_BODY_BYTES"):
            found += chunk
    return bytes(found)


@asynccontextmanager
async def receiving(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """While a body is read. Raises ApiError 408 where it takes more than `seconds`, 499 where nobody sends."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except TimeoutError:
        raise ApiError(
            408,
            f"The body did not come within {seconds:g} seconds (SEND_TIMEOUT).",
            code="timeout",
            headers=CLOSE_CONNECTION,
        ) from None
    except ClientDisconnect:
        raise ApiError(CLIENT_CLOSED, "The client is gone.") from None


async def limit_stream(request: Request, limit: int, knob: str) -> AsyncGenerator[bytes, None]:
    """The bytes as they come. Raises ApiError 413 for more than `limit`: at once where their number is told."""
    said, size = request.headers.get("content-length", ""), 0
    if said.isdigit() and int(said) > limit:
        raise body_too_large(limit, knob)
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise body_too_large(limit, knob)
        yield chunk


def body_too_large(limit: int, knob: str) -> ApiError:
    """The answer to a body beyond the limit, after which nobody reads the rest of it."""
    return ApiError(
        413, f"The body is longer than {limit:,} bytes ({knob}).", code="body_too_large", headers=CLOSE_CONNECTION
    )


def json_body(model: type[Model], absent: bytes = b"") -> Callable[[Request], Awaitable[Model]]:
    """A dependency: the body as JSON of this shape, or `absent`. Raises ApiError 400 that names the field."""

    async def parsed(request: Request) -> Model:
        found = (await read_body(request)).removeprefix(BOM_UTF8).strip() or absent  # Windows' editors write the mark
        if not found:
            raise ApiError(400, "The body is empty: send a JSON object.", code="invalid_json")
        try:
            return model.model_validate_json(found)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                raise ApiError(400, f"The body is no JSON: {first['ctx']['error']}.", code="invalid_json") from None
            raise validation_error(locate_errors(error.errors(), from_json(found))) from None

    return parsed


def locate_errors(errors: Iterable[Any], data: Any) -> list[Any]:
    """The errors, each at its place in the data, the innermost first: unions name their alternatives too.

    Of two at one place that of another type comes last: it is told of the alternative that was not meant.
    """
    placed = []
    for error in errors:
        at, here = [], data
        for part in error["loc"]:
            if part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int):
                at.append(part)
                here = here[part]
        missing = error["loc"][-1:] if error["type"] == "missing" else ()
        placed.append({**error, "loc": (*at, *missing)})
    return sorted(placed, key=lambda error: (-len(error["loc"]), error["type"].endswith("_type")))


def json_body_schema(model: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """For a route's `openapi_extra`: what its body looks like, by named examples."""
    _models[model.__name__] = model
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": {"$ref": REF_TEMPLATE.format(model=model.__name__)}, "examples": shown}}
    return {"requestBody": {"required": True, "content": content}}


def body_schemas() -> dict[str, Any]:
    """The JSON schemas of all documented bodies, for the OpenAPI document."""
    _, found = models_json_schema([(model, "validation") for model in _models.values()], ref_template=REF_TEMPLATE)
    return dict(found.get("$defs", {}))
