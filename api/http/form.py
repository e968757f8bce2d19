"""A form with files (multipart/form-data), read with a limit and checked; files lie on disk. Knows no route."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.http.body import limit_stream, locate_errors, receiving
from api.http.errors import ApiError, validation_error
from api.http.state import get_state

Model = TypeVar("Model", bound=BaseModel)
MULTIPART = "multipart/form-data"
MAX_FIELDS, MAX_FILES = 50, 20
DEADLINE_BYTES = 1_000_000  # bytes for which a client has SEND_TIMEOUT once more
BINARY_SCHEMA = {"type": "string", "format": "binary"}


def is_multipart(request: Request) -> bool:
    """Whether the body is sent as multipart/form-data."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MULTIPART


@asynccontextmanager
async def parse_form(request: Request, limit: int | None = None, variable: str = "") -> AsyncIterator[FormData]:
    """The form, with its files open while the block runs. Raises ApiError 400 for what is no form, 413, 408, 499.

    All files together have at most `limit` bytes, which `variable` sets: those of one document, unless another is told.
    """
    if not is_multipart(request):
        raise ApiError(
            400, f"The body is no form: send {MULTIPART}, as `curl -F file=@notes.pdf` does.", code="invalid_form"
        )
    settings = get_state(request).api
    async with receiving(settings.send_timeout) as deadline:
        most = get_state(request).document_limits.max_bytes if limit is None else limit
        stream = _stream_with_deadline(request, deadline, most, variable or "DOCUMENTS_MAX_BYTES")
        parser = MultiPartParser(
            request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=settings.max_body_bytes
        )
        try:
            data = await parser.parse()
        except MultiPartException as error:
            raise ApiError(400, f"The body is no form that can be read: {error.message}", code="invalid_form") from None
        finally:
            await stream.aclose()
    try:
        yield data
    finally:
        await data.close()


async def _stream_with_deadline(
    request: Request, deadline: asyncio.Timeout, limit: int, variable: str
) -> AsyncGenerator[bytes, None]:
    """The bytes as they come: all files of a request together may be as long as one may be, beside the fields."""
    state, size = get_state(request), 0
    most = limit + state.api.max_body_bytes
    async for chunk in limit_stream(request, most, f"{variable} and MAX_BODY_BYTES together"):
        if size // DEADLINE_BYTES < (size := size + len(chunk)) // DEADLINE_BYTES:
            deadline.reschedule(asyncio.get_running_loop().time() + state.api.send_timeout)
        yield chunk


def form_files(data: FormData, name: str, *others: str) -> list[UploadFile]:
    """The files in the field `name`; an empty one without a name, which browsers send for none, is left out.

    Raises ApiError 400 for a field that is no file, and for a file elsewhere than there or in `others`.
    """
    for key, value in data.multi_items():
        if (key in (name, *others)) != isinstance(value, UploadFile):
            where = " or ".join(repr(each) for each in (name, *others))
            raise ApiError(
                400,
                f"{key}: files belong into {where}, each with its name, as `curl -F {name}=@notes.pdf` sends them.",
                code="invalid_value",
                param=key,
            )
    uploads = [value for value in data.getlist(name) if isinstance(value, UploadFile)]
    return [upload for upload in uploads if upload.filename or upload.size]


def form_fields(data: FormData, model: type[Model]) -> Model:
    """The other fields as a model, a repeated one as a list. Raises ApiError 400 that names the field."""
    values: dict[str, Any] = {}
    for key in data:
        texts = [value for value in data.getlist(key) if isinstance(value, str)]
        if texts:
            values[key] = texts if len(texts) > 1 else texts[0]
    try:
        return model.model_validate(values, strict=False)
    except ValidationError as error:
        raise validation_error(locate_errors(error.errors(), values)) from None


def only_file(data: FormData, fields: type[BaseModel], example: str) -> UploadFile:
    """The one file of a form, in `file`, beside these fields. Raises ApiError 400 for none, several, another field."""
    uploads = form_files(data, "file")
    form_fields(data, fields)
    if len(uploads) != 1:
        text = f"file: one file is wanted, {len(uploads)} came. Send it as `curl -F file=@{example}`."
        raise ApiError(400, text, code="invalid_value", param="file")
    return uploads[0]


def form_schema(schema: dict[str, Any], name: str, file_schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    """The OpenAPI content of such a body: the fields of a model's JSON `schema`, and files as `name`."""
    fields: dict[str, Any] = {
        field: _without_null(field_schema) for field, field_schema in schema["properties"].items()
    }
    constraints: dict[str, Any] = {key: schema[key] for key in ("required", "not") if key in schema}
    form: dict[str, Any] = {
        "type": "object",
        "properties": {**fields, name: file_schema},
        "additionalProperties": False,
        **constraints,
    }
    return {MULTIPART: {"schema": form, "examples": {name: {"value": value} for name, value in examples.items()}}}


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A field's schema as a form has it: there is no null in it."""
    schema: dict[str, Any] = {key: value for key, value in field.items() if key not in {"anyOf", "default", "title"}}
    alternatives: list[dict[str, Any]] = [
        alternative for alternative in field.get("anyOf", ()) if alternative != {"type": "null"}
    ]
    if len(alternatives) == 1:
        return {**schema, **alternatives[0]}
    return {**schema, "anyOf": alternatives} if alternatives else schema
