"""Fields of a request that are no use here: taken since no answer depends on them, or refused by name. Knows no route.

Each family of clients has a table of its own; a value that is null or empty asks for nothing, whatever its field.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class NoEffect:
    """A field that is taken, whatever it holds: no answer depends on it."""


@dataclass(frozen=True, eq=False)  # typing takes equal ones for the same, and 0 equals False
class Refused:
    """A field that asks for what nothing here does; `neutral` are the values that ask for nothing, beside the empty.

    `empty_asks`: an empty one asks for something, too. It is also an annotation of a field that is declared.
    """

    neutral: tuple[Any, ...] = ()
    empty_asks: bool = False

    @property
    def allowed(self) -> tuple[Any, ...]:
        """Every value that is taken."""
        return (*((None,) if self.empty_asks else NOTHING), *self.neutral)

    @property
    def remedy(self) -> str:
        """What is wrong with any other value, and what to send instead."""
        values = " or ".join(json.dumps(value) for value in (self.neutral or (None,)))
        return f"This server cannot do that. Leave it out, or send {values}."

    def accepts(self, value: Any) -> bool:
        """Whether a value of JSON asks for nothing."""
        return any(_equal(value, allowed) for allowed in self.allowed)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.json_schema()

    def json_schema(self) -> JsonSchemaValue:
        """The JSON Schema of what is taken; an object of nulls alone is as an empty one."""
        values: JsonSchemaValue = {"enum": list(self.allowed)}
        nulls = {"type": "object", "additionalProperties": {"type": "null"}}
        return values if self.empty_asks else {"anyOf": [values, nulls]}

    def _check(self, value: Any) -> Any:
        if not self.accepts(value):
            raise PydanticCustomError("unsupported_parameter", "{remedy}", {"remedy": self.remedy})
        return value


Unsupported = Annotated[Any, Refused()]

Table = Mapping[str, NoEffect | Refused]


def is_empty(value: Any) -> bool:
    """Whether a value of JSON is null or empty; false and 0 are neither."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def _equal(value: Any, allowed: Any) -> bool:
    """Whether two values of JSON are the same: 1 and 1.0 are, 0 and false are not, and null in an object is nothing."""
    if isinstance(value, dict) and isinstance(allowed, dict):
        value = {name: part for name, part in value.items() if part is not None}
    return isinstance(value, bool) == isinstance(allowed, bool) and bool(value == allowed)
