"""The body of a request, read with a limit and checked against a model. Knows no route.

JSON is read whatever content type a client sends: `curl -d` says it is a form.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from api.error import Problem, unfit
from api.setup import setup

Model = TypeVar("Model", bound=BaseModel)
PLACE = "#/components/schemas/{model}"
_documented: dict[str, type[BaseModel]] = {}


async def raw(request: Request) -> bytes:
    """The bytes. Raises Problem 413 for too many, 408 for a client that stops sending."""
    knobs = setup(request).knobs
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > knobs.max_body_bytes:
        raise too_large(knobs.max_body_bytes)
    found = bytearray()
    try:
        async with asyncio.timeout(knobs.send_timeout):
            async for chunk in request.stream():
                found += chunk
                if len(found) > knobs.max_body_bytes:
                    raise too_large(knobs.max_body_bytes)
    except TimeoutError:
        raise Problem(408, f"The body did not come within {knobs.send_timeout:g} seconds.", code="timeout") from None
    return bytes(found)


def too_large(limit: int) -> Problem:
    """The answer to a body beyond the limit, after which nobody reads the rest of it."""
    return Problem(413, f"The body is longer than {limit:,} bytes (MAX_BODY_BYTES).", code="body_too_large",
                   headers={"Connection": "close"})  # fmt: skip


def body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency: the body as JSON of this shape. Raises Problem 400 that names the field."""

    async def parsed(request: Request) -> Model:
        found = await raw(request)
        if not found.strip():
            raise Problem(400, "The body is empty: send a JSON object.", code="invalid_json")
        try:
            return model.model_validate_json(found)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                raise Problem(400, f"The body is no JSON: {first['ctx']['error']}.", code="invalid_json") from None
            raise unfit(error.errors()) from None

    return parsed


def documented(model: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """For a route's `openapi_extra`: what its body looks like, by named examples."""
    _documented[model.__name__] = model
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": {"$ref": PLACE.format(model=model.__name__)}, "examples": shown}}
    return {"requestBody": {"required": True, "content": content}}


def schemas() -> dict[str, Any]:
    """The JSON schemas of all documented bodies, for the OpenAPI document."""
    _, found = models_json_schema([(model, "validation") for model in _documented.values()], ref_template=PLACE)
    return dict(found.get("$defs", {}))
