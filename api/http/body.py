"""The body of a request, read with a limit and checked against a model. Knows no route.

JSON is read whatever content type a client sends: `curl -d` says it is a form.
"""

import asyncio
import json
import re
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
# Pictures in JSON: as data, in Ollama's list, which has no addresses, and as base64 elsewhere, where words have spaces.
PICTURE = re.compile(rb'data:image/[^"\\]*|"images"\s*:\s*\[[^][]*\]|[A-Za-z0-9+/=\\]{4096,}')
REF_TEMPLATE = "#/components/schemas/{model}"
_models: dict[str, type[BaseModel]] = {}


async def read_body(request: Request, *, pictures: bool = False) -> bytes:
    """The bytes of the body; `pictures`: those that it holds as base64 may take as many more as one picture has.

    Raises ApiError 413 for too many, 408 for a client that stops sending, 499 for one that is gone.
    """
    settings = get_state(request).api
    limit, variable = settings.max_body_bytes, "MAX_BODY_BYTES"
    most = limit + get_state(request).picture_limits.max_bytes * 4 // 3 if pictures else limit
    content = bytearray()
    async with receiving(settings.send_timeout):
        async for chunk in limit_stream(request, most, f"{variable} and PICTURES_MAX_BYTES" if pictures else variable):
            content += chunk
    if len(content) > limit and len(content) - sum(map(len, PICTURE.findall(content))) > limit:
        raise body_too_large(limit, variable)
    return bytes(content)


@asynccontextmanager
async def receiving(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """A deadline around the reading of a body.

    Raises ApiError 408 where it takes more than `seconds`, 499 where the client is gone.
    """
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


async def limit_stream(request: Request, limit: int, variable: str) -> AsyncGenerator[bytes, None]:
    """The bytes as they come. Raises ApiError 413 for more than `limit`, at once where Content-Length says so.

    `variable` names the setting that the limit is from.
    """
    content_length, size = request.headers.get("content-length", ""), 0
    if content_length.isdigit() and int(content_length) > limit:
        raise body_too_large(limit, variable)
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise body_too_large(limit, variable)
        yield chunk


def body_too_large(limit: int, variable: str) -> ApiError:
    """The answer to a body beyond the limit, after which nobody reads the rest of it."""
    return ApiError(
        413, f"The body is longer than {limit:,} bytes ({variable}).", code="body_too_large", headers=CLOSE_CONNECTION
    )


def json_body(
    model: type[Model], default: bytes = b"", *, pictures: bool = False
) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the body as JSON of this model, which may hold `pictures`; an empty one is `default`.

    It raises ApiError 400, naming the field, for what does not fit, and what `read_body` raises.
    """

    async def parse(request: Request) -> Model:
        content = (await read_body(request, pictures=pictures)).removeprefix(
            BOM_UTF8
        ).strip() or default  # Windows' editors write the mark
        if not content:
            raise ApiError(400, "The body is empty: send a JSON object.", code="invalid_json")
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                raise ApiError(400, f"The body is no JSON: {first['ctx']['error']}.", code="invalid_json") from None
            raise validation_error(locate_errors(error.errors(), from_json(content))) from None

    return parse


def locate_errors(errors: Iterable[Any], data: Any) -> list[Any]:
    """pydantic's errors, each located in the data, the innermost first: in unions `loc` names alternatives, too.

    Of two errors at one place a wrong type comes last: it is about the alternative that was not meant.
    """
    located = []
    for error in errors:
        path, value = [], data
        for part in error["loc"]:
            if part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int):
                path.append(part)
                value = value[part]
        missing = error["loc"][-1:] if error["type"] == "missing" else ()
        located.append({**error, "loc": (*path, *missing)})
    return sorted(located, key=lambda error: (-len(error["loc"]), error["type"].endswith("_type")))


def json_body_schema(model: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """A route's `openapi_extra` for a JSON body of this model, with named examples."""
    _models[model.__name__] = model
    values = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": {"$ref": REF_TEMPLATE.format(model=model.__name__)}, "examples": values}}
    return {"requestBody": {"required": True, "content": content}}


def add_schemas(schemas: dict[str, Any]) -> None:
    """Add the JSON schemas of all models given to `json_body_schema`, by name.

    Families name what their answers hold as they name what they are sent: what is sent is `…Sent` where both are there.
    """
    _, own = models_json_schema([(model, "validation") for model in _models.values()], ref_template=REF_TEMPLATE)
    sent = json.dumps(own.get("$defs", {}))
    for name, schema in own.get("$defs", {}).items():
        if schemas.get(name, schema) != schema:
            sent = sent.replace(f'"{name}": {{', f'"{name}Sent": {{').replace(f'/{name}"', f'/{name}Sent"')
    schemas.update(json.loads(sent))
