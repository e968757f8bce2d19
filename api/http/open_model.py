"""Bodies that may hold fields nobody here knows: those that did nothing are named in a header and in the log.

Knows fields; no route and no family of clients.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, model_validator

from api.http.body import json_body
from api.http.context import request_context
from api.http.errors import ApiError
from api.http.refused import NOTHING, NoEffect, Refused, Table, is_empty
from api.http.sse import event_stream_response

log = logging.getLogger(__name__)
IGNORED_HEADER = "x-ignored-fields"
MAX_HEADER = 500  # characters
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Body = TypeVar("Body", bound="OpenModel")


class OpenModel(BaseModel):
    """A part of a request that may hold fields that nobody here knows."""

    model_config = ConfigDict(extra="allow", strict=True)

    def ignored_fields(self) -> Iterator[str]:
        """The fields that were sent and do nothing, those of the parts by their path, without numbers."""
        for name, value in (self.model_extra or {}).items():
            if not is_empty(value):
                yield name
        for name in type(self).model_fields:
            value = getattr(self, name)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, OpenModel):
                    yield from (f"{name}.{inner}" for inner in part.ignored_fields())


class OpenRequest(OpenModel):
    """A request whose fields are sorted out: those that it declares do something, and of the others `table` knows some.

    `documented` are those of the table that the OpenAPI document names; `asks_when_empty` fields say something by being
    empty.
    """

    table: ClassVar[Table] = {}
    documented: ClassVar[Table] = {}
    asks_when_empty: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _sort_out(cls, data: Any) -> Any:
        """Leave out what asks for nothing and what has no effect. Raises ApiError 400 for what cannot be done."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if cls._counts(name, value)}

    @classmethod
    def _counts(cls, name: str, value: Any) -> bool:
        """Whether a field is to be looked at."""
        if name in cls.model_fields:
            kept = name in cls.asks_when_empty or cls.model_fields[name].is_required()
            return kept or not is_empty(value)
        field = cls.table.get(name)
        if isinstance(field, Refused) and not field.accepts(value):
            raise ApiError(400, f"{name}: {field.remedy}", code="unsupported_parameter", param=name)
        return field is None and not is_empty(value)


def add_schemas(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Complete the JSON Schema of a request by the documented fields of its table, and by empty values for its own.

    Pydantic's `json_schema_extra`.
    """
    assert issubclass(model, OpenRequest)
    properties = schema["properties"]
    for name in properties.keys() - set(schema.get("required", ())) - model.asks_when_empty:
        properties[name] = _or_empty(properties[name])
    for name, field in model.documented.items():
        if name not in model.model_fields:
            properties[name] = (
                {"description": "no answer depends on it"}
                if isinstance(field, NoEffect)
                else {"description": "refused for any other value", **field.json_schema()}
            )


def _or_empty(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field that may be null or empty as well."""
    notes: dict[str, Any] = {name: schema[name] for name in ("default", "description", "title") if name in schema}
    rest = {name: value for name, value in schema.items() if name not in notes}
    kinds = [kind for kind in rest.get("anyOf", [rest]) if kind != {"type": "null"}]
    return {"anyOf": [*kinds, {"enum": list(NOTHING)}], **notes}


def request_body(model: type[Body], *, pictures: bool = False) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads the body as `json_body` does, and tells the client which of its fields do nothing."""
    read = json_body(model, pictures=pictures)

    async def parse(request: Request) -> Body:
        body = await read(request)
        if ignored := format_names(body.ignored_fields()):
            request_context(request.scope).headers[IGNORED_HEADER] = ignored
            log.info("fields ignored", extra={"fields": ignored})
        return body

    return parse


def format_names(names: Iterable[str]) -> str:
    """Names for a header and the log, within MAX_HEADER characters; one that is no plain name is a question mark."""
    text = ""
    for shown in dict.fromkeys(name if PLAIN_NAME.fullmatch(name) else "?" for name in names):
        if len(text) + len(shown) + 2 > MAX_HEADER - len(", ..."):
            return f"{text}, ..."
        text = f"{text}, {shown}" if text else shown
    return text


def stream_response(*examples: str) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` of 200: JSON or a stream of events like these, with the header of ignored fields."""
    header = {"description": "fields of the request that did nothing", "schema": {"type": "string"}}
    return {200: {**event_stream_response(*examples)[200], "headers": {IGNORED_HEADER: header}}}
