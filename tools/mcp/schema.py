"""What is wrong with a tool as a server lists it, before anybody relies on it. Knows JSON; asks nobody."""

import json
from collections.abc import Iterator
from typing import Any

MAX_SCHEMA = 100_000  # characters of a schema, written down
MAX_DEPTH = 40  # of what stands within what
MAX_NAME = 64  # characters, with the server's prefix: more is refused by OpenAI's API


def tool_problem(raw: Any) -> str | None:
    """Why a listed tool is left out; None where it can be used."""
    import mcp_types
    from pydantic import ValidationError

    try:
        mcp_types.Tool.model_validate(raw, by_name=False)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return schema_problem(raw["inputSchema"])


def schema_problem(schema: dict[str, Any]) -> str | None:
    """What is wrong with the schema of a tool's arguments; None where nothing is."""
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

    if schema.get("type") != "object":
        return "inputSchema: its type is not object"
    if len(json.dumps(schema)) > MAX_SCHEMA:
        return f"inputSchema: it is longer than {MAX_SCHEMA:,} characters"
    try:
        references = [each for each in _references(schema) if not each.startswith("#")]
    except RecursionError:
        return f"inputSchema: it is nested more than {MAX_DEPTH} deep"
    if references:
        return f"inputSchema: it refers to {references[0][:100]}, which is outside of it"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"inputSchema: {error.message[:200]}"
    return None


def _references(value: Any, depth: int = 0) -> Iterator[str]:
    """Every $ref in a schema. Raises RecursionError where it is nested too deep."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each, depth + 1)
